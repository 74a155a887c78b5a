"""Databricks: this version has no adapter for it, and says so when it is asked for."""
