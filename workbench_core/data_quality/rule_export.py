"""Rule sets into files: the YAML or JSON format of DQX, written the same way every time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from workbench_core.data_quality.check_functions import CHECK_FUNCTIONS, Scope
from workbench_core.data_quality.rule_files import DISABLED, OURS
from workbench_core.data_quality.rule_sql import (
    as_it_is,
    converted,
    in_quotes,
    length_expression,
    reference_to,
    with_backticks,
)
from workbench_core.data_quality.rules import RuleDraft
from workbench_core.ports import Json

Format: TypeAlias = Literal["yaml", "json"]
DQX_VERSION = "0.17"  # the first release that takes texts in lists in quotes; older ones would fail every row
_HEAD = f"# Rules for Databricks DQX {DQX_VERSION} or newer: texts in lists of values stand in quotes.\n"


@dataclass(frozen=True, slots=True)
class WrittenRules:
    """A rule set as text, and what had to be left out or changed, as sentences."""

    text: str
    notes: tuple[str, ...]


def write(drafts: Sequence[RuleDraft], *, format: Format = "yaml", for_dqx: bool = True) -> WrittenRules:
    """The rules as a file that DQX takes, or with `for_dqx=False` as one that only the workbench reads back whole.

    For DQX a length is written as an expression of the same meaning, identifiers get backticks, texts in lists get
    quotes (DQX 0.17 or newer), and disabled rules and those that read files are left out; the notes say which. The
    head of a YAML file names the version.
    """
    notes: list[str] = []
    entries: list[dict[str, Json]] = []
    for draft in drafts:
        if for_dqx and (note := _left_out(draft)):
            notes.append(note)
        elif for_dqx and draft.function == "length_between":
            entries += [_length_entry(draft, column) for column in draft.columns]
        else:
            entries.append(_entry(draft, for_dqx=for_dqx))
    head = _HEAD if for_dqx and format == "yaml" else ""
    return WrittenRules(head + _dumped(entries, format), tuple(notes))


def _dumped(entries: list[dict[str, Json]], format: Format) -> str:
    if format == "json":
        return json.dumps(entries, indent=2, ensure_ascii=False) + "\n"
    import yaml

    return yaml.safe_dump(entries, sort_keys=False, allow_unicode=True, width=120) if entries else "[]\n"


def _left_out(draft: RuleDraft) -> str:
    if not draft.is_enabled:
        return f"“{draft.proposed_name}” is disabled and was left out."
    if CHECK_FUNCTIONS[draft.function].reads_files:
        return f"“{draft.proposed_name}” was left out: DQX has no {draft.function}."
    return ""


def _entry(draft: RuleDraft, *, for_dqx: bool) -> dict[str, Json]:
    scope = CHECK_FUNCTIONS[draft.function].scope
    names: list[Json] = [reference_to(column) if for_dqx else column for column in draft.columns]
    columns: dict[str, Json] = {}
    if scope is Scope.COLUMN and len(names) == 1:
        columns = {"column": names[0]}
    elif scope is not Scope.COLUMN and names:
        columns = {"columns": names}
    arguments = converted(
        CHECK_FUNCTIONS[draft.function],
        draft.arguments,
        sql=with_backticks if for_dqx else as_it_is,
        text=in_quotes if for_dqx else as_it_is,
    )
    check: dict[str, Json] = {"function": draft.function, "arguments": columns | arguments}
    if scope is Scope.COLUMN and len(names) > 1:
        check["for_each_column"] = names
    return _wrapped(draft, check, dict(draft.user_metadata), for_dqx=for_dqx)


def _length_entry(draft: RuleDraft, column: str) -> dict[str, Json]:
    """A length as an expression; our own form is kept beside it, so that reading it back gives it again."""
    arguments: dict[str, Json] = {
        "expression": length_expression(column, draft.arguments),
        "columns": [reference_to(column)],
    }
    kept = json.dumps({"function": draft.function, "column": column, "arguments": dict(draft.arguments)})
    named = replace(draft, name=draft.proposed_name if len(draft.columns) == 1 else f"{draft.proposed_name}: {column}")
    check: dict[str, Json] = {"function": "sql_expression", "arguments": arguments}
    return _wrapped(named, check, {**draft.user_metadata, OURS: kept}, for_dqx=True)


def _wrapped(draft: RuleDraft, check: dict[str, Json], metadata: dict[str, str], *, for_dqx: bool) -> dict[str, Json]:
    entry: dict[str, Json] = {
        "name": draft.proposed_name,
        "criticality": draft.criticality.value,
        "check": check,
    }
    if draft.filter:
        entry["filter"] = with_backticks(draft.filter) if for_dqx else draft.filter
    if not draft.is_enabled:
        metadata[DISABLED] = "true"
    if metadata:
        entry["user_metadata"] = dict(sorted(metadata.items()))
    return entry
