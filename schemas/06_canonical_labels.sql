-- The answer of one item for one label type, given once and reused everywhere.
CREATE TABLE canonical_labels (
    id                 TEXT PRIMARY KEY,
    sheet_id           TEXT NOT NULL REFERENCES sheets (id),
    item_ref           TEXT NOT NULL,
    label_type         TEXT NOT NULL,
    answer             TEXT NOT NULL CHECK (answer <> ''),
    confidence         DOUBLE PRECISION NOT NULL DEFAULT 0.95,
    notes              TEXT NOT NULL DEFAULT '',
    labeling_mode      TEXT NOT NULL,
    training_sheet_id  TEXT,
    prompt_template_id TEXT,
    version            INTEGER NOT NULL DEFAULT 1,
    reuse_count        INTEGER NOT NULL DEFAULT 0,
    last_reused_at     TIMESTAMP,
    allowed_uses       TEXT NOT NULL,
    prohibited_uses    TEXT NOT NULL,
    usage_reason       TEXT NOT NULL DEFAULT '',
    classification     TEXT NOT NULL,
    labeled_by         TEXT NOT NULL,
    labeled_at         TIMESTAMP NOT NULL,
    updated_by         TEXT NOT NULL,
    updated_at         TIMESTAMP NOT NULL,
    UNIQUE (sheet_id, label_type, item_ref)
);
CREATE TABLE canonical_label_versions (
    canonical_label_id TEXT NOT NULL REFERENCES canonical_labels (id),
    version            INTEGER NOT NULL,
    answer             TEXT NOT NULL,
    confidence         DOUBLE PRECISION NOT NULL,
    allowed_uses       TEXT NOT NULL,
    prohibited_uses    TEXT NOT NULL,
    classification     TEXT NOT NULL,
    reason             TEXT NOT NULL DEFAULT '',
    modified_by        TEXT NOT NULL,
    modified_at        TIMESTAMP NOT NULL,
    PRIMARY KEY (canonical_label_id, version)
);
