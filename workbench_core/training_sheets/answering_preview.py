"""What an answering would take, before it begins: labels and kept answers cost nothing, the others are paid for."""

from __future__ import annotations

from dataclasses import dataclass

from workbench_core.canonical_labels import CanonicalLabels
from workbench_core.chat_models import ChatModels
from workbench_core.chat_models.questions import characters_of
from workbench_core.pairs.records import PairRecords
from workbench_core.ports import ChatModel, ChatOptions, Conversation, Store
from workbench_core.training_sheets.answering import AnsweringPreview, AnswerRequest
from workbench_core.training_sheets.answering_items import Questions
from workbench_core.training_sheets.answering_records import AnsweringRecords, Choice
from workbench_core.training_sheets.model import TrainingSheet
from workbench_core.training_sheets.preflight import EXACT, LOOKED_AT, PICTURES_READ
from workbench_core.training_sheets.selected_items import spread


@dataclass(frozen=True, slots=True)
class Asked:
    """Who would be asked, and how."""

    model: ChatModel
    questions: Questions
    options: ChatOptions


class AnsweringPreviews:
    """Look at the pairs of a request as the answering itself would, without writing."""

    def __init__(
        self, store: Store, records: AnsweringRecords, labels: CanonicalLabels, chat_models: ChatModels
    ) -> None:
        self._pairs = PairRecords(store)
        self._records = records
        self._labels = labels
        self._chat_models = chat_models

    def preview(self, training_sheet: TrainingSheet, request: AnswerRequest, asked: Asked) -> AnsweringPreview:
        """The pairs and what they take: exact for up to `EXACT` pairs, else in proportion to some of them."""
        choice = self._records.choice(training_sheet.id, request)
        is_all = choice.pairs <= EXACT
        ids = self._records.spread(training_sheet.id, request, choice, most=choice.pairs if is_all else LOOKED_AT)
        pairs = self._pairs.by_id(ids)
        labels = self._labels.usages(
            training_sheet.sheet_id, [pair.item_ref for pair in pairs.values()], training_sheet.label_type
        )
        items = {pair.id: asked.questions.item(pair) for pair in pairs.values() if pair.item_ref not in labels}
        questions = [Conversation(pair_id, item.messages) for pair_id, item in items.items() if not item.error]
        return self._priced(choice, asked, questions, looked_at=len(pairs), labelled=len(pairs) - len(items))

    def _priced(
        self, choice: Choice, asked: Asked, questions: list[Conversation], *, looked_at: int, labelled: int
    ) -> AnsweringPreview:
        """The calls that will be paid for; of questions with pictures only a few are compared with the kept answers."""
        has_pictures = any(message.attachments for question in questions for message in question.messages)
        is_slow = has_pictures and asked.model.reads_pictures
        compared = spread(questions, PICTURES_READ) if is_slow else questions
        paid = set(self._chat_models.to_ask(asked.model.name, compared, asked.options))
        share = choice.pairs / max(looked_at, 1)
        of_compared = share * len(questions) / max(len(compared), 1)
        characters = sum(characters_of(question) for question in compared if question.id in paid)
        calls = round(of_compared * len(paid))
        return AnsweringPreview(
            choice.pairs,
            choice.skipped,
            self._chat_models.estimate(asked.model.name, calls=calls, characters=round(of_compared * characters)),
            from_labels=round(share * labelled),
            kept_answers=round(of_compared * (len(compared) - len(paid))),
            is_exact=looked_at == choice.pairs and len(compared) == len(questions),
        )
