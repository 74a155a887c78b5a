-- A serving endpoint, and one immutable row for every deployment, change of traffic, rollback or stop.
CREATE TABLE endpoints (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    model_name  TEXT NOT NULL,
    served      TEXT NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('creating', 'ready', 'updating', 'failed', 'stopped')),
    message     TEXT NOT NULL DEFAULT '',
    is_demo     BOOLEAN NOT NULL DEFAULT FALSE,
    row_version INTEGER NOT NULL DEFAULT 1,
    created_by  TEXT NOT NULL,
    created_at  TIMESTAMP NOT NULL,
    updated_by  TEXT NOT NULL,
    updated_at  TIMESTAMP NOT NULL
);
CREATE TABLE deployments (
    id            TEXT PRIMARY KEY,
    endpoint_id   TEXT NOT NULL REFERENCES endpoints (id),
    sequence      INTEGER NOT NULL,
    action        TEXT NOT NULL CHECK (action IN ('create', 'update', 'rollback', 'traffic', 'stop')),
    served_before TEXT NOT NULL,
    served_after  TEXT NOT NULL,
    reason        TEXT NOT NULL DEFAULT '',
    state         TEXT NOT NULL CHECK (state IN ('in_progress', 'succeeded', 'failed')),
    message       TEXT NOT NULL DEFAULT '',
    worker        TEXT NOT NULL DEFAULT '',
    by_user       TEXT NOT NULL,
    started_at    TIMESTAMP NOT NULL,
    finished_at   TIMESTAMP,
    UNIQUE (endpoint_id, sequence)
);
