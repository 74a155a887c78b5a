-- One run that scores one model version on held-out items, with the result of every item.
CREATE TABLE evaluations (
    id                TEXT PRIMARY KEY,
    model_name        TEXT NOT NULL,
    version           INTEGER NOT NULL,
    dataset_kind      TEXT NOT NULL CHECK (dataset_kind IN ('test', 'gap', 'training_sheet')),
    dataset_id        TEXT NOT NULL,
    training_sheet_id TEXT NOT NULL,
    answer_kind       TEXT NOT NULL,
    status            TEXT NOT NULL CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    item_count        INTEGER NOT NULL DEFAULT 0,
    excluded_count    INTEGER NOT NULL DEFAULT 0,
    excluded_reasons  TEXT NOT NULL DEFAULT '{}',
    error             TEXT NOT NULL DEFAULT '',
    created_by        TEXT NOT NULL,
    created_at        TIMESTAMP NOT NULL,
    completed_at      TIMESTAMP,
    FOREIGN KEY (model_name, version) REFERENCES model_versions (model_name, version)
);
CREATE INDEX evaluations_by_version ON evaluations (model_name, version, created_at);
CREATE TABLE evaluation_items (
    evaluation_id TEXT NOT NULL REFERENCES evaluations (id),
    pair_id       TEXT NOT NULL,
    item_ref      TEXT NOT NULL,
    expected      TEXT NOT NULL,
    actual        TEXT,
    is_correct    BOOLEAN NOT NULL,
    scores        TEXT NOT NULL DEFAULT '{}',
    confidence    DOUBLE PRECISION,
    latency_ms    DOUBLE PRECISION NOT NULL DEFAULT 0,
    error         TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (evaluation_id, pair_id)
);
CREATE TABLE evaluation_metrics (
    evaluation_id TEXT NOT NULL REFERENCES evaluations (id),
    name          TEXT NOT NULL,
    class_name    TEXT NOT NULL DEFAULT '',
    value         DOUBLE PRECISION,
    low           DOUBLE PRECISION,
    high          DOUBLE PRECISION,
    item_count    INTEGER NOT NULL,
    PRIMARY KEY (evaluation_id, name, class_name)
);
