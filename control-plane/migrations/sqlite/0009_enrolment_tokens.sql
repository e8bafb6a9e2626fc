-- Who made a token, and when it was taken back unused; empty: it was made before that was kept.
ALTER TABLE enrolment ADD COLUMN made_by TEXT NOT NULL DEFAULT '';
ALTER TABLE enrolment ADD COLUMN withdrawn_at INTEGER;
CREATE INDEX enrolment_by_time ON enrolment (created_at, id);
