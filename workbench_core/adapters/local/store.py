"""The store of the embedded default: a SQLite file, or the PostgreSQL that WORKBENCH_STORE_URL names."""

from __future__ import annotations

from pathlib import Path

from workbench_core.adapters.store import open_store
from workbench_core.ports import Store
from workbench_core.settings import Settings

SCHEMAS = Path(__file__).resolve().parents[3] / "schemas"


def store(settings: Settings) -> Store:
    """Open the store of these settings, with its tables up to date."""
    return open_store(settings.store_url, schemas=SCHEMAS)
