"""Rows as one Parquet file that is the same in every run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path

import duckdb

from demo_sources.mail import Mail
from demo_sources.pictures import Picture
from demo_sources.questions import Question

COLUMN_TYPES: Mapping[str, str] = {"sent_at": "TIMESTAMPTZ"}


def write_parquet(rows: list[Mail] | list[Question] | list[Picture], path: Path) -> None:
    """Write the rows as one zstd Parquet file, text columns as VARCHAR, and print its SHA-256."""
    names = [field.name for field in fields(rows[0])]
    columns = ", ".join(f'"{name}" {COLUMN_TYPES.get(name, "VARCHAR")}' for name in names)
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"CREATE TABLE shipped ({columns})")
        marks = ", ".join("?" * len(names))
        connection.executemany(f"INSERT INTO shipped VALUES ({marks})", [list(asdict(row).values()) for row in rows])
        connection.execute(f"COPY shipped TO '{path}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 15)")
    print(f'    "{path.name}": "{hashlib.sha256(path.read_bytes()).hexdigest()}",  # {len(rows)} rows')
