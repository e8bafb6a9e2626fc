-- Events are asked for by time.
CREATE INDEX audit_event_by_time ON audit_event (created_at, seq);
