import type { Client } from "@connectrpc/connect";

import { Backoff } from "./backoff.js";
import { DesignDeletedError, mayResume, problemOf, type Problem } from "./errors.js";
import { Design_State, type Design } from "./gen/cutline/v1/design_pb.js";
import type { StatusService, WatchDesignsResponse } from "./gen/cutline/v1/status_service_pb.js";

type Status = Client<typeof StatusService>;

const PATIENCE_MS = 300_000;

export interface WatchOptions {
  /** Ends the watch: it throws the signal's reason. */
  signal?: AbortSignal;
  /** How long a service that cannot be reached is asked again before the watch throws; five minutes unless set. */
  patienceMs?: number;
  /** Hears each time the watch asks again, and what ended the last stream, if it was a fault. */
  onResume?: (problem: Problem | undefined) => void;
}

export interface WatchDesignOptions extends WatchOptions {
  /** Give only revisions above this one; 0n, the default, gives the design as it is first. */
  afterRevision?: bigint;
}

export interface WatchDesignsOptions extends WatchOptions {
  /** Token of the last message seen, to go on behind it; empty to start with the unfinished designs. */
  resumeToken?: string;
}

/** Whether a design has ended: READY, FAILED or CANCELLED. */
export function isTerminal(design: Design): boolean {
  return [Design_State.READY, Design_State.FAILED, Design_State.CANCELLED].includes(design.state);
}

/**
 * Each newer revision of a design, the terminal one last; goes on by itself behind the last revision it gave when the
 * connection breaks or the service asks to come back. Leaving the loop ends the watch.
 *
 * @throws DesignDeletedError The design was deleted.
 * @throws ConnectError The service refused the watch, or could not be reached for `patienceMs`.
 */
export async function* watchDesign(
  status: Status,
  designId: string,
  options: WatchDesignOptions = {},
): AsyncGenerator<Design, void, undefined> {
  let seen = options.afterRevision ?? 0n;
  const stream = (signal: AbortSignal) => status.watchDesign({ designId, afterRevision: seen }, { signal });
  for await (const { event } of resuming(stream, options)) {
    if (event.case === "deleted") {
      throw new DesignDeletedError(designId);
    }
    if (event.case === "design" && (event.value.revision > seen || isTerminal(event.value))) {
      seen = event.value.revision;
      yield event.value;
      if (isTerminal(event.value)) {
        return;
      }
    }
  }
}

/**
 * Every change of every design of the tenant, for ever: each message holds a design or one deleted, and the token to go
 * on by for a caller who keeps it. Resumes by itself, as `watchDesign` does.
 *
 * @throws ConnectError The service refused the watch (OUT_OF_RANGE/RESUME_TOKEN_INVALID: start anew without a token), or
 *   could not be reached for `patienceMs`.
 */
export async function* watchDesigns(
  status: Status,
  options: WatchDesignsOptions = {},
): AsyncGenerator<WatchDesignsResponse, void, undefined> {
  let resumeToken = options.resumeToken ?? "";
  const seen = new Map<string, bigint>();
  const stream = (signal: AbortSignal) => status.watchDesigns({ resumeToken }, { signal });
  for await (const message of resuming(stream, options)) {
    resumeToken = message.resumeToken || resumeToken;
    const { event } = message;
    if (event.case === "deleted") {
      seen.delete(event.value.designId);
      yield message;
    } else if (event.case === "design" && event.value.revision > (seen.get(event.value.id) ?? 0n)) {
      seen.set(event.value.id, event.value.revision);
      yield message;
    }
  }
}

/** The messages of one stream after the other; `open` says in its request what was seen last. */
async function* resuming<M extends { event: { case: string | undefined } }>(
  open: (signal: AbortSignal) => AsyncIterable<M>,
  { signal, patienceMs = PATIENCE_MS, onResume }: WatchOptions,
): AsyncGenerator<M, never, undefined> {
  const backoff = new Backoff();
  let heardAtMs = performance.now();
  for (;;) {
    const left = new AbortController();
    let problem: Problem | undefined;
    try {
      signal?.throwIfAborted();
      for await (const message of open(signal ? AbortSignal.any([signal, left.signal]) : left.signal)) {
        backoff.reset();
        yield message;
        heardAtMs = performance.now();
      }
    } catch (error) {
      signal?.throwIfAborted();
      problem = problemOf(error);
      if (!mayResume(problem) || performance.now() - heardAtMs > patienceMs) {
        throw error;
      }
    } finally {
      left.abort();
    }
    await backoff.pause(problem, signal);
    onResume?.(problem);
  }
}
