-- What else an author says of a template: its model, what its placeholders mean, the columns it expects, how its pairs
-- may be used.
ALTER TABLE prompt_templates ADD COLUMN model TEXT NOT NULL DEFAULT '';
ALTER TABLE prompt_templates ADD COLUMN inputs TEXT NOT NULL DEFAULT '[]';
ALTER TABLE prompt_templates ADD COLUMN feature_columns TEXT NOT NULL DEFAULT '[]';
ALTER TABLE prompt_templates ADD COLUMN target_column TEXT NOT NULL DEFAULT '';
ALTER TABLE prompt_templates ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';
ALTER TABLE prompt_templates ADD COLUMN allowed_uses TEXT NOT NULL
    DEFAULT '["training", "validation", "evaluation", "testing", "few_shot"]';
ALTER TABLE prompt_templates ADD COLUMN prohibited_uses TEXT NOT NULL DEFAULT '[]';
ALTER TABLE prompt_templates ADD COLUMN usage_reason TEXT NOT NULL DEFAULT '';
ALTER TABLE prompt_templates ADD COLUMN classification TEXT NOT NULL DEFAULT 'internal';
-- The template that a sheet is worked with, as it was when it was attached, and which columns fill its placeholders.
CREATE TABLE attached_templates (
    sheet_id           TEXT PRIMARY KEY REFERENCES sheets (id),
    prompt_template_id TEXT NOT NULL REFERENCES prompt_templates (id),
    template_version   TEXT NOT NULL,
    template_snapshot  TEXT NOT NULL,
    mapping            TEXT NOT NULL DEFAULT '{}',
    answer_source      TEXT NOT NULL,
    answer_column      TEXT NOT NULL DEFAULT '',
    attached_by        TEXT NOT NULL,
    attached_at        TIMESTAMP NOT NULL
);
CREATE INDEX attached_templates_by_template ON attached_templates (prompt_template_id);
