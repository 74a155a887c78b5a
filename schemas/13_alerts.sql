-- A standing condition on an endpoint, and each period during which it was breached.
CREATE TABLE alert_rules (
    id             TEXT PRIMARY KEY,
    name           TEXT NOT NULL,
    endpoint_id    TEXT NOT NULL REFERENCES endpoints (id),
    metric         TEXT NOT NULL,
    condition      TEXT NOT NULL CHECK (condition IN ('gt', 'gte', 'lt', 'lte')),
    threshold      DOUBLE PRECISION NOT NULL,
    window_minutes INTEGER NOT NULL,
    min_samples    INTEGER NOT NULL,
    for_periods    INTEGER NOT NULL,
    clear_periods  INTEGER NOT NULL,
    cooldown_minutes INTEGER NOT NULL,
    severity       TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    is_enabled     BOOLEAN NOT NULL DEFAULT TRUE,
    breached_periods INTEGER NOT NULL DEFAULT 0,
    healthy_periods  INTEGER NOT NULL DEFAULT 0,
    last_value     DOUBLE PRECISION,
    last_samples   INTEGER NOT NULL DEFAULT 0,
    evaluated_at   TIMESTAMP,
    row_version    INTEGER NOT NULL DEFAULT 1,
    created_by     TEXT NOT NULL,
    created_at     TIMESTAMP NOT NULL
);
CREATE TABLE incidents (
    id              TEXT PRIMARY KEY,
    rule_id         TEXT NOT NULL REFERENCES alert_rules (id),
    endpoint_id     TEXT NOT NULL REFERENCES endpoints (id),
    severity        TEXT NOT NULL,
    status          TEXT NOT NULL CHECK (status IN ('open', 'acknowledged', 'resolved')),
    message         TEXT NOT NULL,
    current_value   DOUBLE PRECISION NOT NULL,
    peak_value      DOUBLE PRECISION NOT NULL,
    opened_at       TIMESTAMP NOT NULL,
    acknowledged_by TEXT NOT NULL DEFAULT '',
    acknowledged_at TIMESTAMP,
    resolved_by     TEXT NOT NULL DEFAULT '',
    resolved_at     TIMESTAMP,
    resolution      TEXT NOT NULL DEFAULT '',
    note            TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX incidents_one_open ON incidents (rule_id) WHERE status IN ('open', 'acknowledged');
