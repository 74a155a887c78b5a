-- What a generation has spent, what it may spend, and why it pauses: the status stays generating meanwhile.
ALTER TABLE training_sheets ADD COLUMN model_calls BIGINT NOT NULL DEFAULT 0;
ALTER TABLE training_sheets ADD COLUMN kept_answers BIGINT NOT NULL DEFAULT 0;
ALTER TABLE training_sheets ADD COLUMN tokens_in BIGINT NOT NULL DEFAULT 0;
ALTER TABLE training_sheets ADD COLUMN tokens_out BIGINT NOT NULL DEFAULT 0;
ALTER TABLE training_sheets ADD COLUMN cost DOUBLE PRECISION NOT NULL DEFAULT 0;
ALTER TABLE training_sheets ADD COLUMN currency TEXT NOT NULL DEFAULT '';
ALTER TABLE training_sheets ADD COLUMN budget DOUBLE PRECISION;
ALTER TABLE training_sheets ADD COLUMN call_limit BIGINT;
ALTER TABLE training_sheets ADD COLUMN pause_reason TEXT NOT NULL DEFAULT '';
ALTER TABLE training_sheets ADD COLUMN paused_by TEXT NOT NULL DEFAULT '';

-- Asking a model about pairs that exist already, in place: the request, frozen, and what it has spent.
CREATE TABLE answerings (
    id                 TEXT PRIMARY KEY,
    training_sheet_id  TEXT NOT NULL REFERENCES training_sheets (id) ON DELETE CASCADE,
    status             TEXT NOT NULL CHECK (status IN ('working', 'paused', 'done', 'failed', 'cancelled')),
    error              TEXT NOT NULL DEFAULT '',
    overwrites         BOOLEAN NOT NULL DEFAULT FALSE,
    is_selection       BOOLEAN NOT NULL DEFAULT FALSE,
    model_name         TEXT NOT NULL,
    model_title        TEXT NOT NULL,
    prompt_template_id TEXT NOT NULL DEFAULT '',
    template_snapshot  TEXT NOT NULL DEFAULT '',
    examples_wanted    INTEGER NOT NULL DEFAULT 0,
    examples           TEXT NOT NULL DEFAULT '[]',
    seed               BIGINT NOT NULL DEFAULT 42,
    model_calls        BIGINT NOT NULL DEFAULT 0,
    kept_answers       BIGINT NOT NULL DEFAULT 0,
    tokens_in          BIGINT NOT NULL DEFAULT 0,
    tokens_out         BIGINT NOT NULL DEFAULT 0,
    cost               DOUBLE PRECISION NOT NULL DEFAULT 0,
    currency           TEXT NOT NULL DEFAULT '',
    budget             DOUBLE PRECISION,
    call_limit         BIGINT,
    pause_reason       TEXT NOT NULL DEFAULT '',
    paused_by          TEXT NOT NULL DEFAULT '',
    started_by         TEXT NOT NULL,
    started_at         TIMESTAMP NOT NULL,
    updated_at         TIMESTAMP NOT NULL
);
CREATE INDEX answerings_by_sheet ON answerings (training_sheet_id, started_at);

-- The pairs of an answering as they were when it began: one that somebody changed since is left alone.
CREATE TABLE answering_pairs (
    pair_id         TEXT NOT NULL REFERENCES pairs (id) ON DELETE CASCADE,
    answering_id    TEXT NOT NULL REFERENCES answerings (id) ON DELETE CASCADE,
    sequence_number INTEGER NOT NULL,
    row_version     INTEGER NOT NULL,
    outcome         TEXT NOT NULL DEFAULT 'waiting' CHECK (outcome IN ('waiting', 'answered', 'failed', 'left_alone')),
    PRIMARY KEY (pair_id, answering_id)
);
CREATE INDEX answering_pairs_by_outcome ON answering_pairs (answering_id, outcome, sequence_number);

-- A pair as it was before an answering changed it: question, answer and how it had been made.
CREATE TABLE replaced_answers (
    pair_id            TEXT NOT NULL REFERENCES pairs (id) ON DELETE CASCADE,
    row_version        INTEGER NOT NULL,
    answering_id       TEXT NOT NULL,
    messages           TEXT NOT NULL,
    answer             TEXT NOT NULL,
    response_source    TEXT NOT NULL,
    quality_score      DOUBLE PRECISION,
    generation_error   TEXT NOT NULL,
    generation_details TEXT NOT NULL,
    replaced_by        TEXT NOT NULL,
    replaced_at        TIMESTAMP NOT NULL,
    PRIMARY KEY (pair_id, row_version)
);
