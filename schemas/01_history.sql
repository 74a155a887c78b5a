-- Who did what to which record, and when. Rows are only ever added.
CREATE TABLE history (
    id           TEXT PRIMARY KEY,
    subject_kind TEXT NOT NULL,
    subject_id   TEXT NOT NULL,
    action       TEXT NOT NULL,
    by_user      TEXT NOT NULL,
    happened_at  TIMESTAMP NOT NULL,
    details      TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX history_by_subject ON history (subject_kind, subject_id, happened_at);
CREATE INDEX history_by_time ON history (happened_at);
