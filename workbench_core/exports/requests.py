"""What a person asks for when a training sheet is exported, and what stands in the list of exports."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from workbench_core import rows
from workbench_core.eligibility import Excluded
from workbench_core.errors import Invalid
from workbench_core.pairs import ResponseSource
from workbench_core.ports import Json, Row
from workbench_core.runs import Run
from workbench_core.training_gate import Split
from workbench_core.usage import Use

MOST_SEED = 2**32 - 1
PARTS = (Split.TRAIN, Split.VALIDATION, Split.TEST)
DEFAULT_SOURCES = (ResponseSource.HUMAN_LABELED, ResponseSource.HUMAN_VERIFIED, ResponseSource.CANONICAL)
_BAD_FOLDER = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]|^[A-Za-z]:")


class ExportFormat(StrEnum):
    """The shape of the records (TS-17)."""

    OPENAI_CHAT = "openai_chat"
    ANTHROPIC = "anthropic"
    ANTHROPIC_MESSAGES = "anthropic_messages"
    GEMINI = "gemini"
    GEMINI_VERTEX = "gemini_vertex"
    CSV = "csv"
    PARQUET = "parquet"

    @property
    def ending(self) -> str:
        """The ending of its files."""
        return self.value if self in {ExportFormat.CSV, ExportFormat.PARQUET} else "jsonl"


@dataclass(frozen=True, slots=True)
class PartShares:
    """How the items are divided, in whole percent that add up to 100."""

    train: int = 80
    validation: int = 10
    test: int = 10

    @property
    def by_part(self) -> dict[Split, int]:
        """The percent of each part that is to have any."""
        shares = zip(PARTS, (self.train, self.validation, self.test), strict=True)
        return {part: share for part, share in shares if share}

    def checked(self) -> PartShares:
        """These shares. Raises Invalid when they do not add up to 100 %."""
        values = (self.train, self.validation, self.test)
        if min(values) < 0 or sum(values) != 100:
            raise Invalid(
                f"{self.train} %, {self.validation} % and {self.test} % cannot be the parts.",
                hint="Each is 0 or more, and together they are 100 %.",
            )
        return self


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """Which pairs go into which files.

    Without `shares` there is one file. Only approved and edited pairs are ever exported (INV-5); of these, those whose
    answer came from one of `sources`, that permit `intended_use`, and without quality flags when `exclude_flagged`. A
    minimum score above 0 also leaves out pairs without a score. Pairs with pictures stay out unless
    `text_without_pictures`: then their text goes alone. `for_spreadsheets` makes CSV harmless to open in one, and
    changes texts for that. The files are also put below `folder` of `volume` when one is named.
    """

    training_sheet_id: str
    format: ExportFormat
    sources: tuple[ResponseSource, ...] = DEFAULT_SOURCES
    exclude_flagged: bool = True
    with_system: bool = True
    shares: PartShares | None = None
    seed: int = 42
    stratify_by_label: bool = False
    intended_use: Use = Use.TRAINING
    minimum_score: float = 0.0
    text_without_pictures: bool = False
    for_spreadsheets: bool = False
    volume: str = ""
    folder: str = ""

    @property
    def is_split(self) -> bool:
        """Whether there is more than one part."""
        return self.shares is not None

    def checked(self) -> ExportRequest:
        """This request. Raises Invalid for what cannot be."""
        if self.shares is not None:
            self.shares.checked()
        if not self.sources:
            raise Invalid("No answer source is chosen.", hint="Choose at least one.")
        if not 0 <= self.seed <= MOST_SEED:
            raise Invalid(f"The seed must be between 0 and {MOST_SEED:,}.", hint="Choose another number.")
        if not 0 <= self.minimum_score <= 1:
            raise Invalid("The minimum score must be between 0 and 1.", hint="Choose another number.")
        _check_folder(self.folder)
        return self

    def to_json(self) -> dict[str, Json]:
        """The request as JSON; `request_from` reads it back."""
        shares = self.shares
        return {
            "training_sheet_id": self.training_sheet_id,
            "format": self.format.value,
            "sources": [source.value for source in ResponseSource if source in self.sources],
            "exclude_flagged": self.exclude_flagged,
            "with_system": self.with_system,
            "shares": {part.value: share for part, share in shares.by_part.items()} if shares else None,
            "seed": self.seed,
            "stratify_by_label": self.stratify_by_label,
            "intended_use": self.intended_use.value,
            "minimum_score": self.minimum_score,
            "text_without_pictures": self.text_without_pictures,
            "for_spreadsheets": self.for_spreadsheets,
            "volume": self.volume,
            "folder": self.folder,
        }


def request_from(stored: Mapping[str, Json]) -> ExportRequest:
    """A request from its JSON."""
    shares, sources = stored.get("shares"), stored.get("sources")
    return ExportRequest(
        training_sheet_id=str(stored["training_sheet_id"]),
        format=ExportFormat(str(stored["format"])),
        sources=tuple(ResponseSource(str(source)) for source in sources) if isinstance(sources, list) else (),
        exclude_flagged=bool(stored["exclude_flagged"]),
        with_system=bool(stored["with_system"]),
        shares=PartShares(*(int(str(shares.get(part.value, 0))) for part in PARTS))
        if isinstance(shares, dict)
        else None,
        seed=int(str(stored["seed"])),
        stratify_by_label=bool(stored["stratify_by_label"]),
        intended_use=Use(str(stored["intended_use"])),
        minimum_score=float(str(stored["minimum_score"])),
        text_without_pictures=bool(stored["text_without_pictures"]),
        for_spreadsheets=bool(stored["for_spreadsheets"]),
        volume=str(stored["volume"]),
        folder=str(stored["folder"]),
    )


def _check_folder(folder: str) -> None:
    """Raise Invalid for a path that could leave the folder of the catalog; the lake checks it again."""
    parts = folder.split("/") if folder else []
    if _BAD_FOLDER.search(folder) or any(part in {"", ".", ".."} for part in parts):
        raise Invalid(f"“{folder}” is not a folder inside the catalog.", hint="For example: exports/2026-03.")


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """One data file; `part` is empty when there is only one."""

    name: str
    part: str
    pairs: int
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ExportPreview:
    """What an export would hold: total = exported + all that is excluded.

    `by_part` is exact while `is_exact`, else in proportion. `formula_texts` is known only when the files are written.
    `pictures` counts exported pairs whose pictures stay behind.
    """

    total: int
    exported: int
    excluded: tuple[Excluded, ...]
    by_part: Mapping[str, int]
    is_exact: bool
    pictures: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Export:
    """One export; `manifest` is empty until its files are there."""

    id: str
    training_sheet_id: str
    request: ExportRequest
    requested_by: str
    requested_at: datetime
    finished_at: datetime | None
    exported_pairs: int
    manifest: Mapping[str, Json]
    run: Run | None = None

    @property
    def is_done(self) -> bool:
        """Whether its files can be taken."""
        return self.finished_at is not None

    @property
    def is_active(self) -> bool:
        """Whether it is being written, or waits for that."""
        return not self.is_done and self.run is not None and self.run.is_active

    @property
    def status(self) -> str:
        """Where it stands: done, or what its run says."""
        if self.is_done:
            return "done"
        return self.run.status.value if self.run else "interrupted"

    @property
    def files(self) -> tuple[WrittenFile, ...]:
        """The data files."""
        found = self.manifest.get("files")
        return tuple(_file_from(entry) for entry in found if isinstance(entry, dict)) if isinstance(found, list) else ()

    @property
    def manifest_name(self) -> str:
        """The name of the file that describes the others."""
        return str(self.manifest.get("manifest_name", ""))


def _file_from(stored: Mapping[str, Json]) -> WrittenFile:
    return WrittenFile(
        name=str(stored["name"]),
        part=str(stored["part"]),
        pairs=int(str(stored["pairs"])),
        size_bytes=int(str(stored["size_bytes"])),
        sha256=str(stored["sha256"]),
    )


def export_from(row: Row, run: Run | None) -> Export:
    """Read an export out of its row."""
    return Export(
        id=rows.text(row, "id"),
        training_sheet_id=rows.text(row, "training_sheet_id"),
        request=request_from(rows.json_object(row, "request")),
        requested_by=rows.text(row, "requested_by"),
        requested_at=rows.time(row, "requested_at"),
        finished_at=rows.time_or_none(row, "finished_at"),
        exported_pairs=rows.whole(row, "exported_pairs"),
        manifest=rows.json_object(row, "manifest"),
        run=run,
    )
