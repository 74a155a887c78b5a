-- Long work: the row is the truth about its progress.
CREATE TABLE runs (
    id               TEXT PRIMARY KEY,
    kind             TEXT NOT NULL,
    subject_id       TEXT NOT NULL,
    title            TEXT NOT NULL,
    status           TEXT NOT NULL CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'interrupted')),
    done             BIGINT NOT NULL DEFAULT 0,
    total            BIGINT NOT NULL DEFAULT 0,
    done_before      BIGINT NOT NULL DEFAULT 0,
    message          TEXT NOT NULL DEFAULT '',
    error            TEXT NOT NULL DEFAULT '',
    cancel_requested BOOLEAN NOT NULL DEFAULT FALSE,
    worker           TEXT NOT NULL DEFAULT '',
    started_by       TEXT NOT NULL,
    queued_at        TIMESTAMP NOT NULL,
    started_at       TIMESTAMP,
    finished_at      TIMESTAMP,
    heartbeat_at     TIMESTAMP
);
CREATE INDEX runs_by_subject ON runs (kind, subject_id, queued_at);
CREATE UNIQUE INDEX runs_one_active ON runs (kind, subject_id) WHERE status IN ('queued', 'running');
