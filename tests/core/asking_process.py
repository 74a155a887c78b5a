"""A process that puts numbered questions to a model and says which answers it got, to be killed at any moment."""

from __future__ import annotations

import sys

from tests.core.generation_parts import SCHEMAS, RuleModel
from workbench_core.adapters.store import open_store
from workbench_core.chat_models import ChatModels
from workbench_core.clock import utc_now
from workbench_core.ports import ChatOptions, Conversation, Message


def questions(count: int) -> list[Conversation]:
    """Different questions, each with its number as id."""
    return [Conversation(str(number), (Message("user", f"Is mail {number} spam?"),)) for number in range(count)]


def main(url: str, count: int, seconds_an_answer: float) -> None:
    store = open_store(url, schemas=SCHEMAS)
    model = RuleModel(seconds=seconds_an_answer)
    answers = ChatModels(store, [model], utc_now).default.answer(questions(count), options=ChatOptions())
    print("ready", flush=True)
    for answer in answers:
        print(answer.id, "kept" if answer.is_kept else "paid", flush=True)
    store.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
