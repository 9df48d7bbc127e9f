import assert from "node:assert/strict";
import { test } from "node:test";

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";

import {
  Design_State,
  DesignDeletedError,
  reasonOf,
  StatusService,
  watchDesign,
  watchDesigns,
  type Cutline,
  type WatchDesignResponseSchema,
  type WatchDesignsResponseSchema,
} from "../src/index.js";
import { refusal, withServer } from "./server.js";

type One = MessageInitShape<typeof WatchDesignResponseSchema>;
type Many = MessageInitShape<typeof WatchDesignsResponseSchema>;

function design(revision: bigint, state = Design_State.PROCESSING) {
  return { event: { case: "design", value: { id: "a", revision, state } } } as const;
}

const READY = design(9n, Design_State.READY);
const HEARTBEAT = { event: { case: "heartbeat", value: {} } } as const;

/** Serves one script after the other, each to one call; a script's error ends its stream. */
async function withScripts(
  scripts: (One | ConnectError)[][],
  use: (cutline: Cutline, asked: bigint[]) => Promise<void>,
): Promise<void> {
  const asked: bigint[] = [];
  await withServer(
    (router) =>
      router.rpc(StatusService.method.watchDesign, async function* (request) {
        const script = scripts[asked.length];
        asked.push(request.afterRevision);
        assert.ok(script, "asked again");
        for (const step of script) {
          if (step instanceof ConnectError) throw step;
          yield step;
        }
      }),
    (cutline) => use(cutline, asked),
  );
}

async function revisions(cutline: Cutline, options = {}): Promise<bigint[]> {
  const seen: bigint[] = [];
  for await (const { revision } of watchDesign(cutline.status, "a", options)) {
    seen.push(revision);
  }
  return seen;
}

for (const [what, end] of Object.entries({
  "a server that shuts down": [refusal(Code.Unavailable, "SHUTTING_DOWN", { retryAfterMs: 1 })],
  "a reconnect message": [{ event: { case: "reconnect", value: { afterRevision: 3n } } } as const],
  "a stream that ends without a word": [],
  "a connection that breaks": [new ConnectError("http/2 stream closed", Code.Canceled)],
  "a reader found too slow": [refusal(Code.ResourceExhausted, "SLOW_READER")],
  "too many streams": [refusal(Code.ResourceExhausted, "STREAM_LIMIT", { retryAfterMs: 1 })],
} satisfies Record<string, (One | ConnectError)[]>)) {
  test(`a watch goes on behind the last revision it gave, after ${what}`, async () => {
    await withScripts([[design(1n), HEARTBEAT, design(3n), ...end], [design(3n), READY]], async (cutline, asked) => {
      let resumed = 0;
      assert.deepEqual(await revisions(cutline, { onResume: () => (resumed += 1) }), [1n, 3n, 9n]);
      assert.deepEqual(asked, [0n, 3n]);
      assert.equal(resumed, 1);
    });
  });
}

test("a watch resumed at the terminal revision gives that snapshot once", async () => {
  await withScripts([[READY]], async (cutline, asked) => {
    assert.deepEqual(await revisions(cutline, { afterRevision: 9n }), [9n]);
    assert.deepEqual(asked, [9n]);
  });
});

test("a refusal is thrown at once, with its reason", async () => {
  await withScripts([[refusal(Code.NotFound, "DESIGN_NOT_FOUND")]], async (cutline, asked) => {
    await assert.rejects(revisions(cutline), (error) => reasonOf(error) === "DESIGN_NOT_FOUND");
    assert.equal(asked.length, 1);
  });
});

test("the end of a deleted design is an error of its own", async () => {
  await withScripts([[design(1n), { event: { case: "deleted", value: { designId: "a" } } }]], async (cutline) => {
    await assert.rejects(revisions(cutline), DesignDeletedError);
  });
});

test("a watch gives up when its patience is at its end", async () => {
  await withScripts([[refusal(Code.Unavailable, "SHUTTING_DOWN")]], async (cutline, asked) => {
    await assert.rejects(revisions(cutline, { patienceMs: -1 }), (error) => reasonOf(error) === "SHUTTING_DOWN");
    assert.equal(asked.length, 1);
  });
});

/** Serves streams that send one revision and stay open, and tells when the first of them is cancelled. */
async function withOpenStream(use: (cutline: Cutline, cancelled: Promise<void>) => Promise<void>): Promise<void> {
  let tell: () => void = () => undefined;
  const cancelled = new Promise<void>((resolve) => (tell = resolve));
  await withServer(
    (router) =>
      router.rpc(StatusService.method.watchDesign, async function* (_, { signal }: HandlerContext) {
        yield design(1n);
        await new Promise((gone) => signal.addEventListener("abort", gone));
        tell();
      }),
    (cutline) => use(cutline, cancelled),
  );
}

test("leaving the loop ends the stream at the server", async () => {
  await withOpenStream(async (cutline, cancelled) => {
    for await (const { revision } of watchDesign(cutline.status, "a")) {
      assert.equal(revision, 1n);
      break;
    }
    await cancelled;
  });
});

test("an aborted watch throws the reason of its signal and ends the stream at the server", async () => {
  await withOpenStream(async (cutline, cancelled) => {
    const control = new AbortController();
    const reason = new Error("enough");
    await assert.rejects(async () => {
      for await (const _ of watchDesign(cutline.status, "a", { signal: control.signal })) {
        control.abort(reason);
      }
    }, reason);
    await cancelled;
  });
});

test("a watch over all designs resumes by its token and gives nothing twice", async () => {
  const asked: string[] = [];
  const scripts: (Many | ConnectError)[][] = [
    [{ ...design(1n), resumeToken: "t1" }, { ...HEARTBEAT, resumeToken: "t2" }, refusal(Code.Unavailable, "SHUTTING_DOWN")],
    [{ ...design(1n), resumeToken: "t3" }, { ...READY, resumeToken: "t4" }, { event: { case: "reconnect", value: {} } }],
    [{ event: { case: "deleted", value: { designId: "a" } }, resumeToken: "t5" }],
  ];
  await withServer(
    (router) =>
      router.rpc(StatusService.method.watchDesigns, async function* (request) {
        const script = scripts[asked.length] ?? [];
        asked.push(request.resumeToken);
        for (const step of script) {
          if (step instanceof ConnectError) throw step;
          yield create(StatusService.method.watchDesigns.output, step);
        }
      }),
    async (cutline) => {
      const told: unknown[] = [];
      for await (const { event, resumeToken } of watchDesigns(cutline.status)) {
        told.push([event.case === "design" ? event.value.revision : event.case, resumeToken]);
        if (event.case === "deleted") break;
      }
      assert.deepEqual(told, [[1n, "t1"], [9n, "t4"], ["deleted", "t5"]]);
      assert.deepEqual(asked, ["", "t2", "t4"]);
    },
  );
});
