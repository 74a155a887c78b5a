-- Stored drift reports of an endpoint.
CREATE TABLE drift_reports (
    id            TEXT PRIMARY KEY,
    endpoint_id   TEXT NOT NULL REFERENCES endpoints (id),
    model_name    TEXT NOT NULL,
    version       INTEGER NOT NULL,
    window_start_at TIMESTAMP NOT NULL,
    window_end_at TIMESTAMP NOT NULL,
    request_count INTEGER NOT NULL,
    is_detected   BOOLEAN NOT NULL,
    severity      TEXT NOT NULL,
    features      TEXT NOT NULL,
    created_by    TEXT NOT NULL,
    created_at    TIMESTAMP NOT NULL
);
CREATE INDEX drift_reports_by_endpoint ON drift_reports (endpoint_id, created_at);
