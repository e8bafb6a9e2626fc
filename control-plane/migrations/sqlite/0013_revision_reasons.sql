-- Why the revision was made, and the ticket behind it, as its author gave them; of earlier revisions the audit log alone has them.
ALTER TABLE revision ADD COLUMN reason TEXT NOT NULL DEFAULT '';
ALTER TABLE revision ADD COLUMN ticket TEXT NOT NULL DEFAULT '';
