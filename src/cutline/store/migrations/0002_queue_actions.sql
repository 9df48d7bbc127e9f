-- What operators look at and do: indexes for the counts of the queues, and a row for every redrive and discard.
--
-- Additive: the release before this one runs on unharmed.

-- The oldest unfinished job of a stage and lane.
CREATE INDEX jobs_unfinished ON jobs (stage, lane, create_time) WHERE state IN ('WAITING', 'QUEUED', 'RUNNING');
-- How many ended of late, and which ended long ago.
CREATE INDEX jobs_finished ON jobs (finish_time) WHERE finish_time IS NOT NULL;
CREATE INDEX jobs_dead ON jobs (job_id) WHERE state = 'DEAD';
-- Pages of open dead letters, and the batches in which they are dealt with. The ids grow with time.
CREATE INDEX dead_letters_open_by_id ON dead_letters (dead_letter_id) WHERE resolution IS NULL;

-- Who dealt with which dead letters, and how far it got: a call repeated with its request_id goes on or is told again.
CREATE TABLE queue_actions (
    tenant        text NOT NULL,
    request_id    uuid NOT NULL,
    method        text NOT NULL CHECK (method IN ('RedriveDeadLetters', 'DiscardDeadLetters')),
    -- Id of the caller's key.
    subject       text NOT NULL,
    body_sha256   bytea NOT NULL CHECK (length(body_sha256) = 32),
    -- The conditions asked for; empty for every dead letter.
    conditions    jsonb NOT NULL,
    -- Dead letters dealt with, and those left alone.
    done_count    bigint NOT NULL DEFAULT 0,
    skipped_count bigint NOT NULL DEFAULT 0,
    -- The last dead letter looked at, NULL before the first.
    last_id       uuid,
    -- Dead letters made after this are not part of it.
    create_time   timestamptz NOT NULL DEFAULT now(),
    -- When all that match had been looked at, NULL before.
    finish_time   timestamptz,
    PRIMARY KEY (tenant, request_id)
);
CREATE INDEX queue_actions_by_age ON queue_actions (create_time);
