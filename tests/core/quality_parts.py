"""The flights of January 2013 as a sheet, as they are or with planted defects whose numbers are known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from tests.core.generation_parts import ANN, Parts
from workbench_core.data_quality import QualityRun, RuleDraft, ScanOptions
from workbench_core.demo.sources import data_folder
from workbench_core.ports import TableEntry
from workbench_core.sheets import Sheet, SheetDraft

FLIGHTS = "main.air.january"
PLANES = "main.air.planes"
SEED = 20130101
COLUMNS = (
    "carrier",
    "flight",
    "tailnum",
    "origin",
    "dest",
    "time_hour",
    "dep_time",
    "dep_delay",
    "air_time",
    "distance",
)
RULES = (
    RuleDraft("is_not_null", ("carrier",), name="carrier"),
    RuleDraft("is_in_range", ("distance",), {"min_limit": 1, "max_limit": 6000}, name="distance"),
    RuleDraft("is_unique", ("flight_id",), name="identifier"),
    RuleDraft("regex_match", ("dest",), {"regex": "^[A-Z]{3}$"}, name="destination"),
    RuleDraft("is_not_in_future", ("time_hour",), name="time"),
    RuleDraft("foreign_key", ("tailnum",), {"ref_table": PLANES, "ref_columns": ["tailnum"]}, name="plane"),
    RuleDraft("is_not_null", ("dep_time",), name="departed"),
)


@dataclass(frozen=True)
class Planted:
    """Which rows fail which rule, found out without the lake; `frame` are the flights with the defects in them."""

    frame: pd.DataFrame
    failing: dict[str, set[int]]

    @property
    def any_failing(self) -> set[int]:
        """The rows that fail at least one rule."""
        return set().union(*self.failing.values())


def january() -> pd.DataFrame:
    """The 27,004 flights as they are shipped."""
    return pd.read_parquet(data_folder() / "flights_january.parquet")


def planted(*, with_duplicates: bool = True) -> Planted:
    """Plant defects of every kind with a seed; some rows get several, so that failures and rows differ."""
    chance = np.random.default_rng(SEED)
    frame = january()
    known = set(pd.read_parquet(data_folder() / "flights_planes.parquet")["tailnum"])
    rows = chance.permutation(len(frame))
    failing = {
        "departed": set(np.flatnonzero(frame["dep_time"].isna())),
        "plane": set(np.flatnonzero(frame["tailnum"].notna() & ~frame["tailnum"].isin(known))),
    }
    plants = {"carrier": rows[:37], "distance": rows[20:49], "destination": rows[40:81], "time": rows[100:117]}
    frame.loc[plants["carrier"], "carrier"] = None
    frame.loc[plants["distance"], "distance"] = -frame.loc[plants["distance"], "distance"]
    frame.loc[plants["destination"], "dest"] = frame.loc[plants["destination"], "dest"].str.lower()
    frame.loc[plants["time"], "time_hour"] = pd.Timestamp("2099-05-01 12:00", tz="UTC")
    sound = [row for row in rows[200:] if frame["tailnum"][row] in known]
    frame.loc[sound[:53], "tailnum"] = [f"N0ORPHAN{number}" for number in range(53)]
    failing["plane"] |= set(sound[:53])
    failing |= {name: set(map(int, chosen)) for name, chosen in plants.items()}
    failing["identifier"] = set()
    if with_duplicates:
        copies, originals = rows[300:311], rows[400:411]
        frame.loc[copies, "flight_id"] = frame.loc[originals, "flight_id"].to_numpy()
        failing["identifier"] = {int(row) for row in (*copies, *originals)}
    return Planted(frame, failing)


class Flights(Parts):
    """All services over the flights and the planes."""

    def make_flights(self, frame: pd.DataFrame | None = None, *, publish: bool = True) -> Sheet:
        """The sheet over these flights, or over the real ones."""
        self.put_frame(FLIGHTS, january() if frame is None else frame)
        self.put_frame(PLANES, pd.read_parquet(data_folder() / "flights_planes.parquet"))
        sheet = self.sheets.create(SheetDraft("Flights", FLIGHTS, "flight_id", metadata_columns=COLUMNS), by=ANN)
        return self.sheets.move(sheet.id, "publish", by=ANN) if publish else sheet

    def put_frame(self, name: str, frame: pd.DataFrame) -> None:
        """Make a frame a table, in place of a former one."""
        file = Path(self.folder) / "table.parquet"
        frame.to_parquet(file)
        if name in {entry.name for entry in self.lake.tables()}:
            self.lake.drop(name)
        self.lake.put_table(name, file, original_name="table.parquet", entry=TableEntry(name, "table"))

    def check(self, sheet_id: str, *, options: ScanOptions | None = None) -> QualityRun:
        """Run the checks to their end."""
        self.data_quality.start(sheet_id, by=ANN, options=options or ScanOptions())
        self.work()
        run = self.data_quality.run_of(sheet_id)
        assert run is not None and run.status == "succeeded", run and run.error
        found = self.data_quality.latest(sheet_id)
        assert found is not None and found.run_id == run.id
        return found
