-- What is left of a deleted design for a while, so that a watch over all designs that resumes is told that it is gone.
--
-- Additive: whatever deletes a design leaves its tombstone, the release before this one included.

CREATE TABLE design_tombstones (
    design_id   uuid PRIMARY KEY,
    tenant      text NOT NULL,
    -- Transaction of the delete, as in designs: what a watch resumes by.
    change_xid  xid8 NOT NULL DEFAULT pg_current_xact_id(),
    delete_time timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX design_tombstones_changed ON design_tombstones (tenant, change_xid, design_id);
CREATE INDEX design_tombstones_by_age ON design_tombstones (delete_time);

-- Up to which transaction tombstones of a tenant are gone themselves: nobody can be told of deletes since before it.
CREATE TABLE tombstone_horizons (
    tenant     text PRIMARY KEY,
    change_xid xid8 NOT NULL
);

CREATE FUNCTION leave_tombstone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO design_tombstones (design_id, tenant) VALUES (OLD.design_id, OLD.tenant)
    ON CONFLICT (design_id) DO UPDATE SET change_xid = EXCLUDED.change_xid, delete_time = EXCLUDED.delete_time;
    RETURN NULL;
END
$$;
CREATE TRIGGER leave_tombstone AFTER DELETE ON designs FOR EACH ROW EXECUTE FUNCTION leave_tombstone();
