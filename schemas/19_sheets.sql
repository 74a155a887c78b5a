-- What a person changed on a sheet and did not save yet: one draft for each person and sheet, beside what it came from.
CREATE TABLE unsaved_sheets (
    sheet_id    TEXT NOT NULL REFERENCES sheets (id),
    person      TEXT NOT NULL,
    row_version INTEGER NOT NULL,
    base        TEXT NOT NULL,
    draft       TEXT NOT NULL,
    changed_at  TIMESTAMP NOT NULL,
    PRIMARY KEY (sheet_id, person)
);
