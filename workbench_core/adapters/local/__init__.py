"""The embedded default: SQLite or PostgreSQL, DuckDB, llama.cpp, scikit-learn, MLflow; no account, no network."""
