"""Databricks: language models behind Model Serving; this version has no adapter for a whole Databricks backend."""
