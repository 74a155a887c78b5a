"""Which column of a sheet fills which placeholder: what is pre-selected, what is offered, what is missing."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from workbench_core.prompt_templates.template import TemplateDraft

MIN_SCORE = 0.7  # a proposal below it would be wrong more often than right
_JOINED = "__"  # between the alias of a source and its column in the columns of a join


@dataclass(frozen=True, slots=True)
class MappingProposal:
    """A column that may fill a placeholder; `score` from 0 to 1, `reason` in words for the person."""

    placeholder: str
    column: str
    score: float
    reason: str


def propose_mapping(placeholders: Iterable[str], columns: Sequence[str]) -> dict[str, str]:
    """Pair placeholders with columns that bear their name; what is unsure is left out (see `suggest_mapping`).

    By the exact name first, then without case and punctuation, then by the column part of a joined `alias__column`
    when only one source has it.
    """
    return _paired(placeholders, columns)


def propose_for(template: TemplateDraft, columns: Sequence[str]) -> dict[str, str]:
    """The pairs of `propose_mapping` for a template: the columns that its author expected win, its target never."""
    target = target_column_of(template, columns)
    possible = [column for column in columns if column != target]
    expected = [column for column in possible if column in template.feature_columns]
    return _paired(template.placeholders, possible) | _paired(template.placeholders, expected)


def target_column_of(template: TemplateDraft, columns: Sequence[str]) -> str:
    """The column of the known answers that the author expected, as the sheet has it; empty when it has none."""
    wanted = template.target_column
    return _paired([wanted], columns).get(wanted, "") if wanted else ""


def suggest_mapping(
    placeholders: Iterable[str], columns: Sequence[str], *, taken: Collection[str] = ()
) -> dict[str, MappingProposal]:
    """The most similar column for each of these unmapped placeholders, to be offered and never pre-selected.

    Each column is offered once, the best pair first; columns in `taken` are not offered.
    """
    pairs = [_proposal(name, column) for name in dict.fromkeys(placeholders) for column in columns]
    found: dict[str, MappingProposal] = {}
    used = set(taken)
    for pair in sorted(pairs, key=lambda pair: -pair.score):
        if pair.score >= MIN_SCORE and pair.placeholder not in found and pair.column not in used:
            found[pair.placeholder] = pair
            used.add(pair.column)
    return found


def unmapped(template: TemplateDraft, mapping: Mapping[str, str]) -> tuple[str, ...]:
    """The placeholders that need a column and have none, in reading order; optional inputs need none."""
    optional = set(template.optional_placeholders)
    return tuple(name for name in template.placeholders if name not in optional and not mapping.get(name))


def _paired(placeholders: Iterable[str], columns: Sequence[str]) -> dict[str, str]:
    names = list(dict.fromkeys(placeholders))
    paired = {name: name for name in names if name in columns}
    plain = _index(columns, _plain)
    joined = _index([column for column in columns if _JOINED in column], lambda column: _plain(_column_part(column)))
    for name in names:
        key = _plain(name)
        if name in paired or not key:
            continue
        alike = [column for column in plain.get(key, []) if column not in paired.values()] or plain.get(key, [])
        if alike:
            paired[name] = alike[0]
        elif len(joined.get(key, [])) == 1:
            paired[name] = joined[key][0]
    return paired


def _index(columns: Iterable[str], key: Callable[[str], str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for column in columns:
        found.setdefault(key(column), []).append(column)
    return found


def _proposal(placeholder: str, column: str) -> MappingProposal:
    from rapidfuzz import fuzz

    wanted, whole, part = _words(placeholder), _words(column), _words(_column_part(column))
    if wanted and wanted == part:
        return MappingProposal(placeholder, column, 0.99, "same name in one of several sources")
    score = max((fuzz.WRatio(wanted, words) + fuzz.token_set_ratio(wanted, words)) / 200 for words in {whole, part})
    shared = [word for word in wanted.split() if word in whole.split()]
    if shared:
        return MappingProposal(placeholder, column, score, f"shares the word “{shared[0]}”, {score:.0%}")
    return MappingProposal(placeholder, column, score, f"similar name, {score:.0%}")


def _column_part(column: str) -> str:
    return column.split(_JOINED, 1)[-1]


def _words(name: str) -> str:
    """A name as lower-case words: `customerEMail_2` becomes “customer e mail 2”."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Za-z])(?=[0-9])", " ", name)
    return " ".join(re.split(r"[\W_]+", parted)).lower().strip()


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()
