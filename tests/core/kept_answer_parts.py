"""What tests of kept answers share: a metered model, and how it is asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.core.generation_parts import RuleModel
from workbench_core.chat_models import ChatModels
from workbench_core.ports import ChatOptions, Conversation, Message

PLAIN = ChatOptions()


class MeteredModel(RuleModel):
    """A model that takes the same time and tokens for every answer."""

    requests_per_minute: int = 0
    seconds_told = 1.5
    tokens_told = (30, 6)
    repairs = False

    def answer(self, conversations, *, options, cancelled=lambda: False):
        for answer in super().answer(conversations, options=options, cancelled=cancelled):
            if answer.error:
                yield answer
            else:
                tokens_in, tokens_out = self.tokens_told
                yield replace(
                    answer, latency_ms=self.seconds_told * 1000, tokens_in=tokens_in, tokens_out=tokens_out,
                    is_repaired=self.repairs,
                )  # fmt: skip


@pytest.fixture
def model():
    return MeteredModel()


@pytest.fixture
def models(store, model, clock):
    return ChatModels(store, [model], clock)


def asked(models, conversations, options=PLAIN, **more):
    return list(models.default.answer(conversations, options=options, **more))


def one(text="Is this spam?", **changes):
    return Conversation(**({"id": "1", "messages": (Message("user", text),)} | changes))
