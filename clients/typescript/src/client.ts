import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";

import { clone } from "@bufbuild/protobuf";
import { createClient, type Client, type Interceptor, type Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";

import { Backoff } from "./backoff.js";
import { mayPass, problemOf } from "./errors.js";
import { IngestService } from "./gen/cutline/v1/ingest_service_pb.js";
import { QueueService } from "./gen/cutline/v1/queue_service_pb.js";
import { StatusService } from "./gen/cutline/v1/status_service_pb.js";
import type { Settings } from "./settings.js";

const CALL_TIMEOUT_MS = 30_000;
const MAX_RETRIES = 4;
// The services allow pings every 10 s; a silent connection is noticed after 40 s.
const PING = { pingIntervalMs: 30_000, pingTimeoutMs: 10_000 };

/** The services, each with every method of its .proto; `close()` ends the connections and all that runs on them. */
export interface Cutline {
  readonly ingest: Client<typeof IngestService>;
  readonly status: Client<typeof StatusService>;
  /** For operators: keys of the scope `admin`. */
  readonly queue: Client<typeof QueueService>;
  close(): void;
}

/**
 * Makes the clients; nothing is connected before the first call.
 *
 * A call takes 30 s at most unless it says otherwise and is repeated while the service is unavailable or full, always with
 * the same `requestId`, which is made where the caller gave none: nothing is done twice. Streams have no deadline.
 */
export function connect(settings: Settings): Cutline {
  const [ingest, status] = [settings.ingestTarget, settings.statusTarget].map((target) => open(target, settings));
  return {
    ingest: createClient(IngestService, ingest!.transport),
    status: createClient(StatusService, status!.transport),
    queue: createClient(QueueService, ingest!.transport),
    close: () => {
      ingest!.session.abort();
      status!.session.abort();
    },
  };
}

function open(target: string, settings: Settings): { transport: Transport; session: Http2SessionManager } {
  const tls = settings.tls ?? false;
  const address = target.replace(/^(dns|ipv4|ipv6):(\/\/[^/]*\/)?/, "");
  const baseUrl = `${tls ? "https" : "http"}://${address}`;
  const session = new Http2SessionManager(baseUrl, PING, tls ? certificates(settings) : undefined);
  const grpc = createGrpcTransport({
    baseUrl,
    sessionManager: session,
    interceptors: [withRequestId, retrying, withCredential(settings.credential)],
  });
  return {
    session,
    transport: {
      unary: (method, signal, timeoutMs, ...rest) => grpc.unary(method, signal, timeoutMs ?? CALL_TIMEOUT_MS, ...rest),
      stream: grpc.stream.bind(grpc),
    },
  };
}

function certificates({ caFile, clientCertFile, clientKeyFile }: Settings): Record<string, Buffer> {
  const files = { ca: caFile, cert: clientCertFile, key: clientKeyFile };
  return Object.fromEntries(
    Object.entries(files).flatMap(([name, path]) => (path ? [[name, readFileSync(path)]] : [])),
  );
}

/**
 * Gives every call that changes something an id, so that a repeated call is known for what it is. The caller's message
 * stays as it is: sent once more it is another call.
 */
const withRequestId: Interceptor = (next) => async (request) => {
  if (!request.stream && "requestId" in request.message && request.message.requestId === "") {
    const message = Object.assign(clone(request.method.input, request.message), { requestId: randomUUID() });
    return await next({ ...request, message });
  }
  return await next(request);
};

const retrying: Interceptor = (next) => async (request) => {
  const backoff = new Backoff();
  for (let triesLeft = request.stream ? 0 : MAX_RETRIES; ; triesLeft -= 1) {
    try {
      return await next(request);
    } catch (error) {
      const problem = problemOf(error);
      if (triesLeft === 0 || !mayPass(problem)) {
        throw error;
      }
      await backoff.pause(problem, request.signal);
    }
  }
};

function withCredential(credential: Settings["credential"]): Interceptor {
  return (next) => async (request) => {
    request.header.set("authorization", `Bearer ${typeof credential === "string" ? credential : await credential()}`);
    return await next(request);
  };
}
