-- One role for each person. A person without a row has the default role of the settings.
CREATE TABLE role_assignments (
    email       TEXT PRIMARY KEY,
    role        TEXT NOT NULL,
    assigned_by TEXT NOT NULL,
    assigned_at TIMESTAMP NOT NULL
);
