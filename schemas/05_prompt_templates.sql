-- A prompt template: a versioned recipe that turns rows into questions and answers. Published versions never change.
CREATE TABLE prompt_templates (
    id             TEXT PRIMARY KEY,
    lineage_id     TEXT NOT NULL,
    parent_id      TEXT REFERENCES prompt_templates (id),
    name           TEXT NOT NULL,
    description    TEXT NOT NULL DEFAULT '',
    label_type     TEXT NOT NULL,
    system_prompt  TEXT NOT NULL DEFAULT '',
    user_prompt    TEXT NOT NULL,
    label_classes  TEXT NOT NULL DEFAULT '[]',
    output_schema  TEXT NOT NULL DEFAULT '[]',
    examples       TEXT NOT NULL DEFAULT '[]',
    answer_source  TEXT NOT NULL DEFAULT 'manual',
    temperature    DOUBLE PRECISION NOT NULL DEFAULT 0,
    max_tokens     INTEGER NOT NULL DEFAULT 256,
    version        TEXT NOT NULL,
    status         TEXT NOT NULL CHECK (status IN ('draft', 'published', 'archived')),
    is_demo        BOOLEAN NOT NULL DEFAULT FALSE,
    row_version    INTEGER NOT NULL DEFAULT 1,
    created_by     TEXT NOT NULL,
    created_at     TIMESTAMP NOT NULL,
    updated_by     TEXT NOT NULL,
    updated_at     TIMESTAMP NOT NULL,
    UNIQUE (lineage_id, version)
);
CREATE UNIQUE INDEX prompt_templates_one_draft ON prompt_templates (lineage_id) WHERE status = 'draft';
