"""Asking a model about many things: always enough questions under way, answers in pieces, limits kept."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from workbench_core.errors import BackendError, WorkbenchError
from workbench_core.ports import ChatAnswer, ChatModel, ChatOptions, Conversation
from workbench_core.runs import RunStopped
from workbench_core.training_sheets.spending import Allowance, Spending, spending_of

log = logging.getLogger(__name__)

MODEL_BATCH = 32  # questions between two looks at the limits
ROUNDS = 32  # questions under way for each that the model works on: its slowest answers must not make it wait
MOST_OPEN = 4_000  # subjects that are held until they are handed on
PIECE_SECONDS = 0.25  # the longest that an answer waits to be stored
PIECE = 500  # answers that are stored at the latest
_POLL_SECONDS = 0.1

Subject = TypeVar("Subject")


@dataclass(frozen=True, slots=True)
class Work(Generic[Subject]):
    """Something that needs an answer; without a question the model is not needed for it."""

    subject: Subject
    question: Conversation | None


@dataclass(frozen=True, slots=True)
class Piece(Generic[Subject]):
    """Subjects whose answers are known, by the id of the question, and what was spent since the piece before."""

    subjects: Sequence[Subject]
    answers: Mapping[str, ChatAnswer]
    spent: Spending


class Asking(Generic[Subject]):
    """Ask one model about subjects; `store` gets every piece and is the only one that keeps anything.

    With `in_order` a piece never holds a subject before its predecessors were handed on.
    """

    def __init__(
        self,
        model: ChatModel,
        options: ChatOptions,
        *,
        allowance: Allowance,
        spent: Spending,
        should_stop: Callable[[], bool],
        store: Callable[[Piece[Subject]], None],
        in_order: bool,
    ) -> None:
        self._model = model
        self._allowance = allowance
        self._spent = spent
        self._should_stop = should_stop
        self._store = store
        self._in_order = in_order
        self._questioner = _Questioner(model, options, self._is_ending)
        self._most_asked = max(2 * MODEL_BATCH, ROUNDS * model.concurrency)
        self._ready: deque[Work[Subject]] = deque()
        self._open: list[Work[Subject]] = []
        self._answers: dict[str, ChatAnswer] = {}
        self._new_answers: list[ChatAnswer] = []
        self._stored_at = time.monotonic()

    def run(self, batches: Iterator[Sequence[Work[Subject]]]) -> str:
        """Work through all batches; gives the limit that was used up before the end, in words, else an empty text.

        What arrived is stored first. Raises RunStopped when the run must end, and what kept the model from answering.
        """
        try:
            while not self._should_stop() and not self._questioner.has_ended:
                self._fill(batches)
                if not self._questioner.outstanding:
                    break  # all is answered, or nothing more may be asked
                self._take()
                if self._is_due():
                    self._hand_on()
            while self._questioner.outstanding and not self._questioner.has_ended:
                self._take()  # the model ends what it works on
            self._hand_on()
        finally:
            self._questioner.close()
        return self._end()

    def _end(self) -> str:
        """Why no more was asked."""
        if self._questioner.failure is not None:
            raise self._questioner.failure
        if self._should_stop():
            raise RunStopped
        if not self._ready and not self._open:
            return ""
        if used_up := self._allowance.used_up(self._spent):
            return used_up
        raise BackendError(f"The {self._model.title} left questions without an answer.", hint="Resume to ask again.")

    def _is_ending(self) -> bool:
        return self._should_stop() or self._allowance.is_overspent(self._spent)

    # --- asking ------------------------------------------------------------------------------------------------------

    def _fill(self, batches: Iterator[Sequence[Work[Subject]]]) -> None:
        """Ask until enough is under way, the limits leave no room, or nothing is left."""
        while self._questioner.outstanding < self._most_asked:
            if len(self._open) >= MOST_OPEN:
                if self._questioner.outstanding:
                    return
                self._hand_on()
            if not self._ready:
                batch = next(batches, None)
                if batch is None:
                    return
                self._ready.extend(batch)
            if not self._ask_batch():
                return

    def _ask_batch(self) -> bool:
        """Ask the next questions that the limits allow; False when they allow none."""
        outstanding = self._questioner.outstanding
        room = self._allowance.room(self._spent, outstanding=outstanding, most=MODEL_BATCH)
        questions: list[Conversation] = []
        while self._ready:
            question = self._ready[0].question
            if question is not None:
                if len(questions) == room:
                    break
                questions.append(question)
            self._open.append(self._ready.popleft())
        self._questioner.ask(questions)
        return not self._ready or room > 0

    # --- answers -----------------------------------------------------------------------------------------------------

    def _take(self) -> None:
        arrived = self._questioner.arrived(_POLL_SECONDS)
        self._answers |= {answer.id: answer for answer in arrived}
        self._new_answers += arrived
        self._spent = self._spent.plus(spending_of(arrived, self._model.price))

    def _is_due(self) -> bool:
        is_late = time.monotonic() - self._stored_at >= PIECE_SECONDS
        return is_late or len(self._new_answers) >= PIECE or not self._questioner.outstanding

    def _hand_on(self) -> None:
        """Store what is settled, and what was spent on all that arrived."""
        settled = [self._is_settled(work) for work in self._open]
        if self._in_order and not all(settled):
            border = settled.index(False)
            settled[border:] = [False] * (len(settled) - border)
        works = [work for work, is_settled in zip(self._open, settled, strict=True) if is_settled]
        if works or self._new_answers:
            answers = {
                work.question.id: self._answers.pop(work.question.id) for work in works if work.question is not None
            }
            spent = spending_of(self._new_answers, self._model.price)
            self._store(Piece([work.subject for work in works], answers, spent))
            self._open = [work for work, is_settled in zip(self._open, settled, strict=True) if not is_settled]
            self._new_answers = []
        self._stored_at = time.monotonic()

    def _is_settled(self, work: Work[Subject]) -> bool:
        return work.question is None or work.question.id in self._answers


class _Questioner:
    """Asks from a thread of its own: all that is queued goes in one call, so that the model never waits for a store."""

    def __init__(self, model: ChatModel, options: ChatOptions, is_ending: Callable[[], bool]) -> None:
        self._model = model
        self._options = options
        self._is_ending = is_ending
        self._queued: list[Conversation] = []
        self._changed = threading.Condition()
        self._is_closed = False
        self._arrived: SimpleQueue[ChatAnswer | None] = SimpleQueue()  # None: the thread has ended
        self._thread: threading.Thread | None = None
        self.outstanding = 0
        self.has_ended = False
        self.failure: Exception | None = None

    def ask(self, questions: Sequence[Conversation]) -> None:
        """Queue questions."""
        if not questions:
            return
        self.outstanding += len(questions)
        with self._changed:
            self._queued += questions
            self._changed.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="asking", daemon=True)
            self._thread.start()

    def arrived(self, timeout: float) -> list[ChatAnswer]:
        """All answers that are there, after waiting for the first one."""
        answers: list[ChatAnswer] = []
        try:
            entry = self._arrived.get(timeout=timeout)
            while entry is not None:
                answers.append(entry)
                entry = self._arrived.get_nowait()
            self.has_ended = True
        except Empty:
            pass
        self.outstanding -= len(answers)
        return answers

    def close(self) -> None:
        """End the thread; what the model works on is given up."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        try:
            while window := self._next_window():
                unanswered = {question.id for question in window}
                for answer in self._model.answer(window, options=self._options, cancelled=self._is_cancelled):
                    unanswered.discard(answer.id)
                    self._arrived.put(answer)
                if unanswered:
                    break  # cancelled, or the model left questions out
        except WorkbenchError as error:
            self.failure = error  # raised where the answers are waited for
        except Exception as error:
            log.exception("%s failed in an unexpected way", self._model.name)
            self.failure = error
        self._arrived.put(None)

    def _next_window(self) -> list[Conversation]:
        """All questions that wait, once there is one; none at the end."""
        with self._changed:
            while not self._queued and not self._is_closed:
                self._changed.wait()
            window, self._queued = ([] if self._is_closed else self._queued), []
            return window

    def _is_cancelled(self) -> bool:
        return self._is_closed or self._is_ending()
