"""The words and colours that all parts of the Data quality page share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import streamlit as st

from pages.components.layout import Color
from pages.components.words import counted, plain
from workbench_core import cached
from workbench_core.data_quality.results import ItemKind, QualityRun, ScoreColour, ScoreWord
from workbench_core.data_quality.rules import Criticality, Origin, Rule, RuleDraft, planned
from workbench_core.sheets import Sheet

TONES: Mapping[ScoreColour, str] = {
    ScoreColour.GREEN: "good", ScoreColour.AMBER: "warning", ScoreColour.RED: "bad",
}  # fmt: skip
BADGES: Mapping[ScoreColour, Color] = {
    ScoreColour.GREEN: "green", ScoreColour.AMBER: "orange", ScoreColour.RED: "red",
}  # fmt: skip
WORD_COLORS: Mapping[ScoreWord, Color] = {
    ScoreWord.EXCELLENT: "green", ScoreWord.GOOD: "blue", ScoreWord.FAIR: "orange", ScoreWord.POOR: "red",
}  # fmt: skip
CRITICALITIES: Mapping[Criticality, str] = {Criticality.ERROR: "Error", Criticality.WARN: "Warning"}
FAILURES: Mapping[Criticality, str] = {
    Criticality.ERROR: ":gray-badge[A failure is an error]", Criticality.WARN: ":gray-badge[A failure is a warning]",
}  # fmt: skip
ORIGINS: Mapping[Origin, str] = {
    Origin.PROFILE: "Profile", Origin.AI: "Sentence", Origin.MANUAL: "By hand", Origin.IMPORTED: "Imported",
}  # fmt: skip
KINDS: Mapping[ItemKind, str] = {
    ItemKind.FAILING: "Failing", ItemKind.DUPLICATES: "Duplicates", ItemKind.NEAR_DUPLICATES: "Near-duplicates",
    ItemKind.OUTLIERS: "Outliers",
}  # fmt: skip
KIND_ICONS: Mapping[str, str] = {
    "string": ":material/match_case:", "number": ":material/tag:", "boolean": ":material/toggle_on:",
    "time": ":material/schedule:", "nested": ":material/data_object:", "binary": ":material/image:",
}  # fmt: skip


def score_word(run: QualityRun) -> str:
    """The score of a run in a word, or why it has none."""
    if run.word is None:
        return "No rules checked"
    return "No rows" if run.is_empty else run.word.value


def score_color(run: QualityRun) -> Color:
    """The colour of a badge with that word."""
    return "gray" if run.colour is None or run.is_empty else BADGES[run.colour]


def score_badge(run: QualityRun) -> None:
    """The word of a run in the colour of its pass rate."""
    st.badge(score_word(run), color=score_color(run))


def rate(share: float | None) -> str:
    """A pass rate as people read it: what does not fully pass is never rounded up to 100 %; a dash for none."""
    if share is None:
        return "–"
    if 0.999 <= share < 1.0:
        return f"{min(100 * share, 99.99):.2f} %"
    return f"{100 * share:.1f} %"


def column_title(sheet: Sheet, name: str) -> str:
    """The name of a column with its source as a second word, Ticket ID · tickets; without a join the name as it is."""
    source, alone = _source_and_name(sheet, name)
    return f"{alone} · {source}" if source else name


def column_words(sheet: Sheet) -> dict[str, str]:
    """How the columns of a joined sheet are called in sentences: without their source where that is enough."""
    if sheet.join is None:
        return {}
    names = [column.name for column in cached.sheet_columns(sheet.id)]
    alone = [_source_and_name(sheet, name)[1] for name in names]
    return {
        name: short if alone.count(short) == 1 else column_title(sheet, name)
        for name, short in zip(names, alone, strict=True)
    }


def meaning(draft: RuleDraft, words: Mapping[str, str]) -> str:
    """What a rule demands, as a clause, with its columns as `column_words` calls them."""
    return replace(draft, columns=tuple(words.get(name, name) for name in draft.columns)).meaning


def _source_and_name(sheet: Sheet, name: str) -> tuple[str, str]:
    for source in sheet.join.sources if sheet.join is not None else ():
        if name.startswith(f"{source.alias}__"):
            return source.alias, name.removeprefix(f"{source.alias}__")
    return "", name


def rules_and_checks(rules: Sequence[Rule]) -> str:
    """Rules with the checks they stand for, where those are more: a rule on three columns is three checks."""
    checks = len(planned(rules))
    said = counted(len(rules), "rule")
    return said if checks == len(rules) else f"{said}, {counted(checks, 'check')}"


def sentence(text: str) -> str:
    """A clause from data as a sentence, inert; it may begin with the name of a column, so it keeps its case."""
    return plain(text) + "."
