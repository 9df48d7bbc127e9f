import { Code, ConnectError } from "@connectrpc/connect";

import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "./gen/google/rpc/error_details_pb.js";

/** One field at fault. */
export interface FieldViolation {
  field: string;
  description: string;
  reason: string;
}

/** What a failed call says about itself. */
export interface Problem {
  /** gRPC code. */
  code: Code;
  /** One plain sentence. */
  message: string;
  /** Stable reason, such as DESIGN_NOT_FOUND; empty where the service itself did not answer. */
  reason: string;
  /** Facts named in the message, and `request_id` and `trace_id` for the service's logs. */
  metadata: Record<string, string>;
  /** Fields at fault. */
  violations: FieldViolation[];
  /** When to try again, where the service said so. */
  retryAfterMs?: number;
}

/** The design was deleted while it was watched. */
export class DesignDeletedError extends Error {
  override readonly name = "DesignDeletedError";

  constructor(readonly designId: string) {
    super(`Design ${designId} was deleted.`);
  }
}

/** Reads any error of a call; one that is no gRPC error has the code UNKNOWN. */
export function problemOf(error: unknown): Problem {
  const failure = ConnectError.from(error);
  const [info] = failure.findDetails(ErrorInfoSchema);
  const [retry] = failure.findDetails(RetryInfoSchema);
  const problem: Problem = {
    code: failure.code,
    message: failure.rawMessage,
    reason: info?.reason ?? "",
    metadata: { ...info?.metadata },
    violations: failure
      .findDetails(BadRequestSchema)
      .flatMap((bad) => bad.fieldViolations)
      .map(({ field, description, reason }) => ({ field, description, reason })),
  };
  const delay = retry?.retryDelay;
  return delay ? { ...problem, retryAfterMs: Number(delay.seconds) * 1000 + delay.nanos / 1e6 } : problem;
}

/** The stable reason of an error, such as DESIGN_NOT_FOUND; empty where the service itself did not answer. */
export function reasonOf(error: unknown): string {
  return problemOf(error).reason;
}

/** Whether another try can help: the service is unavailable, or full and says when to come back. */
export function mayPass(problem: Problem): boolean {
  const full = problem.code === Code.ResourceExhausted && problem.retryAfterMs !== undefined;
  return full || problem.code === Code.Unavailable;
}

const BROKEN_CONNECTION: readonly Code[] = [Code.Aborted, Code.Canceled, Code.Internal, Code.Unknown];

/**
 * Whether a stream that ended so can be watched on: what may pass, a reader who was too slow, and connections that break
 * midway, for which Node's HTTP/2 has several words and never a reason of the service.
 */
export function mayResume(problem: Problem): boolean {
  const broken = problem.reason === "" && BROKEN_CONNECTION.includes(problem.code);
  return broken || problem.reason === "SLOW_READER" || mayPass(problem);
}
