-- A label set: the allowed answers of a label type, in versions. Published versions never change.
-- search_text holds in small letters what a search looks into.
CREATE TABLE label_sets (
    id              TEXT PRIMARY KEY,
    lineage_id      TEXT NOT NULL,
    parent_id       TEXT REFERENCES label_sets (id),
    name            TEXT NOT NULL,
    description     TEXT NOT NULL DEFAULT '',
    use_case        TEXT NOT NULL DEFAULT '',
    label_type      TEXT NOT NULL,
    classes         TEXT NOT NULL DEFAULT '[]',
    response_schema TEXT NOT NULL DEFAULT '{}',
    tags            TEXT NOT NULL DEFAULT '[]',
    allowed_uses    TEXT NOT NULL,
    prohibited_uses TEXT NOT NULL,
    usage_reason    TEXT NOT NULL DEFAULT '',
    classification  TEXT NOT NULL,
    may_serve       BOOLEAN NOT NULL DEFAULT TRUE,
    search_text     TEXT NOT NULL,
    version         TEXT NOT NULL,
    status          TEXT NOT NULL CHECK (status IN ('draft', 'published', 'archived')),
    is_demo         BOOLEAN NOT NULL DEFAULT FALSE,
    row_version     INTEGER NOT NULL DEFAULT 1,
    created_by      TEXT NOT NULL,
    created_at      TIMESTAMP NOT NULL,
    updated_by      TEXT NOT NULL,
    updated_at      TIMESTAMP NOT NULL,
    published_by    TEXT NOT NULL DEFAULT '',
    published_at    TIMESTAMP,
    UNIQUE (lineage_id, version)
);
CREATE UNIQUE INDEX label_sets_one_draft ON label_sets (lineage_id) WHERE status = 'draft';
CREATE INDEX label_sets_by_type ON label_sets (label_type, status);
-- the labels of a set are those of its label type, on all sheets
CREATE INDEX canonical_labels_by_type ON canonical_labels (label_type, updated_at, id);
