-- One attempt to train one model on one training sheet, the pairs it used with their answers at that moment, its
-- curves, and the version it made.
CREATE TABLE training_jobs (
    id                   TEXT PRIMARY KEY,
    training_sheet_id    TEXT NOT NULL REFERENCES training_sheets (id),
    model_name           TEXT NOT NULL,
    trainer              TEXT NOT NULL,
    parameters           TEXT NOT NULL DEFAULT '{}',
    seed                 INTEGER NOT NULL DEFAULT 42,
    train_share          DOUBLE PRECISION NOT NULL,
    validation_share     DOUBLE PRECISION NOT NULL,
    status               TEXT NOT NULL CHECK (status IN ('pending', 'queued', 'running', 'succeeded', 'failed', 'cancelled', 'timeout')),
    train_pairs          INTEGER NOT NULL DEFAULT 0,
    validation_pairs     INTEGER NOT NULL DEFAULT 0,
    test_pairs           INTEGER NOT NULL DEFAULT 0,
    excluded_pairs       INTEGER NOT NULL DEFAULT 0,
    progress_step        INTEGER NOT NULL DEFAULT 0,
    progress_total       INTEGER NOT NULL DEFAULT 0,
    error                TEXT NOT NULL DEFAULT '',
    parent_job_id        TEXT REFERENCES training_jobs (id),
    launched_from        TEXT NOT NULL DEFAULT 'manual',
    gap_id               TEXT,
    tracking_run_id      TEXT NOT NULL DEFAULT '',
    tracking_experiment_id TEXT NOT NULL DEFAULT '',
    fingerprint          TEXT NOT NULL,
    is_demo              BOOLEAN NOT NULL DEFAULT FALSE,
    row_version          INTEGER NOT NULL DEFAULT 1,
    created_by           TEXT NOT NULL,
    created_at           TIMESTAMP NOT NULL,
    started_at           TIMESTAMP,
    completed_at         TIMESTAMP
);
CREATE UNIQUE INDEX training_jobs_one_active ON training_jobs (fingerprint) WHERE status IN ('pending', 'queued', 'running');
CREATE TABLE training_job_pairs (
    job_id                  TEXT NOT NULL REFERENCES training_jobs (id),
    pair_id                 TEXT NOT NULL,
    item_ref                TEXT NOT NULL,
    answer                  TEXT NOT NULL DEFAULT '',
    split                   TEXT NOT NULL CHECK (split IN ('train', 'validation', 'test', 'excluded')),
    reason                  TEXT NOT NULL DEFAULT '',
    pair_row_version        INTEGER NOT NULL,
    canonical_label_id      TEXT,
    canonical_label_version INTEGER,
    PRIMARY KEY (job_id, pair_id)
);
CREATE INDEX training_job_pairs_by_pair ON training_job_pairs (pair_id);
CREATE TABLE training_job_events (
    job_id      TEXT NOT NULL REFERENCES training_jobs (id),
    sequence    INTEGER NOT NULL,
    kind        TEXT NOT NULL,
    message     TEXT NOT NULL,
    by_user     TEXT NOT NULL DEFAULT '',
    happened_at TIMESTAMP NOT NULL,
    PRIMARY KEY (job_id, sequence)
);
CREATE TABLE training_job_metrics (
    job_id      TEXT NOT NULL REFERENCES training_jobs (id),
    name        TEXT NOT NULL,
    step        INTEGER NOT NULL,
    value       DOUBLE PRECISION NOT NULL,
    recorded_at TIMESTAMP NOT NULL,
    PRIMARY KEY (job_id, name, step)
);
CREATE TABLE model_versions (
    model_name         TEXT NOT NULL,
    version            INTEGER NOT NULL,
    job_id             TEXT NOT NULL UNIQUE REFERENCES training_jobs (id),
    training_sheet_id  TEXT NOT NULL,
    sheet_id           TEXT NOT NULL,
    prompt_template_id TEXT NOT NULL,
    template_version   TEXT NOT NULL,
    label_type         TEXT NOT NULL,
    answer_kind        TEXT NOT NULL,
    metrics            TEXT NOT NULL DEFAULT '{}',
    details            TEXT NOT NULL DEFAULT '{}',
    reference_profile  TEXT NOT NULL DEFAULT '{}',
    created_at         TIMESTAMP NOT NULL,
    PRIMARY KEY (model_name, version)
);
