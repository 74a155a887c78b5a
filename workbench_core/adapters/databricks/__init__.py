"""The Databricks adapters will live here, with the names of `adapters/local`; this version has none yet."""
