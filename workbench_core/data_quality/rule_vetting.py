"""Whether rules fit a sheet: what the check functions, the columns and the lake have against them, and free names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from workbench_core.data_quality.checking import problems_of
from workbench_core.data_quality.rule_files import NumberedDraft, RefusedRule
from workbench_core.data_quality.rules import MAX_NAME, Rule, RuleDraft, checks_of, draft_problems
from workbench_core.errors import Invalid
from workbench_core.ports import Lake, Source


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did: rules that are there now, and the others with their numbers and every reason."""

    accepted: tuple[Rule, ...]
    refused: tuple[RefusedRule, ...]


@dataclass(frozen=True, slots=True)
class ImportPreview:
    """What an import would do: the rules it would add, and the others with their numbers and every reason."""

    accepted: tuple[RuleDraft, ...]
    refused: tuple[RefusedRule, ...]


def problems(lake: Lake, source: Source, drafts: Sequence[RuleDraft], *, identifier: str = "") -> list[list[str]]:
    """For each draft everything against it: first what its check function says, then, if it has nothing, the lake."""
    columns = lake.columns(source)
    found = [list(draft_problems(draft, columns)) for draft in drafts]
    checks = [(at, check) for at, draft in enumerate(drafts) if not found[at] for _, check in checks_of(draft)]
    answers = problems_of(lake, source, [check for _, check in checks], identifier=identifier)
    for (at, _), problem in zip(checks, answers, strict=True):
        if problem and problem not in found[at]:
            found[at].append(problem)
    return found


def check(lake: Lake, source: Source, drafts: Sequence[RuleDraft], *, identifier: str = "") -> None:
    """Raise Invalid with everything that is wrong with any of these rules."""
    found = problems(lake, source, drafts, identifier=identifier)
    wrong = [f"“{draft.name}”: {' '.join(several)}" for draft, several in zip(drafts, found, strict=True) if several]
    if wrong:
        raise Invalid(" ".join(wrong), hint="Correct the rule; nothing was saved.")


def sorted_out(
    lake: Lake, source: Source, drafts: Sequence[NumberedDraft], *, taken: set[str], rename: bool = False
) -> tuple[list[RuleDraft], list[RefusedRule]]:
    """The drafts that can be saved, each with a name of its own, and the others with their reasons.

    A name that is taken is a reason, but not where the rule had none, nor with `rename`.
    """
    found = problems(lake, source, [one.draft for one in drafts])
    fitting: list[RuleDraft] = []
    refused: list[RefusedRule] = []
    names = set(taken)
    for one, reasons in zip(drafts, found, strict=True):
        if one.draft.name in names and not rename:
            reasons.append("The name is taken already.")
        if reasons:
            refused.append(RefusedRule(one.number, one.draft.proposed_name, tuple(reasons)))
        else:
            fitting.append(renamed(one.draft, names))
    return fitting, refused


def renamed(draft: RuleDraft, names: set[str]) -> RuleDraft:
    """The draft with a name that is not among these, which is added to them."""
    base, number = draft.proposed_name, 2
    name = base
    while name in names:
        name, number = f"{base[: MAX_NAME - 6]} ({number})", number + 1
    names.add(name)
    return replace(draft, name=name)
