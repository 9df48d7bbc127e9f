-- Designs, the jobs that work on them, and everything those make.
--
-- Ids are UUIDv7 made by the services. Times are the database's. Rows that belong to a design go with it.

CREATE TABLE api_keys (
    key_id      text PRIMARY KEY,
    tenant      text NOT NULL CHECK (tenant ~ '^[a-z0-9-]{1,63}$'),
    sha256      bytea NOT NULL CHECK (length(sha256) = 32),
    scopes      text[] NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    revoke_time timestamptz
);

CREATE TABLE uploads (
    upload_id   uuid PRIMARY KEY,
    tenant      text NOT NULL,
    object_key  text NOT NULL,
    filename    text NOT NULL,
    media_type  text NOT NULL,
    size_bytes  bigint NOT NULL CHECK (size_bytes > 0),
    sha256      bytea NOT NULL CHECK (length(sha256) = 32),
    create_time timestamptz NOT NULL DEFAULT now(),
    expire_time timestamptz NOT NULL,
    -- When the object was first seen in the store with the bytes promised; the check is not repeated.
    check_time  timestamptz,
    -- When a design first used it; an upload without one is removed at expire_time.
    submit_time timestamptz
);
CREATE INDEX uploads_unused ON uploads (expire_time) WHERE submit_time IS NULL;

CREATE TABLE designs (
    design_id         uuid PRIMARY KEY,
    tenant            text NOT NULL,
    title             text NOT NULL,
    labels            jsonb NOT NULL,
    reference         text NOT NULL,
    upload_id         uuid NOT NULL,
    artwork_key       text NOT NULL,
    filename          text NOT NULL,
    media_type        text NOT NULL,
    size_bytes        bigint NOT NULL,
    sha256            bytea NOT NULL,
    state             text NOT NULL DEFAULT 'QUEUED'
                      CHECK (state IN ('QUEUED', 'PROCESSING', 'READY', 'FAILED', 'CANCELLED')),
    stage             text CHECK (stage IN ('imaging', 'mockup')),
    progress          double precision NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 1),
    revision          bigint NOT NULL DEFAULT 1,
    generation        integer NOT NULL DEFAULT 1,
    -- The last generation whose imaging succeeded: its results are the ones shown.
    result_generation integer,
    failure_reason    text,
    failure_message   text,
    failure_stage     text,
    create_time       timestamptz NOT NULL DEFAULT now(),
    update_time       timestamptz NOT NULL DEFAULT now(),
    finish_time       timestamptz,
    -- Transaction of the last change: what a watch over all designs resumes by.
    change_xid        xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX designs_by_tenant ON designs (tenant, design_id DESC);
CREATE INDEX designs_changed ON designs (tenant, change_xid);
CREATE INDEX designs_unfinished ON designs (tenant) WHERE state IN ('QUEUED', 'PROCESSING');
-- An upload is removed with the last design that uses it.
CREATE INDEX designs_by_upload ON designs (upload_id);

CREATE TABLE generations (
    design_id           uuid NOT NULL REFERENCES designs ON DELETE CASCADE,
    generation          integer NOT NULL CHECK (generation > 0),
    -- The newest generation's state; equal work is joined to it while it is unfinished.
    state               text NOT NULL DEFAULT 'QUEUED'
                        CHECK (state IN ('QUEUED', 'PROCESSING', 'READY', 'FAILED', 'CANCELLED')),
    dedup_key           bytea NOT NULL CHECK (length(dedup_key) = 32),
    spec                jsonb NOT NULL,
    resolved_spec       jsonb NOT NULL,
    create_time         timestamptz NOT NULL DEFAULT now(),
    finish_time         timestamptz,
    -- Results of imaging, NULL until it commits.
    geometry            jsonb,
    print_verdict       text,
    cutout_method       text,
    cutout_confidence   double precision,
    PRIMARY KEY (design_id, generation)
);
CREATE UNIQUE INDEX generations_dedup ON generations (dedup_key) WHERE state IN ('QUEUED', 'PROCESSING');

