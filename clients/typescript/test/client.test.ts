import assert from "node:assert/strict";
import { test } from "node:test";

import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";

import { IngestService, problemOf, settingsFromEnv, SubmitDesignRequestSchema } from "../src/index.js";
import { refusal, withServer } from "./server.js";

test("a call that finds the service full is made again with the same request id and the newest token", async () => {
  const calls: [string, string | null][] = [];
  let tokens = 0;
  await withServer(
    (router) =>
      router.rpc(IngestService.method.submitDesign, (request, { requestHeader }) => {
        calls.push([request.requestId, requestHeader.get("authorization")]);
        if (calls.length < 3) throw refusal(Code.ResourceExhausted, "BACKLOG_FULL", { retryAfterMs: 1 });
        return { design: { id: "a" } };
      }),
    async (cutline) => {
      const request = create(SubmitDesignRequestSchema, { uploadId: "u" });
      const { design } = await cutline.ingest.submitDesign(request);
      assert.equal(design?.id, "a");
      assert.equal(request.requestId, "", "the caller's request was changed: sent again it would get the first answer");
    },
    { credential: () => `token-${(tokens += 1)}` },
  );
  assert.match(calls[0]![0], /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.equal(new Set(calls.map(([id]) => id)).size, 1);
  assert.deepEqual(calls.map(([, token]) => token), ["Bearer token-1", "Bearer token-2", "Bearer token-3"]);
});

test("a refused call says why, where and in which trace, and is not repeated", async () => {
  let calls = 0;
  await withServer(
    (router) =>
      router.rpc(IngestService.method.submitDesign, () => {
        calls += 1;
        throw refusal(Code.InvalidArgument, "INVALID_ARGUMENT", { field: "spec.width_mm" });
      }),
    async (cutline) => {
      const error: unknown = await cutline.ingest.submitDesign({}).catch((caught: unknown) => caught);
      assert.deepEqual(problemOf(error), {
        code: Code.InvalidArgument,
        message: "No.",
        reason: "INVALID_ARGUMENT",
        metadata: { trace_id: "4bf9" },
        violations: [{ field: "spec.width_mm", description: "3 is not 5 to 1000 mm", reason: "OUT_OF_RANGE" }],
      });
    },
  );
  assert.equal(calls, 1);
});

test("an error that is none of gRPC has no reason", () => {
  const problem = problemOf(new Error("boom"));
  assert.deepEqual([problem.code, problem.message, problem.reason], [Code.Unknown, "boom", ""]);
});

test("settings name every variable that is missing, and a token goes before a key", () => {
  assert.throws(() => settingsFromEnv({ CUTLINE_INGEST_TARGET: "a:1" }), /CUTLINE_STATUS_TARGET, CUTLINE_API_KEY/);
  const env = { CUTLINE_TARGET: "a:1", CUTLINE_API_KEY: "key", CUTLINE_TOKEN: "token", CUTLINE_TLS: "on", CUTLINE_CA_FILE: "ca" };
  assert.deepEqual(settingsFromEnv(env), {
    ingestTarget: "a:1",
    statusTarget: "a:1",
    credential: "token",
    tls: true,
    caFile: "ca",
  });
});

test("plaintext goes to another machine only where that is said", () => {
  const tls = (target: string, env: Record<string, string> = {}) =>
    settingsFromEnv({ CUTLINE_INGEST_TARGET: "127.0.0.1:1", CUTLINE_STATUS_TARGET: target, CUTLINE_API_KEY: "key", ...env }).tls;
  for (const target of ["127.0.0.1:1", "localhost:1", "dns:///[::1]:1", "ipv4:127.0.0.9:1"]) {
    assert.equal(tls(target), false, target);
  }
  for (const target of ["cutline.example:443", "dns:///cutline.example", "127.example:1", "ipv4:127.0.0.1:1,10.0.0.1:1"]) {
    assert.equal(tls(target), true, target);
  }
  assert.equal(tls("127.0.0.1:1", { CUTLINE_CA_FILE: "ca.pem" }), true);
  assert.equal(tls("127.0.0.1:1", { CUTLINE_TLS: "on" }), true);
  assert.equal(tls("cutline.example:443", { CUTLINE_TLS: "Off" }), false);
  assert.throws(() => tls("127.0.0.1:1", { CUTLINE_TLS: "maybe" }), /CUTLINE_TLS is "maybe", neither on nor off/);
});
