-- What people and checks say is wrong with a pair, as a JSON list of words.
ALTER TABLE pairs ADD COLUMN quality_flags TEXT NOT NULL DEFAULT '[]';

-- What the review desk pages and counts by, without reading the pairs themselves, whose questions are long: status,
-- source and position of all pairs, and what is special about the few that have flags, errors or usage limits.
DROP INDEX pairs_by_status;
CREATE INDEX pairs_by_status ON pairs (
    training_sheet_id, review_status, sequence_number, response_source, was_auto_approved
);
CREATE INDEX pairs_special ON pairs (
    training_sheet_id, review_status, sequence_number, response_source, quality_flags, prohibited_uses, allowed_uses,
    generation_error
) WHERE quality_flags <> '[]' OR prohibited_uses <> '[]'
    OR allowed_uses <> '["training", "validation", "evaluation", "testing", "few_shot"]' OR generation_error <> '';

-- A step of a person in the review of a training sheet, which undo takes back and redo does again: one decision, or a
-- bulk decision about many pairs. number orders the steps of a person. A step that can neither be undone nor redone any
-- more is final. While a run carries out, undoes or redoes a large step, work says which, and position how far it is.
CREATE TABLE review_steps (
    id                TEXT PRIMARY KEY,
    training_sheet_id TEXT NOT NULL REFERENCES training_sheets (id) ON DELETE CASCADE,
    by_user           TEXT NOT NULL,
    number            BIGINT NOT NULL,
    action            TEXT NOT NULL,
    status            TEXT NOT NULL DEFAULT 'done' CHECK (status IN ('done', 'undone', 'final')),
    pairs             BIGINT NOT NULL DEFAULT 1,
    replaces_labels   BOOLEAN NOT NULL DEFAULT FALSE,
    request           TEXT NOT NULL DEFAULT '{}',
    work              TEXT NOT NULL DEFAULT '' CHECK (work IN ('', 'do', 'undo', 'redo')),
    run_id            TEXT NOT NULL DEFAULT '',
    position          TEXT NOT NULL DEFAULT '',
    skipped           TEXT NOT NULL DEFAULT '{}',
    made_at           TIMESTAMP NOT NULL,
    undone_at         TIMESTAMP
);
CREATE INDEX review_steps_by_person ON review_steps (training_sheet_id, by_user, number);

-- changes is a JSON object of the columns of the pair that the decision changed: name, former and new value. A decision
-- that was undone and done again has a row of its own for the second time; redone_at says so at the first one.
ALTER TABLE pair_reviews ADD COLUMN step_id TEXT;
ALTER TABLE pair_reviews ADD COLUMN changes TEXT NOT NULL DEFAULT '';
ALTER TABLE pair_reviews ADD COLUMN redone_at TIMESTAMP;
INSERT INTO review_steps (id, training_sheet_id, by_user, number, action, status, made_at, undone_at)
SELECT id, training_sheet_id, by_user,
    ROW_NUMBER() OVER (PARTITION BY training_sheet_id, by_user ORDER BY reviewed_at, id DESC), action,
    CASE WHEN undone_at IS NULL THEN 'done' ELSE 'final' END, reviewed_at, undone_at
FROM pair_reviews
WHERE action <> 'generate' AND training_sheet_id IN (SELECT id FROM training_sheets);
UPDATE pair_reviews SET step_id = id WHERE action <> 'generate';
CREATE INDEX pair_reviews_by_step ON pair_reviews (step_id, pair_id);

-- What a pair could be used for before a step changed it.
CREATE TABLE former_usages (
    step_id         TEXT NOT NULL REFERENCES review_steps (id) ON DELETE CASCADE,
    pair_id         TEXT NOT NULL REFERENCES pairs (id) ON DELETE CASCADE,
    allowed_uses    TEXT NOT NULL,
    prohibited_uses TEXT NOT NULL,
    usage_reason    TEXT NOT NULL,
    classification  TEXT NOT NULL,
    PRIMARY KEY (step_id, pair_id)
);
CREATE INDEX former_usages_by_pair ON former_usages (pair_id);

-- The answer that a person is writing and has not decided on; row_version is the pair's when they began.
CREATE TABLE pair_drafts (
    pair_id     TEXT NOT NULL REFERENCES pairs (id) ON DELETE CASCADE,
    by_user     TEXT NOT NULL,
    answer      TEXT NOT NULL CHECK (answer <> ''),
    row_version INTEGER NOT NULL,
    saved_at    TIMESTAMP NOT NULL,
    PRIMARY KEY (pair_id, by_user)
);

-- What people write to each other about a pair.
CREATE TABLE pair_comments (
    id         TEXT PRIMARY KEY,
    pair_id    TEXT NOT NULL REFERENCES pairs (id) ON DELETE CASCADE,
    by_user    TEXT NOT NULL,
    text       TEXT NOT NULL CHECK (text <> ''),
    created_at TIMESTAMP NOT NULL
);
CREATE INDEX pair_comments_by_pair ON pair_comments (pair_id, created_at);
