-- One supervised example of a training sheet: the question, the answer, and what an expert decided about it.
CREATE TABLE pairs (
    id                 TEXT PRIMARY KEY,
    training_sheet_id  TEXT NOT NULL REFERENCES training_sheets (id),
    sheet_id           TEXT NOT NULL REFERENCES sheets (id),
    item_ref           TEXT NOT NULL,
    sequence_number    INTEGER NOT NULL,
    variables          TEXT NOT NULL,
    messages           TEXT NOT NULL,
    answer             TEXT NOT NULL DEFAULT '',
    original_answer    TEXT,
    response_source    TEXT NOT NULL CHECK (response_source IN ('empty', 'imported', 'ai_generated', 'human_labeled', 'human_verified', 'canonical')),
    review_status      TEXT NOT NULL CHECK (review_status IN ('pending', 'approved', 'edited', 'rejected', 'flagged')),
    was_auto_approved  BOOLEAN NOT NULL DEFAULT FALSE,
    canonical_label_id TEXT REFERENCES canonical_labels (id),
    reviewed_by        TEXT NOT NULL DEFAULT '',
    reviewed_at        TIMESTAMP,
    review_note        TEXT NOT NULL DEFAULT '',
    quality_score      DOUBLE PRECISION,
    allowed_uses       TEXT NOT NULL,
    prohibited_uses    TEXT NOT NULL,
    usage_reason       TEXT NOT NULL DEFAULT '',
    classification     TEXT NOT NULL,
    generation_error   TEXT NOT NULL DEFAULT '',
    generation_details TEXT NOT NULL DEFAULT '{}',
    row_version        INTEGER NOT NULL DEFAULT 1,
    created_at         TIMESTAMP NOT NULL,
    updated_at         TIMESTAMP NOT NULL,
    UNIQUE (training_sheet_id, item_ref)
);
CREATE INDEX pairs_by_status ON pairs (training_sheet_id, review_status, sequence_number);
CREATE INDEX pairs_by_item ON pairs (sheet_id, item_ref);
CREATE INDEX pairs_by_label ON pairs (canonical_label_id);
-- Every decision about a pair, with the answer it was taken on. Undo reads the newest one that is not undone.
-- row_version is the pair's after the decision; label_version is the version of the canonical label that the decision
-- wrote, empty when it wrote none.
CREATE TABLE pair_reviews (
    id                TEXT PRIMARY KEY,
    pair_id           TEXT NOT NULL REFERENCES pairs (id),
    training_sheet_id TEXT NOT NULL,
    action            TEXT NOT NULL,
    note              TEXT NOT NULL DEFAULT '',
    status_before     TEXT NOT NULL,
    status_after      TEXT NOT NULL,
    answer_before     TEXT NOT NULL,
    answer_after      TEXT NOT NULL,
    source_before     TEXT NOT NULL,
    label_before      TEXT,
    label_after       TEXT,
    label_version     INTEGER,
    row_version       INTEGER NOT NULL,
    by_user           TEXT NOT NULL,
    reviewed_at       TIMESTAMP NOT NULL,
    undone_at         TIMESTAMP,
    UNIQUE (pair_id, row_version)
);
CREATE INDEX pair_reviews_by_person ON pair_reviews (training_sheet_id, by_user, reviewed_at);
