-- What housekeeping goes by: where a silent job's message lies, since when a run is superseded, how long a tenant keeps
-- its designs, and how far the search for objects without an owner has come.

ALTER TABLE jobs
    -- Sequence of the newest publication's message in the stream, once the sweeper has asked for it; NULL before.
    ADD COLUMN stream_sequence bigint;

ALTER TABLE generations
    -- When a newer run took the place of this one: it is neither the newest nor the one whose results are shown.
    ADD COLUMN supersede_time timestamptz;
CREATE INDEX generations_superseded ON generations (supersede_time) WHERE supersede_time IS NOT NULL;

UPDATE generations SET supersede_time = now()
FROM designs
WHERE generations.design_id = designs.design_id AND generations.generation < designs.generation
  AND generations.generation IS DISTINCT FROM designs.result_generation;

CREATE FUNCTION supersede_generations() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE generations SET supersede_time = now()
    WHERE design_id = NEW.design_id AND generation < NEW.generation
      AND generation IS DISTINCT FROM NEW.result_generation AND supersede_time IS NULL;
    RETURN NULL;
END
$$;
CREATE TRIGGER supersede_generations AFTER UPDATE OF generation, result_generation ON designs
    FOR EACH ROW WHEN (NEW.generation > 1) EXECUTE FUNCTION supersede_generations();

CREATE TABLE tenant_settings (
    tenant        text PRIMARY KEY CHECK (tenant ~ '^[a-z0-9-]{1,63}$'),
    -- Designs of the tenant are deleted so long after their end.
    design_keep_s bigint NOT NULL CHECK (design_keep_s > 0),
    update_time   timestamptz NOT NULL DEFAULT now()
);

-- One row: whoever holds it looks through the next keys of the object store.
CREATE TABLE object_scan (
    only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    after_key text NOT NULL DEFAULT ''
);
INSERT INTO object_scan DEFAULT VALUES;

CREATE OR REPLACE FUNCTION check_job_change() RETURNS trigger LANGUAGE plpgsql AS $$
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
    IF NEW.publication > OLD.publication THEN
        NEW.stream_sequence := NULL;
    END IF;
    NEW.update_time := clock_timestamp();
    RETURN NEW;
END
$$;
