-- Exports of training sheets: what was asked for, and the manifest once the files are there. Files lie beside the store.
CREATE TABLE exports (
    id                TEXT PRIMARY KEY,
    training_sheet_id TEXT NOT NULL REFERENCES training_sheets (id) ON DELETE CASCADE,
    format            TEXT NOT NULL,
    request           TEXT NOT NULL,
    requested_by      TEXT NOT NULL,
    requested_at      TIMESTAMP NOT NULL,
    finished_at       TIMESTAMP,
    exported_pairs    BIGINT NOT NULL DEFAULT 0,
    manifest          TEXT NOT NULL DEFAULT ''
);
CREATE INDEX exports_by_sheet ON exports (training_sheet_id, requested_at);
