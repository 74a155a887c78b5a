"""A rule: one check on one or more columns of a sheet, how serious a failure is, and where it came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from workbench_core import rows
from workbench_core.data_quality.check_functions import CHECK_FUNCTIONS, Scope, argument_problems, meaning_of
from workbench_core.ports import Column, Json, Row, RowCheck, Value
from workbench_core.text_encodings import is_encodable

MAX_NAME = 200
MAX_RULES = 500
MAX_FILTER = 5_000
MAX_JSON = 50_000
COLUMNS = (
    "id, sheet_id, name, criticality, function, columns, arguments, filter, origin, reason, user_metadata, is_enabled, "
    "row_version, created_by, created_at, updated_by, updated_at"
)


class Criticality(StrEnum):
    """Only an error makes a row fail; a warning is reported beside."""

    ERROR = "error"
    WARN = "warn"


class Origin(StrEnum):
    """Where a rule came from."""

    PROFILE = "profile"
    AI = "ai"
    MANUAL = "manual"
    IMPORTED = "imported"


@dataclass(frozen=True, slots=True)
class RuleDraft:
    """What a person, a profile, a model or a file says a rule is.

    A function that looks at one column is applied to each of `columns`; one that looks at several (is_unique,
    foreign_key) to all of them together. `arguments` are those beside the columns. Without a name it gets one.
    """

    function: str
    columns: tuple[str, ...] = ()
    arguments: Mapping[str, Json] = field(default_factory=dict)
    name: str = ""
    criticality: Criticality = Criticality.ERROR
    filter: str = ""
    origin: Origin = Origin.MANUAL
    reason: str = ""
    is_enabled: bool = True
    user_metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def meaning(self) -> str:
        """What the rule demands, as a sentence without its full stop."""
        return meaning_of(self.function, self.columns, self.arguments)

    @property
    def proposed_name(self) -> str:
        """Its name, else one made of columns and function."""
        made = "_".join((*self.columns[:3], *(["and_more"] if len(self.columns) > 3 else []), self.function))
        return self.name.strip() or made[:MAX_NAME]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a sheet as it is stored."""

    id: str
    sheet_id: str
    draft: RuleDraft
    row_version: int
    created_by: str
    created_at: datetime
    updated_by: str
    updated_at: datetime

    @property
    def name(self) -> str:
        """Its name, unique among the rules of the sheet."""
        return self.draft.name

    @property
    def is_enabled(self) -> bool:
        """Whether the next run makes it."""
        return self.draft.is_enabled


@dataclass(frozen=True, slots=True)
class PlannedCheck:
    """One check of a run: a rule on one column, or on its columns together."""

    rule: Rule
    check: RowCheck
    columns: tuple[str, ...]

    @property
    def meaning(self) -> str:
        """What it demands, as a sentence without its full stop."""
        return meaning_of(self.rule.draft.function, self.columns, self.rule.draft.arguments)


def checks_of(draft: RuleDraft) -> Iterator[tuple[tuple[str, ...], RowCheck]]:
    """The checks that a rule stands for, each with its columns: one a column, or one over all columns together."""
    scope = CHECK_FUNCTIONS[draft.function].scope
    is_error = draft.criticality is Criticality.ERROR
    if scope is Scope.COLUMN:
        for column in draft.columns:
            name = draft.proposed_name if len(draft.columns) == 1 else f"{draft.proposed_name}: {column}"
            arguments: dict[str, Json] = {"column": column, **draft.arguments}
            yield (column,), RowCheck(name, draft.function, arguments, draft.filter, is_error)
        return
    together: dict[str, Json] = {"columns": list(draft.columns)} if draft.columns else {}
    check = RowCheck(draft.proposed_name, draft.function, {**together, **draft.arguments}, draft.filter, is_error)
    yield draft.columns, check


def planned(found: Sequence[Rule]) -> list[PlannedCheck]:
    """All checks of these rules, in their order."""
    return [PlannedCheck(rule, check, columns) for rule in found for columns, check in checks_of(rule.draft)]


def draft_problems(draft: RuleDraft, columns: Sequence[Column]) -> Iterator[str]:
    """What the check functions and the columns of the sheet have against a rule, as sentences."""
    function = CHECK_FUNCTIONS.get(draft.function)
    if function is None:
        yield unknown_function(draft.function)
        return
    if not is_encodable(draft.name):
        yield "The name has a damaged character, which cannot be stored."
    if len(draft.name) > MAX_NAME:
        yield f"The name has {len(draft.name):,} characters, more than {MAX_NAME}."
    if len(draft.filter) > MAX_FILTER:
        yield f"The filter has {len(draft.filter):,} characters, more than {MAX_FILTER:,}."
    if len(rows.to_json(dict(draft.arguments))) > MAX_JSON:
        yield f"The arguments are longer than {MAX_JSON:,} characters."
    if not draft.columns and function.scope is not Scope.ROW:
        yield f"{draft.function} needs a column."
    known = {column.name for column in columns}
    unknown = [name for name in draft.columns if name not in known]
    if unknown:
        yield f"The sheet has no column {', '.join(unknown)}."
    repeated = sorted({name for name in draft.columns if draft.columns.count(name) > 1})
    if repeated:
        yield f"{', '.join(repeated)} is named twice."
    yield from argument_problems(draft.function, draft.arguments)


def unknown_function(name: str) -> str:
    """The sentence for a function that there is not, with the nearest ones."""
    import difflib

    near = difflib.get_close_matches(name, list(CHECK_FUNCTIONS), n=3, cutoff=0.6)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(CHECK_FUNCTIONS)}."
    return f"There is no check function “{name[:80]}”. {hint}"


def row_of(rule: Rule) -> dict[str, Value]:
    """The row that keeps a rule."""
    draft = rule.draft
    return {
        "id": rule.id,
        "sheet_id": rule.sheet_id,
        "name": draft.name,
        "criticality": draft.criticality.value,
        "function": draft.function,
        "columns": rows.to_json(list(draft.columns)),
        "arguments": rows.to_json(dict(draft.arguments)),
        "filter": draft.filter,
        "origin": draft.origin.value,
        "reason": draft.reason,
        "user_metadata": rows.to_json(dict(draft.user_metadata)),
        "is_enabled": draft.is_enabled,
        "row_version": rule.row_version,
        "created_by": rule.created_by,
        "created_at": rule.created_at,
        "updated_by": rule.updated_by,
        "updated_at": rule.updated_at,
    }


def rule_from(row: Row) -> Rule:
    """Read a rule out of a row with `COLUMNS`."""
    return Rule(
        id=rows.text(row, "id"),
        sheet_id=rows.text(row, "sheet_id"),
        draft=RuleDraft(
            function=rows.text(row, "function"),
            columns=rows.json_texts(row, "columns"),
            arguments=rows.json_object(row, "arguments"),
            name=rows.text(row, "name"),
            criticality=Criticality(rows.text(row, "criticality")),
            filter=rows.text(row, "filter"),
            origin=Origin(rows.text(row, "origin")),
            reason=rows.text(row, "reason"),
            is_enabled=rows.flag(row, "is_enabled"),
            user_metadata={name: str(value) for name, value in rows.json_object(row, "user_metadata").items()},
        ),
        row_version=rows.whole(row, "row_version"),
        created_by=rows.text(row, "created_by"),
        created_at=rows.time(row, "created_at"),
        updated_by=rows.text(row, "updated_by"),
        updated_at=rows.time(row, "updated_at"),
    )
