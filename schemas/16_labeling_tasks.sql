-- Work made from a gap: the items to label, with the held-out part set aside before anybody labels.
CREATE TABLE labeling_tasks (
    id                TEXT PRIMARY KEY,
    gap_id            TEXT NOT NULL REFERENCES gaps (id),
    training_sheet_id TEXT NOT NULL REFERENCES training_sheets (id),
    title             TEXT NOT NULL,
    instructions      TEXT NOT NULL DEFAULT '',
    assigned_to       TEXT NOT NULL DEFAULT '',
    priority          TEXT NOT NULL CHECK (priority IN ('low', 'medium', 'high', 'critical')),
    status            TEXT NOT NULL CHECK (status IN ('pending', 'assigned', 'in_progress', 'review', 'completed', 'cancelled')),
    note              TEXT NOT NULL DEFAULT '',
    row_version       INTEGER NOT NULL DEFAULT 1,
    created_by        TEXT NOT NULL,
    created_at        TIMESTAMP NOT NULL,
    completed_at      TIMESTAMP
);
CREATE UNIQUE INDEX labeling_tasks_one_open ON labeling_tasks (gap_id) WHERE status NOT IN ('completed', 'cancelled');
CREATE TABLE labeling_task_items (
    task_id  TEXT NOT NULL REFERENCES labeling_tasks (id),
    item_ref TEXT NOT NULL,
    part     TEXT NOT NULL CHECK (part IN ('train', 'held_out')),
    PRIMARY KEY (task_id, item_ref)
);
