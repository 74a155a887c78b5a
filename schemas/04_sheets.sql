-- A sheet points at a table or volume of the lake and says what its columns are for. It never copies rows.
CREATE TABLE sheets (
    id               TEXT PRIMARY KEY,
    name             TEXT NOT NULL,
    description      TEXT NOT NULL DEFAULT '',
    source           TEXT NOT NULL,
    source_kind      TEXT NOT NULL CHECK (source_kind IN ('table', 'volume')),
    item_id_column   TEXT NOT NULL,
    text_columns     TEXT NOT NULL DEFAULT '[]',
    image_columns    TEXT NOT NULL DEFAULT '[]',
    metadata_columns TEXT NOT NULL DEFAULT '[]',
    filter           TEXT NOT NULL DEFAULT '',
    sample_size      INTEGER CHECK (sample_size > 0),
    sample_seed      INTEGER NOT NULL DEFAULT 42,
    stratify_column  TEXT NOT NULL DEFAULT '',
    tags             TEXT NOT NULL DEFAULT '[]',
    is_demo          BOOLEAN NOT NULL DEFAULT FALSE,
    status           TEXT NOT NULL CHECK (status IN ('draft', 'active', 'archived', 'deleted')),
    item_count       BIGINT,
    validated_at     TIMESTAMP,
    row_version      INTEGER NOT NULL DEFAULT 1,
    created_by       TEXT NOT NULL,
    created_at       TIMESTAMP NOT NULL,
    updated_by       TEXT NOT NULL,
    updated_at       TIMESTAMP NOT NULL
);
CREATE INDEX sheets_by_status ON sheets (status, updated_at);
