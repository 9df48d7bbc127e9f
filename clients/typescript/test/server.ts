import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";

import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";

import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../src/gen/google/rpc/error_details_pb.js";
import { connect, type Cutline, type Settings } from "../src/index.js";

/** Runs `use` with a client of a gRPC server on the loopback address that answers as `routes` say. */
export async function withServer(
  routes: (router: ConnectRouter) => void,
  use: (cutline: Cutline) => Promise<void>,
  settings: Partial<Settings> = {},
): Promise<void> {
  const server = createServer(connectNodeAdapter({ routes }));
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const target = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const cutline = connect({ ingestTarget: target, statusTarget: target, credential: "key", ...settings });
  try {
    await use(cutline);
  } finally {
    cutline.close();
    await new Promise((closed) => server.close(closed));
  }
}

/** An error as the services send it: with its reason, and with a delay or a field at fault. */
export function refusal(code: Code, reason: string, about: { retryAfterMs?: number; field?: string } = {}): ConnectError {
  const retryDelay = { seconds: 0n, nanos: (about.retryAfterMs ?? 0) * 1e6 };
  const fieldViolations = [{ field: about.field ?? "", description: "3 is not 5 to 1000 mm", reason: "OUT_OF_RANGE" }];
  return new ConnectError("No.", code, undefined, [
    { desc: ErrorInfoSchema, value: { reason, domain: "cutline", metadata: { trace_id: "4bf9" } } },
    ...(about.retryAfterMs === undefined ? [] : [{ desc: RetryInfoSchema, value: { retryDelay } }]),
    ...(about.field === undefined ? [] : [{ desc: BadRequestSchema, value: { fieldViolations } }]),
  ]);
}
