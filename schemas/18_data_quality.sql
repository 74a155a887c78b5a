-- Rules on the rows of a sheet, what their runs found, and what people decided about single items.
CREATE TABLE quality_rules (
    id            TEXT PRIMARY KEY,
    sheet_id      TEXT NOT NULL REFERENCES sheets (id),
    name          TEXT NOT NULL,
    criticality   TEXT NOT NULL CHECK (criticality IN ('error', 'warn')),
    function      TEXT NOT NULL,
    columns       TEXT NOT NULL DEFAULT '[]',
    arguments     TEXT NOT NULL DEFAULT '{}',
    filter        TEXT NOT NULL DEFAULT '',
    origin        TEXT NOT NULL CHECK (origin IN ('profile', 'ai', 'manual', 'imported')),
    reason        TEXT NOT NULL DEFAULT '',
    user_metadata TEXT NOT NULL DEFAULT '{}',
    is_enabled    BOOLEAN NOT NULL DEFAULT TRUE,
    row_version   INTEGER NOT NULL DEFAULT 1,
    created_by    TEXT NOT NULL,
    created_at    TIMESTAMP NOT NULL,
    updated_by    TEXT NOT NULL,
    updated_at    TIMESTAMP NOT NULL,
    UNIQUE (sheet_id, name)
);
-- The last profile of a sheet with what it was computed from, and how the person last ran the checks.
CREATE TABLE quality_profiles (
    sheet_id      TEXT PRIMARY KEY REFERENCES sheets (id),
    sheet_version INTEGER NOT NULL,
    item_count    BIGINT NOT NULL,
    profile       TEXT NOT NULL,
    seconds       DOUBLE PRECISION NOT NULL,
    computed_by   TEXT NOT NULL,
    computed_at   TIMESTAMP NOT NULL
);
CREATE TABLE quality_options (
    sheet_id TEXT PRIMARY KEY REFERENCES sheets (id),
    options  TEXT NOT NULL
);
-- One finished check of all rows of a sheet; `run_id` names the long work that did it.
CREATE TABLE quality_runs (
    id            TEXT PRIMARY KEY,
    run_id        TEXT NOT NULL UNIQUE,
    sheet_id      TEXT NOT NULL REFERENCES sheets (id),
    sheet_version INTEGER NOT NULL,
    source        TEXT NOT NULL,
    selection     TEXT NOT NULL,
    total         BIGINT NOT NULL CHECK (total >= 0),
    failed        BIGINT NOT NULL CHECK (failed >= 0 AND failed <= total),
    failure_count BIGINT NOT NULL CHECK (failure_count >= 0),
    kept_failures BIGINT NOT NULL CHECK (kept_failures >= 0 AND kept_failures <= failure_count),
    keeps_items   BOOLEAN NOT NULL DEFAULT TRUE,
    scans         TEXT NOT NULL DEFAULT '{}',
    seconds       DOUBLE PRECISION NOT NULL,
    run_by        TEXT NOT NULL,
    run_at        TIMESTAMP NOT NULL
);
CREATE INDEX quality_runs_by_sheet ON quality_runs (sheet_id, run_at);
CREATE TABLE quality_outcomes (
    quality_run_id TEXT NOT NULL REFERENCES quality_runs (id),
    position       INTEGER NOT NULL,
    rule_id        TEXT NOT NULL,
    name           TEXT NOT NULL,
    criticality    TEXT NOT NULL CHECK (criticality IN ('error', 'warn')),
    function       TEXT NOT NULL,
    columns        TEXT NOT NULL,
    arguments      TEXT NOT NULL,
    filter         TEXT NOT NULL,
    meaning        TEXT NOT NULL,
    evaluated      BIGINT NOT NULL CHECK (evaluated >= 0),
    failed         BIGINT NOT NULL CHECK (failed >= 0 AND failed <= evaluated),
    samples        TEXT NOT NULL DEFAULT '[]',
    PRIMARY KEY (quality_run_id, position)
);
-- Single items that a run found: they fail a check, repeat others, or lie far out. An identifier may repeat itself.
CREATE TABLE quality_failures (
    quality_run_id TEXT NOT NULL REFERENCES quality_runs (id),
    kind           TEXT NOT NULL CHECK (kind IN ('failing', 'duplicates', 'near_duplicates', 'outliers')),
    number         INTEGER NOT NULL,
    item_ref       TEXT NOT NULL,
    position       INTEGER,
    is_error       BOOLEAN NOT NULL DEFAULT FALSE,
    group_number   INTEGER,
    column_name    TEXT NOT NULL DEFAULT '',
    value          TEXT NOT NULL DEFAULT '',
    score          DOUBLE PRECISION,
    PRIMARY KEY (quality_run_id, kind, number)
);
CREATE INDEX quality_failures_by_item ON quality_failures (quality_run_id, item_ref);
-- What a person decided about an item: set aside (left out of generation) or accepted as it is. No row: open.
CREATE TABLE quarantined_items (
    sheet_id   TEXT NOT NULL REFERENCES sheets (id),
    item_ref   TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('set_aside', 'accepted')),
    reason     TEXT NOT NULL,
    decided_by TEXT NOT NULL,
    decided_at TIMESTAMP NOT NULL,
    PRIMARY KEY (sheet_id, item_ref)
);
CREATE INDEX quarantined_items_by_state ON quarantined_items (sheet_id, state);
-- Every decision is kept; `decision_id` is shared by the items decided together.
CREATE TABLE quality_decisions (
    decision_id    TEXT NOT NULL,
    sheet_id       TEXT NOT NULL REFERENCES sheets (id),
    item_ref       TEXT NOT NULL,
    decision       TEXT NOT NULL CHECK (decision IN ('set_aside', 'accept', 'reopen')),
    reason         TEXT NOT NULL,
    quality_run_id TEXT NOT NULL DEFAULT '',
    decided_by     TEXT NOT NULL,
    decided_at     TIMESTAMP NOT NULL,
    PRIMARY KEY (decision_id, item_ref)
);
CREATE INDEX quality_decisions_by_item ON quality_decisions (sheet_id, item_ref, decided_at);
