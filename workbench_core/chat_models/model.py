"""The words of language models: how quick one is, what questions to it will take and cost, what is kept of it."""

from __future__ import annotations

from dataclasses import dataclass

from workbench_core.ports import ChatModel

# What is assumed of a model before it has answered anything. A measured value takes the place of each.
CHARACTERS_PER_TOKEN = 4.0  # English prose in the tokenizers of today's models; other languages have fewer
TOKENS_OUT_PER_CALL = 50.0  # a class name has about five, a small structure a hundred
SECONDS_PER_CALL = 2.0  # the tiny local model takes 0.4 for a class and 1.3 for a sentence, hosted ones as much


@dataclass(frozen=True, slots=True)
class ModelSpeed:
    """How quick and how wordy a model is, over its newest `calls` kept answers.

    Without any the values are assumptions, and `is_measured` is false. `seconds_per_call` is the time of one question
    beside others of the same batch.
    """

    calls: int = 0
    seconds_per_call: float = SECONDS_PER_CALL
    tokens_in_per_character: float = 1 / CHARACTERS_PER_TOKEN
    tokens_out_per_call: float = TOKENS_OUT_PER_CALL
    is_measured: bool = False


@dataclass(frozen=True, slots=True)
class CallEstimate:
    """What some questions to a model will take: tokens, money in `currency`, and seconds by the clock.

    `cost` is None, and `currency` empty, for a model without a price. `is_measured` says whether the model was ever
    asked, or common values are assumed.
    """

    calls: int
    tokens_in: int
    tokens_out: int
    cost: float | None
    currency: str
    seconds: float | None
    is_measured: bool


@dataclass(frozen=True, slots=True)
class KeptAnswers:
    """How many answers of one model are kept, and the tokens that they took when they were asked for."""

    model: str
    answers: int
    tokens_in: int
    tokens_out: int


def estimated(model: ChatModel, speed: ModelSpeed, *, calls: int, characters: int) -> CallEstimate:
    """What so many calls with so many prompt characters, all together, will take.

    seconds = calls * seconds per call / concurrency, at least the time of one call, and not faster than the rate limit.
    """
    tokens_in = round(characters * speed.tokens_in_per_character)
    tokens_out = round(calls * speed.tokens_out_per_call)
    return CallEstimate(
        calls=calls,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        cost=None if model.price is None else model.price.cost(tokens_in, tokens_out),
        currency="" if model.price is None else model.price.currency,
        seconds=_seconds(model, speed, calls),
        is_measured=speed.is_measured,
    )


def _seconds(model: ChatModel, speed: ModelSpeed, calls: int) -> float:
    at_a_time = max(1, min(model.concurrency, calls))
    seconds = calls * speed.seconds_per_call / at_a_time
    limit = getattr(model, "requests_per_minute", None)  # not every model has a rate limit
    return max(seconds, calls * 60 / limit) if isinstance(limit, int | float) and limit > 0 else seconds