CREATE TABLE jobs (
    job_id        uuid PRIMARY KEY,
    tenant        text NOT NULL,
    design_id     uuid NOT NULL,
    generation    integer NOT NULL,
    stage         text NOT NULL CHECK (stage IN ('imaging', 'mockup')),
    lane          text NOT NULL CHECK (lane IN ('express', 'standard', 'bulk')),
    state         text NOT NULL CHECK (state IN ('WAITING', 'QUEUED', 'RUNNING', 'SUCCEEDED', 'DEAD', 'CANCELLED')),
    -- Grows when a decision asks for another message; names the message together with the job.
    publication   integer NOT NULL DEFAULT 1 CHECK (publication > 0),
    -- Number of the newest attempt; a commit that names another one is fenced out.
    attempt       integer NOT NULL DEFAULT 0,
    failure_count integer NOT NULL DEFAULT 0,
    crash_count   integer NOT NULL DEFAULT 0,
    max_attempts  integer NOT NULL CHECK (max_attempts BETWEEN 1 AND 20),
    -- While WAITING: when it may be released.
    due_time      timestamptz,
    -- While RUNNING: when the worker counts as dead unless it renews.
    lease_time    timestamptz,
    traceparent   text,
    create_time   timestamptz NOT NULL DEFAULT now(),
    update_time   timestamptz NOT NULL DEFAULT now(),
    finish_time   timestamptz,
    FOREIGN KEY (design_id, generation) REFERENCES generations ON DELETE CASCADE,
    UNIQUE (design_id, generation, stage)
);
-- The release loop skips from tenant to tenant and takes the oldest of each.
CREATE INDEX jobs_waiting ON jobs (stage, lane, tenant, due_time, job_id) WHERE state = 'WAITING';
CREATE INDEX jobs_released ON jobs (tenant, stage, lane) WHERE state = 'QUEUED';
CREATE INDEX jobs_running ON jobs (lease_time) WHERE state = 'RUNNING';

CREATE TABLE attempts (
    job_id      uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    number      integer NOT NULL CHECK (number > 0),
    worker      text NOT NULL,
    start_time  timestamptz NOT NULL DEFAULT now(),
    finish_time timestamptz,
    outcome     text CHECK (outcome IN ('SUCCEEDED', 'FAILED', 'REJECTED', 'CRASHED', 'INTERRUPTED', 'SUPERSEDED',
                                        'CANCELLED', 'SNOOZED')),
    reason      text,
    message     text,
    PRIMARY KEY (job_id, number)
);

CREATE TABLE artifacts (
    design_id  uuid NOT NULL,
    generation integer NOT NULL,
    kind       text NOT NULL,
    media_type text NOT NULL,
    size_bytes bigint NOT NULL,
    sha256     bytea NOT NULL,
    object_key text NOT NULL,
    PRIMARY KEY (design_id, generation, kind),
    FOREIGN KEY (design_id, generation) REFERENCES generations ON DELETE CASCADE
);

CREATE TABLE findings (
    design_id   uuid NOT NULL,
    generation  integer NOT NULL,
    position    integer NOT NULL,
    code        text NOT NULL,
    level       text NOT NULL,
    value       double precision,
    limit_value double precision,
    unit        text NOT NULL,
    message     text NOT NULL,
    fix         text NOT NULL,
    -- {x_mm, y_mm, width_mm, height_mm} in the frame of the report, or NULL.
    place       jsonb,
    PRIMARY KEY (design_id, generation, position),
    FOREIGN KEY (design_id, generation) REFERENCES generations ON DELETE CASCADE
);

CREATE TABLE mockups (
    design_id  uuid NOT NULL,
    generation integer NOT NULL,
    scene      text NOT NULL,
    media_type text NOT NULL,
    size_bytes bigint NOT NULL,
    sha256     bytea NOT NULL,
    width_px   integer NOT NULL,
    height_px  integer NOT NULL,
    object_key text NOT NULL,
    PRIMARY KEY (design_id, generation, scene),
    FOREIGN KEY (design_id, generation) REFERENCES generations ON DELETE CASCADE
);

CREATE TABLE timeline (
    design_id  uuid NOT NULL REFERENCES designs ON DELETE CASCADE,
    revision   bigint NOT NULL,
    time       timestamptz NOT NULL DEFAULT clock_timestamp(),
    generation integer NOT NULL,
    state      text NOT NULL,
    stage      text,
    attempt    integer NOT NULL DEFAULT 0,
    worker     text NOT NULL DEFAULT '',
    event      text NOT NULL,
    PRIMARY KEY (design_id, revision)
);

