-- What people said about one answer of an endpoint.
CREATE TABLE feedback (
    id            TEXT PRIMARY KEY,
    endpoint_id   TEXT NOT NULL REFERENCES endpoints (id),
    model_name    TEXT NOT NULL,
    version       INTEGER NOT NULL,
    request_id    TEXT NOT NULL,
    record_number INTEGER NOT NULL DEFAULT 0,
    sheet_id      TEXT NOT NULL DEFAULT '',
    item_ref      TEXT NOT NULL DEFAULT '',
    input         TEXT NOT NULL,
    output        TEXT NOT NULL,
    rating        TEXT NOT NULL CHECK (rating IN ('positive', 'negative')),
    correction    TEXT NOT NULL DEFAULT '',
    reason        TEXT NOT NULL DEFAULT '',
    comment       TEXT NOT NULL DEFAULT '',
    status        TEXT NOT NULL CHECK (status IN ('new', 'triaged', 'converted', 'dismissed')),
    created_by    TEXT NOT NULL,
    created_at    TIMESTAMP NOT NULL,
    UNIQUE (request_id, record_number, created_by)
);
CREATE INDEX feedback_by_endpoint ON feedback (endpoint_id, created_at);
