-- Good answers of language models, by a digest of the whole question: the same question is paid for once.
CREATE TABLE model_answers (
    prompt_hash   TEXT PRIMARY KEY,
    model_name    TEXT NOT NULL,
    answer        TEXT NOT NULL CHECK (answer <> ''),
    is_repaired   BOOLEAN NOT NULL DEFAULT FALSE,
    characters_in INTEGER NOT NULL CHECK (characters_in >= 0),
    tokens_in     INTEGER NOT NULL CHECK (tokens_in >= 0),
    tokens_out    INTEGER NOT NULL CHECK (tokens_out >= 0),
    latency_ms    DOUBLE PRECISION NOT NULL CHECK (latency_ms >= 0),
    answered_at   TIMESTAMP NOT NULL
);
CREATE INDEX model_answers_by_model ON model_answers (model_name, answered_at);
