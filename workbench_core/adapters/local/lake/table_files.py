"""CSV and Parquet files that become tables: checked, then written as Parquet beside their place."""

from __future__ import annotations

from pathlib import Path

import duckdb
from sqlglot import exp

from workbench_core.adapters.local.lake.csv_tables import check_names, csv_relation, csv_shape
from workbench_core.adapters.local.lake.engine import DIALECT, connect, first_line, reader
from workbench_core.errors import Invalid

CSV_ENDINGS = (".csv", ".tsv", ".txt")


def check_file(file: Path, *, original_name: str, max_bytes: int) -> None:
    """Raise Invalid for a file that is too large, empty, or neither CSV nor Parquet by its name."""
    if not file.is_file():
        raise Invalid(f"“{original_name}” is not there.", hint="Choose the file again.")
    size = file.stat().st_size
    if size == 0:
        raise Invalid("The file is empty.", hint="Choose a file with column names and rows.")
    if size > max_bytes:
        raise Invalid(
            f"The file has {size / 1e6:,.1f} MB; at most {max_bytes / 1e6:,.1f} MB can be taken.",
            hint="Split the file, or save it as Parquet, which is smaller.",
        )
    if Path(original_name).suffix.lower() not in (*CSV_ENDINGS, ".parquet"):
        raise Invalid(f"“{original_name}” is neither CSV nor Parquet.", hint="Save it as CSV UTF-8 or as Parquet.")


def write_parquet(file: Path, target: Path, *, original_name: str) -> None:
    """Write a CSV or Parquet file as Parquet to a new path. Raises Invalid naming line and reason, or column."""
    with connect(folders=[target.parent], files=[file]) as connection:
        if Path(original_name).suffix.lower() == ".parquet":
            rows = _parquet_rows(file)
        else:
            rows = csv_relation(file, csv_shape(connection, file))
        try:
            written = connection.execute(_copy(rows, target)).fetchone()
        except duckdb.Error as error:
            raise Invalid(
                f"The file cannot be made a table: {first_line(error)}.",
                hint="Save the file again, or check the free space of the workbench's folder.",
            ) from error
    if not written or not written[0]:
        raise Invalid("The file has column names but no rows.", hint="Choose a file with rows.")


def _parquet_rows(file: Path) -> exp.Select:
    """All rows of a Parquet file. Raises Invalid when it is none, or when a column has no name or another's."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = pq.read_schema(file).names
    except (pa.ArrowException, OSError) as error:
        raise Invalid(
            "The file is not a Parquet file, or it is damaged.",
            hint="Save it as Parquet again; a CSV file must be named .csv.",
        ) from error
    if not names:
        raise Invalid("The file has no columns.", hint="Choose a file with columns and rows.")
    check_names(names)
    return exp.select("*").from_(reader("read_parquet", file))


def _copy(rows: exp.Select, target: Path) -> str:
    path = exp.Literal.string(str(target)).sql(dialect=DIALECT)
    return f"COPY ({rows.sql(dialect=DIALECT)}) TO {path} (FORMAT parquet, COMPRESSION zstd)"
