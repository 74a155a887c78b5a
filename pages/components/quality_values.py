"""Values that a run found and what a check demands of them, as people read them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from pages.components.records import cell_text
from pages.components.words import counted
from workbench_core import cached
from workbench_core.catalog import Column
from workbench_core.data_quality import Criticality, RuleOutcome
from workbench_core.data_quality.results import ItemKind, QualityRun
from workbench_core.sheets import Sheet

EMPTY = "–"
SYMBOLS: Mapping[Criticality, str] = {Criticality.ERROR: "✕", Criticality.WARN: "△"}
LEGEND = "✕ errors, △ warnings."
_MISSING = ("", "null", "None", "nan", "NaN", "NaT", "<NA>")
_VERBS = (
    ("does not ", "not "), ("is ", "be "), ("has ", "have "), ("lies ", "lie "), ("matches ", "match "),
    ("names ", "name "), ("meets ", "meet "), ("fails ", "fail "), ("can ", ""),
)  # fmt: skip
_NAMING = {"year", "id", "code", "zip", "postcode"}
_SCANNED = {
    ItemKind.DUPLICATES: "duplicate", ItemKind.NEAR_DUPLICATES: "near-duplicate", ItemKind.OUTLIERS: "outlier",
}  # fmt: skip


def kinds_of(sheet: Sheet) -> dict[str, str]:
    """What kind of values each column of a sheet has; numbers that only name something are none to group."""
    return {column.name: kind_of(column) for column in cached.sheet_columns(sheet.id)}


def kind_of(column: Column) -> str:
    """The kind of a column; the numbers of a year or an identifier are a code."""
    return "code" if column.kind == "number" and names_something(column.name) else column.kind


def names_something(column: str) -> bool:
    """Whether the numbers of a column are names: a year 2013 has no thousands."""
    return re.split(r"[^a-z]+", column.lower())[-1] in _NAMING


def shown(value: object, kind: str = "") -> str:
    """A value with its digits in groups or as a time in words; a dash for none."""
    if isinstance(value, datetime):
        return moment(value)
    text = cell_text(value)
    if text in _MISSING:
        return EMPTY
    if kind == "number" and text == str(value):
        return number(text)
    return time_words(text) if kind == "time" else text


def number(text: str) -> str:
    """A number with its digits in groups; an infinite one as ∞; any other text as it stands."""
    if text.lstrip("-") in {"inf", "Infinity"}:
        return "-∞" if text.startswith("-") else "∞"
    whole, point, rest = text.partition(".")
    if not whole.lstrip("-").isdigit() or (point and not rest.isdigit()):
        return text
    return f"{'-' if whole.startswith('-') else ''}{int(whole.lstrip('-')):,}{point}{rest}".removesuffix(".0")


def time_words(text: str) -> str:
    """A time as people read it, 1 Jan 2013, 20:00 UTC; any other text as it stands."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return text
    return moment(found, has_time=len(text) > len("2013-01-01"))


def moment(found: datetime, *, has_time: bool = True) -> str:
    """A time in words; one without a zone stays without."""
    zone = "" if found.tzinfo is None else " UTC"
    at = found if found.tzinfo is None else found.astimezone(UTC)
    clock = f"{at:%H:%M:%S}" if at.second else f"{at:%H:%M}"
    return f"{at.day} {at:%b %Y}" + (f", {clock}{zone}" if has_time else "")


def demand(meaning: str, columns: str, words: Mapping[str, str]) -> str:
    """What should be, as a clause: “dep_time should have a value” for “dep_time has a value”."""
    named = ", ".join(words.get(name, name) for name in columns.split(", "))
    subjects = {columns: named, f"the combination of {columns}": f"the combination of {named}"} if columns else {}
    for subject, said in {**subjects, "every row": "every row"}.items():
        rest = meaning.removeprefix(f"{subject} ")
        for verb, plain_form in _VERBS:
            if rest != meaning and rest.startswith(verb):
                rest = rest.removeprefix(verb).replace(", or has no", ", or have no").replace(", and is", ", and be")
                return f"{said} should {plain_form}{rest}"
    return f"Should hold: {meaning}"


def scanned_as(kind: ItemKind) -> str:
    """What a scan calls one item that it found."""
    return _SCANNED.get(kind, "failing")


def found_beside(run: QualityRun) -> list[str]:
    """What a run found beside the rules, in words."""
    return [counted(scan.items, scanned_as(kind)) for kind, scan in run.scans.items() if not scan.refused]


def severity_badge(outcome: RuleOutcome) -> str:
    """How severe a failure of a check is, marked apart where nothing failed: there is no cause for alarm."""
    title = "Error" if outcome.criticality is Criticality.ERROR else "Warning"
    return title if outcome.failed else f"{title}\u2060"


SEVERITIES = ("Error", "Warning", "Error\u2060", "Warning\u2060")
SEVERITY_COLORS = ("red", "orange", "gray", "gray")


def with_symbols(outcomes: Sequence[RuleOutcome]) -> list[str]:
    """The names of checks, each with the symbol of its severity: colours alone can hardly be told apart."""
    return [f"{SYMBOLS[one.criticality]} {one.name}" for one in outcomes]
