-- The number of the proposal whose approval the revision is, and who made that; null and empty where it is none, or is an earlier one.
ALTER TABLE revision ADD COLUMN proposal INTEGER;
ALTER TABLE revision ADD COLUMN proposer TEXT NOT NULL DEFAULT '';
