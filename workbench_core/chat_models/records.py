"""The kept answers of language models in the store: looked up by question, added in small bulk statements."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workbench_core import rows
from workbench_core.chat_models.model import KeptAnswers, ModelSpeed
from workbench_core.clock import Clock
from workbench_core.metrics import parse_answer
from workbench_core.ports import ChatAnswer, Row, Store, Value

LOOKUP = 1_000  # questions in one lookup
MEASURED = 500  # the newest answers that tell how quick a model is

_INSERT = (
    "INSERT INTO model_answers (prompt_hash, model_name, answer, is_repaired, characters_in, tokens_in, tokens_out, "
    "latency_ms, answered_at) VALUES (:prompt_hash, :model_name, :answer, :is_repaired, :characters_in, :tokens_in, "
    ":tokens_out, :latency_ms, :answered_at) ON CONFLICT (prompt_hash) DO "
)
_REPLACE = (
    "UPDATE SET answer = excluded.answer, is_repaired = excluded.is_repaired, tokens_in = excluded.tokens_in, "
    "tokens_out = excluded.tokens_out, latency_ms = excluded.latency_ms, answered_at = excluded.answered_at"
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """A good answer on its way into the store, with the digest and the length of its question."""

    prompt_hash: str
    characters_in: int
    answer: ChatAnswer


class AnswerRecords:
    """Read and write the table `model_answers`; holds no state, so any thread may use it."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def lookup(self, hashes: Sequence[str], *, is_json: bool) -> Iterator[tuple[str, ChatAnswer]]:
        """The kept answers among these questions, in their order; `id` of an answer is its hash.

        `is_json`: the questions want JSON. A row that somebody damaged by hand is removed and told in the log, so that
        its question is asked again and the new answer kept.
        """
        for start in range(0, len(hashes), LOOKUP):
            chunk = hashes[start : start + LOOKUP]
            kept, damaged = self._read(chunk, is_json=is_json)
            if damaged:
                log.warning(
                    "%d damaged rows of kept answers are removed and asked for again: %s", len(damaged), damaged[:5]
                )
                self._store.execute(
                    "DELETE FROM model_answers WHERE prompt_hash IN :hashes", touches="model_answers", hashes=damaged
                )
            yield from ((prompt_hash, kept[prompt_hash]) for prompt_hash in chunk if prompt_hash in kept)

    def known(self, hashes: Sequence[str], *, is_json: bool) -> set[str]:
        """Which of these questions have a kept answer that is not damaged; changes nothing."""
        known: set[str] = set()
        for start in range(0, len(hashes), LOOKUP):
            known |= self._read(hashes[start : start + LOOKUP], is_json=is_json)[0].keys()
        return known

    def _read(self, hashes: Sequence[str], *, is_json: bool) -> tuple[dict[str, ChatAnswer], list[str]]:
        """The kept answers by their hash, and the hashes of damaged rows."""
        found = self._store.query(
            "SELECT prompt_hash, answer, is_repaired, tokens_in, tokens_out FROM model_answers "
            "WHERE prompt_hash IN :hashes ORDER BY prompt_hash",
            hashes=list(hashes),
        )
        good = [row for row in found if not _is_damaged(row, is_json=is_json)]
        kept = {rows.text(row, "prompt_hash"): _answer_from(row) for row in good}
        return kept, [ref for row in found if (ref := rows.text(row, "prompt_hash")) not in kept]

    def keep(self, model_name: str, given: Sequence[GivenAnswer], *, replaces: bool) -> None:
        """Store answers in one statement; another process may store the same ones at this moment.

        An answer that is kept already stays, unless this one `replaces` it.
        """
        now = self._clock()
        ordered = sorted(given, key=lambda entry: entry.prompt_hash)  # so two writers never wait for each other
        entries: list[dict[str, Value]] = [
            {
                "prompt_hash": entry.prompt_hash,
                "model_name": model_name,
                "answer": entry.answer.text,
                "is_repaired": entry.answer.is_repaired,
                "characters_in": entry.characters_in,
                "tokens_in": entry.answer.tokens_in,
                "tokens_out": entry.answer.tokens_out,
                "latency_ms": entry.answer.latency_ms,
                "answered_at": now,
            }
            for entry in ordered
        ]
        self._store.execute_many(_INSERT + (_REPLACE if replaces else "NOTHING"), entries, touches="model_answers")

    def speed(self, model_name: str) -> ModelSpeed:
        """How quick and wordy a model was lately; assumptions where nothing was measured or reported."""
        found = self._store.query(
            "SELECT COUNT(*) AS calls, AVG(latency_ms) AS latency_ms, SUM(tokens_in) AS tokens_in, "
            "SUM(CASE WHEN tokens_in > 0 THEN characters_in ELSE 0 END) AS characters_in, "
            "AVG(CASE WHEN tokens_out > 0 THEN CAST(tokens_out AS DOUBLE PRECISION) END) AS tokens_out FROM "
            "(SELECT latency_ms, characters_in, tokens_in, tokens_out FROM model_answers WHERE model_name = :model "
            "ORDER BY answered_at DESC LIMIT :newest) AS newest",
            model=model_name,
            newest=MEASURED,
        )[0]
        assumed = ModelSpeed()
        if not (calls := rows.whole(found, "calls")):
            return assumed
        tokens, characters = rows.whole(found, "tokens_in"), rows.whole(found, "characters_in")
        return ModelSpeed(
            calls=calls,
            seconds_per_call=rows.number(found, "latency_ms") / 1000,
            tokens_in_per_character=tokens / characters if tokens and characters else assumed.tokens_in_per_character,
            tokens_out_per_call=rows.number(found, "tokens_out") or assumed.tokens_out_per_call,
            is_measured=True,
        )

    def totals(self) -> list[KeptAnswers]:
        """What is kept of each model, by name, also of models that are not configured any more."""
        found = self._store.query(
            "SELECT model_name, COUNT(*) AS answers, SUM(tokens_in) AS tokens_in, SUM(tokens_out) AS tokens_out "
            "FROM model_answers GROUP BY model_name ORDER BY model_name"
        )
        return [
            KeptAnswers(
                model=rows.text(row, "model_name"),
                answers=rows.whole(row, "answers"),
                tokens_in=rows.whole(row, "tokens_in"),
                tokens_out=rows.whole(row, "tokens_out"),
            )
            for row in found
        ]


def is_answer(text: str, *, is_json: bool) -> bool:
    """Whether a text is worth keeping: there is something in it, and it is JSON where that was asked for."""
    if not is_json or not text.strip():
        return bool(text.strip())
    try:
        parse_answer(text)
    except (ValueError, RecursionError):
        return False
    return True


def _is_damaged(row: Row, *, is_json: bool) -> bool:
    """Whether a row is not what was kept: SQLite takes a value of any type in any column."""
    answer, tokens = row["answer"], (row["tokens_in"], row["tokens_out"])
    if not isinstance(answer, str) or not all(isinstance(count, int) for count in tokens):
        return True
    return not is_answer(answer, is_json=is_json)


def _answer_from(row: Row) -> ChatAnswer:
    return ChatAnswer(
        id=rows.text(row, "prompt_hash"),
        text=rows.text(row, "answer"),
        tokens_in=rows.whole(row, "tokens_in"),
        tokens_out=rows.whole(row, "tokens_out"),
        is_repaired=rows.flag(row, "is_repaired"),
        is_kept=True,
    )
