"""A chat model that asks another one only what it was never asked before, and keeps every good answer."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace

from workbench_core.chat_models.questions import characters_of, prompt_hashes, wants_json
from workbench_core.chat_models.records import AnswerRecords, GivenAnswer, is_answer
from workbench_core.chat_models.under_way import Asker, UnderWay
from workbench_core.errors import BackendError
from workbench_core.ports import Availability, ChatAnswer, ChatModel, ChatOptions, Conversation, TokenPrice

MOST_WAITING = 16  # answers that may wait to be stored together: what a killed process pays for again
LONGEST_WAIT_SECONDS = 1.0
POLL_SECONDS = 0.1
MOST_PATIENCE_SECONDS = 120.0  # without any answer to a question that somebody else asks; then it is asked again

log = logging.getLogger(__name__)


class KeepingModel:
    """`ports.ChatModel` around another one; all that is not about answering is that of the other.

    New answers are stored while the caller goes through them, each time in a short transaction of its own. Inside a
    transaction of the caller they become part of it, and are gone when it is rolled back.
    """

    name: str
    title: str
    price: TokenPrice | None
    concurrency: int
    reads_pictures: bool

    def __init__(self, model: ChatModel, records: AnswerRecords) -> None:
        self._model = model
        self._records = records
        self._under_way = UnderWay()

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._model, name)

    def availability(self) -> Availability:
        """Whether the model can answer now."""
        return self._model.availability()

    def answer(
        self,
        conversations: Sequence[Conversation],
        *,
        options: ChatOptions,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Iterator[ChatAnswer]:
        """Kept answers first, then those of the model as the port says; equal questions are asked once.

        A kept answer has `is_kept`, the tokens it once took, and no latency; so has the repetition of a question.
        A question that another thread of this process asks at this moment is waited for, and paid for once. Two
        processes that ask the same at the same moment both pay, and the answer that is stored first is kept: a lock
        that both see would have to outlive the one that is killed while it waits for its model. Raises what the model
        raises; without a question left to ask it is not called.
        """
        if not conversations or cancelled():
            return
        waiting: dict[str, list[Conversation]] = {}
        hashes = prompt_hashes(self, conversations, options)
        for prompt_hash, conversation in zip(hashes, conversations, strict=True):
            waiting.setdefault(prompt_hash, []).append(conversation)
        asker = self._under_way.asker()
        if options.asks_again:
            yield from self._asked(waiting, options, cancelled, asker)
            return
        waited = 0.0
        while waiting:
            ours = asker.claim(waiting) if waited < MOST_PATIENCE_SECONDS else list(waiting)
            if ours:
                yield from self._answered({one: waiting.pop(one) for one in ours}, options, cancelled, asker)
                waited = 0.0
            elif cancelled():
                return
            elif not self._under_way.is_free(waiting, POLL_SECONDS):
                waited += POLL_SECONDS

    def _answered(
        self,
        ours: dict[str, list[Conversation]],
        options: ChatOptions,
        cancelled: Callable[[], bool],
        asker: Asker,
    ) -> Iterator[ChatAnswer]:
        """Kept answers, then new ones, to questions that nobody else asks meanwhile."""
        claimed = list(ours)
        try:
            for prompt_hash, kept in self._records.lookup(claimed, is_json=wants_json(options)):
                for conversation in ours.pop(prompt_hash):
                    yield replace(kept, id=conversation.id)
            asker.release(one for one in claimed if one not in ours)
            if ours:
                yield from self._asked(ours, options, cancelled, asker)
        finally:
            asker.release(claimed)

    def _asked(
        self,
        waiting: Mapping[str, list[Conversation]],
        options: ChatOptions,
        cancelled: Callable[[], bool],
        asker: Asker,
    ) -> Iterator[ChatAnswer]:
        """Ask each question once, and store what comes back; also when the caller stops listening."""
        hashes = {same[0].id: prompt_hash for prompt_hash, same in waiting.items()}
        given = _Given(self._records, self.name, asker, options)
        answers = self._model.answer(
            [same[0] for same in waiting.values()], options=options, cancelled=given.watching(cancelled)
        )
        try:
            for answer in answers:
                prompt_hash = hashes.pop(answer.id, "")
                if not prompt_hash:
                    log.warning("%s gave an answer that nobody asked for, or gave one twice", self.name)
                    continue
                same = waiting[prompt_hash]
                given.add(GivenAnswer(prompt_hash, characters_of(same[0]), answer))
                yield answer
                yield from (_repeated(answer, conversation.id) for conversation in same[1:])
        finally:
            given.store()
            if isinstance(answers, Generator):
                answers.close()  # ends the requests in flight


class _Given:
    """Answers that wait to be stored; used by one thread."""

    def __init__(self, records: AnswerRecords, model_name: str, asker: Asker, options: ChatOptions) -> None:
        self._records = records
        self._asker = asker
        self._model_name = model_name
        self._options = options
        self._waiting: list[GivenAnswer] = []
        self._stored_at = time.monotonic()
        self._thread = threading.get_ident()

    def add(self, given: GivenAnswer) -> None:
        """Take an answer, unless it is none, and store what waits long enough."""
        text = (given.answer.text or "").replace("\x00", "")  # which no store keeps
        if given.answer.error is None and is_answer(text, is_json=wants_json(self._options)):
            self._waiting.append(given)
        self._store_when_due()

    def watching(self, cancelled: Callable[[], bool]) -> Callable[[], bool]:
        """The same question, which models ask often while they wait: a good moment to store what waits too."""

        def watched() -> bool:
            if threading.get_ident() == self._thread:  # a model may ask from a thread of its own
                self._store_when_due()
            return cancelled()

        return watched

    def store(self) -> None:
        """Store all that waits. A store that fails costs the saving, not the answers: they reach the caller."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            try:
                self._records.keep(self._model_name, waiting, replaces=self._options.asks_again)
            except BackendError as error:
                log.warning("%d answers of %s were not kept: %s", len(waiting), self._model_name, error.message)
            self._asker.release(given.prompt_hash for given in waiting)
        self._stored_at = time.monotonic()

    def _store_when_due(self) -> None:
        is_late = time.monotonic() - self._stored_at >= LONGEST_WAIT_SECONDS
        if len(self._waiting) >= MOST_WAITING or (self._waiting and is_late):
            self.store()


def _repeated(answer: ChatAnswer, conversation_id: str) -> ChatAnswer:
    """The answer once more for an equal question: nothing was paid for it. An error is told, but not kept."""
    if answer.error is not None:
        return replace(answer, id=conversation_id, tokens_in=0, tokens_out=0, latency_ms=0.0, is_repeated=True)
    return replace(answer, id=conversation_id, latency_ms=0.0, is_kept=True)
