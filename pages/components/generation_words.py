"""Generation in words: answer sources, money, tokens and time as people read them."""

from __future__ import annotations

from pages.components.words import counted, duration
from workbench_core.chat_models import CallEstimate, TokenPrice
from workbench_core.prompt_templates import AnswerSource
from workbench_core.training_sheets import Spending, TrainingSheet, TrainingSheetStatus

SOURCES = {
    AnswerSource.EXISTING_COLUMN: "A column of the sheet",
    AnswerSource.MANUAL: "People write it",
    AnswerSource.AI_GENERATED: "A language model proposes it",
    AnswerSource.HYBRID: "A column, and a model for the rest",
    AnswerSource.CANONICAL: "Canonical labels only",
}


def state_of(sheet: TrainingSheet) -> str:
    """Where a training sheet stands as people see it: one that somebody paused or cancelled has not failed."""
    if sheet.is_paused:
        return "paused"
    if sheet.status is TrainingSheetStatus.FAILED and sheet.cancelled_by:
        return "cancelled"
    return sheet.status.value


def money(amount: float, currency: str = "") -> str:
    """An amount in its currency, small ones with two digits that say something: 12.30 EUR, 0.0042 USD."""
    digits = 2
    while digits < 6 and 0 < amount < 10 ** (1 - digits):
        digits += 1
    whole, _, rest = f"{amount:,.{digits}f}".partition(".")
    return f"{whole}.{rest.rstrip('0'):0<2} {currency}".rstrip()


def short_number(number: float) -> str:
    """A large number with two or three digits: 812, 12.4 k, 3.1 M."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:,.1f} {unit}"
    return f"{number:,.0f}"


def price_words(price: TokenPrice | None) -> str:
    """What a model costs for a million tokens."""
    if price is None:
        return "price not known"
    if not price.tokens_in and not price.tokens_out:
        return "free"
    return f"{price.tokens_in:,g} / {price.tokens_out:,g} {price.currency} per million tokens in / out"


def cost_words(estimate: CallEstimate) -> str:
    """What calls will cost, without the currency: an amount, nothing, or that nobody said what the model costs."""
    if not estimate.calls or estimate.cost == 0:
        return "Nothing"
    return "Not known" if estimate.cost is None else money(estimate.cost)


def time_words(estimate: CallEstimate) -> str:
    """How long calls will take."""
    return "Not known" if estimate.seconds is None else duration(estimate.seconds)


def calls_words(estimate: CallEstimate) -> str:
    """Calls, tokens, cost and time in one part of a sentence."""
    if not estimate.calls:
        return "no call to a model"
    cost = "cost not known" if estimate.cost is None else f"about {money(estimate.cost, estimate.currency)}"
    measured = "measured" if estimate.is_measured else "estimated, not measured yet"
    time = "" if estimate.seconds is None else f", about {duration(estimate.seconds)} ({measured})"
    return f"{counted(estimate.calls, 'call')}, {tokens_words(estimate.tokens_in, estimate.tokens_out)}, {cost}{time}"


def tokens_words(tokens_in: int, tokens_out: int) -> str:
    """Tokens going in and coming out."""
    return f"{short_number(tokens_in)} tokens in, {short_number(tokens_out)} out"


def spent_words(spent: Spending, budget: float | None, call_limit: int | None) -> str:
    """What was spent so far, of what may be spent; empty before the first call without a limit."""
    parts = []
    if spent.currency and (spent.calls or budget is not None):
        of_budget = f" of {money(budget, spent.currency)}" if budget is not None else ""
        parts.append(f"{money(spent.cost, spent.currency)}{of_budget}")
    if spent.calls or call_limit is not None:
        of_calls = f" of {call_limit:,}" if call_limit is not None else ""
        parts.append(f"{spent.calls:,}{of_calls} {'call' if spent.calls == 1 and not of_calls else 'calls'}")
        parts.append(tokens_words(spent.tokens_in, spent.tokens_out))
    if spent.kept_answers:
        parts.append(f"{counted(spent.kept_answers, 'kept answer')} at no cost")
    return " · ".join(parts)
