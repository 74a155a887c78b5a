"""The words of canonical labels: the label, its versions, what is asked for and what comes back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from workbench_core import rows, usage
from workbench_core.errors import Invalid
from workbench_core.metrics import parse_answer
from workbench_core.ports import Row
from workbench_core.usage import UsageRules

MAX_ANSWER = 1_000_000  # characters
HIGH_CONFIDENCE = 0.95
CHUNK = 5_000  # bound parameters in one statement; SQLite takes 32,766
LABEL_COLUMNS = (
    "id, sheet_id, item_ref, label_type, answer, confidence, notes, labeling_mode, training_sheet_id, "
    "prompt_template_id, version, reuse_count, last_reused_at, allowed_uses, prohibited_uses, usage_reason, "
    "classification, labeled_by, labeled_at, updated_by, updated_at"
)


class LabelingMode(StrEnum):
    """How a label came about (spec 1.5)."""

    DURING_REVIEW = "during_review"
    STANDALONE_TOOL = "standalone_tool"
    BULK_IMPORT = "bulk_import"
    LABELING_JOB = "labeling_job"


@dataclass(frozen=True, slots=True)
class LabelEntry:
    """The answer to record for one item."""

    item_ref: str
    answer: str
    usage: UsageRules = usage.ALL_USES
    confidence: float = HIGH_CONFIDENCE
    notes: str = ""


@dataclass(frozen=True, slots=True)
class CanonicalLabel:
    """The ground truth of one item for one label type (INV-1)."""

    id: str
    sheet_id: str
    item_ref: str
    label_type: str
    answer: str
    confidence: float
    notes: str
    labeling_mode: LabelingMode
    training_sheet_id: str
    prompt_template_id: str
    version: int
    reuse_count: int
    last_reused_at: datetime | None
    usage: UsageRules
    labeled_by: str
    labeled_at: datetime
    updated_by: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class LabelVersion:
    """One version of a label, the present one included; `reason` says why it was written."""

    version: int
    answer: str
    confidence: float
    usage: UsageRules
    reason: str
    modified_by: str
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class RecordResult:
    """What became of each entry, by item: created, updated, linked to an equal label, or in conflict with another.

    `ids` and `versions` tell the label of every item that is not in conflict.
    """

    created: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    linked: tuple[str, ...] = ()
    conflicts: Mapping[str, str] = field(default_factory=dict)
    ids: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LabelFilter:
    """Which labels to list; empty parts do not restrict (CL-7)."""

    sheet_id: str = ""
    label_type: str = ""
    search: str = ""
    labeled_by: str = ""
    minimum_reuse: int = 0


@dataclass(frozen=True, slots=True)
class Coverage:
    """How far a sheet is labelled for one label type; `share` is between 0 and 1."""

    label_type: str
    labelled: int
    items: int
    reused: int

    @property
    def share(self) -> float:
        """Labelled items over all items."""
        return min(1.0, self.labelled / self.items) if self.items else 0.0

    @property
    def average_reuse(self) -> float:
        """Pairs made from these labels without new work, for each label."""
        return self.reused / self.labelled if self.labelled else 0.0


@dataclass(frozen=True, slots=True)
class LabelStats:
    """What the labels of a sheet are (CL-11): coverage per label type, then counts of the labels by what they carry.

    Confidence is high from 0.9 on, medium from 0.7, else low. `most_reused` holds at most ten.
    """

    coverage: tuple[Coverage, ...]
    by_confidence: Mapping[str, int]
    by_classification: Mapping[str, int]
    contributors: Mapping[str, int]
    most_reused: tuple[CanonicalLabel, ...]

    @property
    def total(self) -> int:
        """All labels of these types."""
        return sum(one.labelled for one in self.coverage)

    @property
    def average_reuse(self) -> float:
        """Pairs made from these labels without new work, for each label."""
        return sum(one.reused for one in self.coverage) / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True)
class LabelUse:
    """Where a label is used: pairs and the training sheets that hold them (CL-10)."""

    pairs: int
    training_sheets: int


def same_answer(left: str, right: str) -> bool:
    """Whether two answers say the same: equal texts but for outer spaces, or equal JSON objects or lists."""
    if left.strip() == right.strip():
        return True
    if not (left.lstrip()[:1] in "{[" and right.lstrip()[:1] in "{["):
        return False
    try:
        return parse_answer(left) == parse_answer(right)
    except ValueError:
        return False


def checked_answer(answer: str) -> str:
    """The answer without outer spaces. Raises Invalid when it is empty or longer than 1 MB."""
    trimmed = answer.strip()
    if not trimmed:
        raise Invalid("The answer is empty.", hint="Type or choose an answer first.")
    if len(trimmed) > MAX_ANSWER:
        raise Invalid(f"The answer has {len(trimmed):,} characters, more than {MAX_ANSWER:,}.", hint="Shorten it.")
    return trimmed


def checked_rules(rules: UsageRules) -> UsageRules:
    """Usage rules that a person sets: with a reason, without overlap. Raises Invalid (INV-6, TS-12)."""
    if not rules.reason.strip():
        raise Invalid("The reason is missing.", hint="Say why these uses are allowed or prohibited.")
    return usage.checked(rules.allowed, rules.prohibited, rules.classification, rules.reason)


def chunks(values: Iterable[str], *, size: int = CHUNK) -> Iterator[list[str]]:
    """The distinct values in lists that fit into one statement."""
    distinct = list(dict.fromkeys(values))
    for start in range(0, len(distinct), size):
        yield distinct[start : start + size]


def checked_entries(entries: Sequence[LabelEntry]) -> list[LabelEntry]:
    """Entries with trimmed answers. Raises Invalid naming the item: no answer, too long, given twice."""
    repeated = [ref for ref, times in Counter(entry.item_ref for entry in entries).items() if times > 1]
    if repeated:
        raise Invalid(f"Item {repeated[0]} appears more than once.", hint="Give each item one answer.")
    return [_checked_entry(entry) for entry in entries]


def _checked_entry(entry: LabelEntry) -> LabelEntry:
    try:
        answer = checked_answer(entry.answer)
    except Invalid as error:
        raise Invalid(f"Item {entry.item_ref}: {error.message}", hint=error.hint) from None
    if not entry.item_ref:
        raise Invalid("An entry names no item.", hint="Give every label its item.")
    return LabelEntry(entry.item_ref, answer, entry.usage, entry.confidence, entry.notes)


def version_from(row: Row) -> LabelVersion:
    """Read one version of a label."""
    return LabelVersion(
        version=rows.whole(row, "version"),
        answer=rows.text(row, "answer"),
        confidence=rows.number(row, "confidence"),
        usage=usage.from_row(row),
        reason=rows.text(row, "reason"),
        modified_by=rows.text(row, "modified_by"),
        modified_at=rows.time(row, "modified_at"),
    )


def label_from(row: Row) -> CanonicalLabel:
    """Read a label out of a row with `LABEL_COLUMNS`; a generation reads a hundred thousand of them."""
    return CanonicalLabel(
        id=str(row["id"]),
        sheet_id=str(row["sheet_id"]),
        item_ref=str(row["item_ref"]),
        label_type=str(row["label_type"]),
        answer=str(row["answer"]),
        confidence=rows.number(row, "confidence"),
        notes=str(row["notes"]),
        labeling_mode=LabelingMode(rows.text(row, "labeling_mode")),
        training_sheet_id=rows.text(row, "training_sheet_id"),
        prompt_template_id=rows.text(row, "prompt_template_id"),
        version=rows.whole(row, "version"),
        reuse_count=rows.whole(row, "reuse_count"),
        last_reused_at=rows.time_or_none(row, "last_reused_at"),
        usage=usage.from_row(row),
        labeled_by=str(row["labeled_by"]),
        labeled_at=rows.time(row, "labeled_at"),
        updated_by=str(row["updated_by"]),
        updated_at=rows.time(row, "updated_at"),
    )