-- Messages that must reach the broker: written with the change they speak of, removed once acked.
CREATE TABLE outbox (
    outbox_id   uuid PRIMARY KEY,
    subject     text NOT NULL,
    msg_id      text NOT NULL,
    payload     bytea NOT NULL,
    traceparent text,
    create_time timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX outbox_by_age ON outbox (create_time);

-- Answers of mutating calls, so that a repeated request_id gives the first answer again (AIP-155).
CREATE TABLE requests (
    tenant       text NOT NULL,
    request_id   uuid NOT NULL,
    method       text NOT NULL,
    body_sha256  bytea NOT NULL,
    -- The upload or design the call was answered with.
    resource_id  uuid NOT NULL,
    deduplicated boolean NOT NULL DEFAULT false,
    create_time  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, request_id)
);
CREATE INDEX requests_by_age ON requests (create_time);

-- Objects to remove: written with the change that makes them nobody's, so that a crash leaves none behind.
CREATE TABLE object_removals (
    prefix      text PRIMARY KEY,
    -- Not before this: a worker that has just been stopped may still be writing.
    due_time    timestamptz NOT NULL
);
CREATE INDEX object_removals_due ON object_removals (due_time);

CREATE TABLE dead_letters (
    dead_letter_id uuid PRIMARY KEY,
    -- NULL where the message could not be read.
    job_id         uuid,
    tenant         text NOT NULL,
    design_id      uuid,
    generation     integer NOT NULL,
    stage          text NOT NULL,
    lane           text NOT NULL,
    reason         text NOT NULL,
    message        text NOT NULL,
    attempt_count  integer NOT NULL,
    traceparent    text,
    create_time    timestamptz NOT NULL DEFAULT now(),
    -- How it was dealt with, NULL while open.
    resolution     text CHECK (resolution IN ('REDRIVEN', 'DISCARDED')),
    resolve_time   timestamptz
);
CREATE INDEX dead_letters_open ON dead_letters (create_time) WHERE resolution IS NULL;
CREATE INDEX dead_letters_by_design ON dead_letters (design_id);

-- The only ways between states (cutline.domain.states has the same tables; a test holds the two together).
CREATE FUNCTION check_design_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.generation <> OLD.generation THEN
        IF NEW.generation <> OLD.generation + 1 OR NEW.state <> 'QUEUED' THEN
            RAISE EXCEPTION 'design % cannot go from % in generation % to % in generation %',
                OLD.design_id, OLD.state, OLD.generation, NEW.state, NEW.generation USING ERRCODE = 'check_violation';
        END IF;
    ELSIF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('QUEUED', 'PROCESSING'), ('QUEUED', 'FAILED'), ('QUEUED', 'CANCELLED'),
        ('PROCESSING', 'READY'), ('PROCESSING', 'FAILED'), ('PROCESSING', 'CANCELLED'),
        ('FAILED', 'QUEUED')
    ) THEN
        RAISE EXCEPTION 'design % cannot go from % to %', OLD.design_id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    NEW.revision := OLD.revision + 1;
    NEW.update_time := clock_timestamp();
    NEW.change_xid := pg_current_xact_id();
    RETURN NEW;
END
$$;
CREATE TRIGGER check_design_change BEFORE UPDATE ON designs
    FOR EACH ROW EXECUTE FUNCTION check_design_change();

CREATE FUNCTION check_job_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('WAITING', 'QUEUED'), ('WAITING', 'CANCELLED'),
        ('QUEUED', 'RUNNING'), ('QUEUED', 'WAITING'), ('QUEUED', 'DEAD'), ('QUEUED', 'CANCELLED'),
        ('RUNNING', 'SUCCEEDED'), ('RUNNING', 'WAITING'), ('RUNNING', 'QUEUED'), ('RUNNING', 'DEAD'),
        ('RUNNING', 'CANCELLED'),
        ('DEAD', 'QUEUED'), ('DEAD', 'WAITING'), ('DEAD', 'CANCELLED')
    ) THEN
        RAISE EXCEPTION 'job % cannot go from % to %', OLD.job_id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.publication < OLD.publication OR NEW.attempt < OLD.attempt THEN
        RAISE EXCEPTION 'publication and attempt of job % only grow', OLD.job_id USING ERRCODE = 'check_violation';
    END IF;
    NEW.update_time := clock_timestamp();
    RETURN NEW;
END
$$;
CREATE TRIGGER check_job_change BEFORE UPDATE ON jobs
    FOR EACH ROW EXECUTE FUNCTION check_job_change();
