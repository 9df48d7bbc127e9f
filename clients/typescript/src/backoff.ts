import { setTimeout as sleep } from "node:timers/promises";

import type { Problem } from "./errors.js";

const FIRST_MS = 100;
const LONGEST_MS = 5_000;

/** Pauses between tries: exponential with full jitter, never shorter than the service asks for. */
export class Backoff {
  #ceilingMs = FIRST_MS;

  /** Waits before the next try; rejects with the signal's reason when it is aborted. */
  async pause(problem?: Problem, signal?: AbortSignal): Promise<void> {
    const jitteredMs = Math.random() * this.#ceilingMs;
    this.#ceilingMs = Math.min(2 * this.#ceilingMs, LONGEST_MS);
    try {
      await sleep((problem?.retryAfterMs ?? 0) + jitteredMs, undefined, signal ? { signal } : {});
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    }
  }

  /** Begins anew after a success. */
  reset(): void {
    this.#ceilingMs = FIRST_MS;
  }
}
