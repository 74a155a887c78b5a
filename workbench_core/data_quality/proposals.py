"""Rules out of plain language: what the sentence rules and the model propose, as far as it fits the sheet (DQ-3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from workbench_core.data_quality import model_rules, rule_vetting
from workbench_core.data_quality.rule_export import write
from workbench_core.data_quality.rule_files import NumberedDraft, RefusedRule
from workbench_core.data_quality.rules import RuleDraft
from workbench_core.data_quality.sentence_rules import read_sentences
from workbench_core.data_quality.suggestions import RuleSuggestion
from workbench_core.ports import ChatModel, Lake, Source

SENTENCE_RULES = "sentence rules"


@dataclass(frozen=True, slots=True)
class Proposals:
    """Rules that nobody has saved yet, notes on what was dropped or not understood, and who proposed them.

    Rules by the model are of the origin AI. `not_understood` are the parts that nobody turned into a rule.
    """

    rules: tuple[RuleSuggestion, ...]
    notes: tuple[str, ...]
    proposed_by: str
    not_understood: tuple[str, ...] = ()

    @property
    def as_yaml(self) -> str:
        """The proposed rules in the format of DQX, as an export would write them."""
        return write([one.draft for one in self.rules]).text


@dataclass(frozen=True, slots=True)
class Proposer:
    """Proposes rules for one sheet, whose rules have the names `taken`."""

    lake: Lake
    source: Source
    taken: frozenset[str]

    def propose(
        self, sentence: str, chat_model: ChatModel | None, *, cancelled: Callable[[], bool] = lambda: False
    ) -> Proposals:
        """Rules by the sentence rules, and by the model, when there is one, for what they do not understand."""
        columns = self.lake.columns(self.source)
        understood = read_sentences(sentence, columns)
        good, dropped = self._fitting(_numbered(understood.drafts))
        mine = Proposals(_proposed(good), _dropped(dropped), SENTENCE_RULES, understood.not_understood)
        if chat_model is None or not mine.not_understood:
            return _with_unread(mine)
        rest = "\n".join(mine.not_understood)
        return self._with_model(
            mine, chat_model, rest, model_rules.ask_model(chat_model, rest, columns, cancelled=cancelled)
        )

    def _with_model(
        self, mine: Proposals, chat_model: ChatModel, rest: str, answer: model_rules.ModelAnswer
    ) -> Proposals:
        """The same with what the model makes of the parts that were not understood."""
        if answer.read is None:
            return _with_unread(replace(mine, notes=(*mine.notes, answer.problem)))
        there = {(one.draft.function, one.draft.columns) for one in mine.rules}
        others = [one for one in answer.read.drafts if (one.draft.function, one.draft.columns) not in there]
        good, dropped = self._fitting(others, also_taken={one.draft.name for one in mine.rules})
        notes = (*mine.notes, *_dropped((*answer.read.refused, *dropped)))
        if not good:
            problem = f"The {chat_model.title} proposed no rule that fits this sheet."
            return _with_unread(replace(mine, notes=(*notes, problem)))
        reason = f"“{rest[:300]}”"
        by_model = _proposed([replace(draft, reason=reason) for draft in good])
        who = f"{SENTENCE_RULES} and the {chat_model.title}" if mine.rules else chat_model.title
        return Proposals((*mine.rules, *by_model), notes, who)

    def _fitting(
        self, drafts: Sequence[NumberedDraft], *, also_taken: Iterable[str] = ()
    ) -> tuple[list[RuleDraft], list[RefusedRule]]:
        return rule_vetting.sorted_out(self.lake, self.source, drafts, taken={*self.taken, *also_taken}, rename=True)


def _with_unread(found: Proposals) -> Proposals:
    """The same with a note for each part that was not understood."""
    unread = (f"Not understood: “{part}”." for part in found.not_understood)
    return replace(found, notes=(*found.notes, *unread))


def _numbered(drafts: Sequence[RuleDraft]) -> list[NumberedDraft]:
    return [NumberedDraft(number, draft) for number, draft in enumerate(drafts, start=1)]


def _dropped(refused: Sequence[RefusedRule]) -> tuple[str, ...]:
    return tuple(f"Dropped: {one.sentence}" for one in refused)


def _proposed(drafts: Sequence[RuleDraft]) -> tuple[RuleSuggestion, ...]:
    """Drafts with the sentence they came from as their reason."""
    return tuple(RuleSuggestion(draft, draft.reason) for draft in drafts)
