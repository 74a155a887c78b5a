"""What asking a model has cost so far, and how much more may be asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from workbench_core import rows
from workbench_core.errors import Conflict, Invalid
from workbench_core.ports import ChatAnswer, ChatModel, Row, TokenPrice, Value

SPENDING_COLUMNS = "model_calls, kept_answers, tokens_in, tokens_out, cost, currency"
ADD_SPENDING = (
    "model_calls = model_calls + :calls, kept_answers = kept_answers + :kept_answers, "
    "tokens_in = tokens_in + :tokens_in, tokens_out = tokens_out + :tokens_out, cost = cost + :cost"
)
MOST_CALLS = 1_000_000_000
MOST_BUDGET = 1_000_000_000
LEAST_BUDGET = 1e-8  # as many digits as an amount is shown with
Limit = TypeVar("Limit", int, float)
_ROUNDING = 1e-12  # sums of prices must not miss a budget by the last digit


@dataclass(frozen=True, slots=True)
class Spending:
    """What was paid: calls to the model, their tokens and their cost; kept answers cost nothing and are apart."""

    calls: int = 0
    kept_answers: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0
    currency: str = ""

    def plus(self, other: Spending) -> Spending:
        """Both together, in the currency of this one."""
        return Spending(
            self.calls + other.calls,
            self.kept_answers + other.kept_answers,
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            self.cost + other.cost,
            self.currency or other.currency,
        )

    def within(self, currency: str) -> Spending:
        """As a part of a sum in this currency: amounts in another one cannot be added, its calls and tokens can."""
        return self if currency in {"", self.currency} else replace(self, cost=0.0, currency=currency)

    def parameters(self) -> dict[str, Value]:
        """The parameters of `ADD_SPENDING`."""
        return {
            "calls": self.calls,
            "kept_answers": self.kept_answers,
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
            "cost": self.cost,
        }


NOTHING = Spending()


def spending_of(answers: Iterable[ChatAnswer], price: TokenPrice | None) -> Spending:
    """What these answers cost; a model without a price costs nothing that is known."""
    paid, kept_answers = [], 0
    for answer in answers:
        if answer.is_kept:
            kept_answers += 1
        elif not answer.is_repeated:
            paid.append(answer)
    tokens_in, tokens_out = sum(a.tokens_in for a in paid), sum(a.tokens_out for a in paid)
    return Spending(
        calls=len(paid),
        kept_answers=kept_answers,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        cost=0.0 if price is None else price.cost(tokens_in, tokens_out),
        currency="" if price is None else price.currency,
    )


def spending_from(row: Row) -> Spending:
    """Read `SPENDING_COLUMNS` back."""
    return Spending(
        calls=rows.whole(row, "model_calls"),
        kept_answers=rows.whole(row, "kept_answers"),
        tokens_in=rows.whole(row, "tokens_in"),
        tokens_out=rows.whole(row, "tokens_out"),
        cost=rows.number(row, "cost"),
        currency=rows.text(row, "currency"),
    )


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much may be spent: a budget in the currency of the model's price, and a number of calls. None is no limit."""

    budget: float | None = None
    call_limit: int | None = None
    currency: str = ""

    def room(self, spent: Spending, *, outstanding: int, most: int) -> int:
        """How many more calls may be asked now, at most `most`, while `outstanding` ones have no answer yet.

        A budget goes by the mean cost of a call so far. Before the first answer there is none: one batch is asked then,
        and its answers are waited for.
        """
        room = most
        if self.call_limit is not None:
            room = min(room, self.call_limit - spent.calls - outstanding)
        if self.budget is not None:
            room = min(room, self._affordable(self.budget - spent.cost, spent, outstanding, most))
        return max(room, 0)

    def used_up(self, spent: Spending) -> str:
        """Which limit leaves no room for one more call, in words such as “The budget of 5.00 USD”; empty when none."""
        if self.room(spent, outstanding=0, most=1):
            return ""
        if self.call_limit is not None and spent.calls >= self.call_limit:
            return f"The limit of {self.call_limit:,} calls"
        return f"The budget of {money(self.budget or 0.0, self.currency)}"

    def left(self, spent: Spending) -> Allowance:
        """What is left of it after `spent`, for work that counts its own spending; at least one call's worth."""
        return Allowance(
            None if self.budget is None else max(round(self.budget - spent.cost, 10), LEAST_BUDGET),
            None if self.call_limit is None else max(self.call_limit - spent.calls, 1),
            self.currency,
        )

    def is_overspent(self, spent: Spending) -> bool:
        """Whether the money is gone, so that even what was asked for should not be begun."""
        return self.budget is not None and spent.cost >= self.budget - _ROUNDING

    def _affordable(self, left: float, spent: Spending, outstanding: int, most: int) -> int:
        if left <= _ROUNDING:
            return 0
        if not spent.calls:
            return 0 if outstanding else most
        mean = spent.cost / spent.calls
        if left >= mean * (outstanding + most):
            return most  # also when a call costs nothing, or nearly so
        return int((left + _ROUNDING) / mean) - outstanding


def checked_allowance(model: ChatModel, budget: float | None, call_limit: int | None) -> Allowance:
    """The limits as a person typed them. Raises Invalid for what is no limit, or a budget for a model without price."""
    if call_limit is not None and call_limit < 1:
        raise Invalid("The limit of calls must be at least 1.", hint="Leave it empty for no limit.")
    if call_limit is not None and call_limit > MOST_CALLS:
        raise Invalid(f"The limit of calls can be {MOST_CALLS:,} at most.", hint="Leave it empty for no limit.")
    if budget is not None and not budget >= LEAST_BUDGET:
        raise Invalid("The budget must be more than 0.", hint="Leave it empty for no budget.")
    if budget is not None and budget > MOST_BUDGET:
        raise Invalid(f"The budget can be {MOST_BUDGET:,} at most.", hint="Leave it empty for no budget.")
    if budget is not None and model.price is None:
        raise Invalid(
            f"The {model.title} has no price, so no budget can be kept.", hint="Limit the number of calls instead."
        )
    return Allowance(budget, call_limit, "" if model.price is None else model.price.currency)


def limit_from_now_on(former: Limit | None, given: Limit | None) -> Limit | None:
    """The limit that holds when work goes on: the former one unless one is given; 0 lifts it, and None is no limit."""
    if given is None:
        return former
    return given if given != 0 else None


def check_room(allowance: Allowance, spent: Spending) -> None:
    """Raise Conflict when nothing more may be asked."""
    if used_up := allowance.used_up(spent):
        raise Conflict(f"{used_up} is used up.", hint="Raise it to go on.")


def money(amount: float, currency: str) -> str:
    """An amount as people write it, small ones with the digits they need: “5.00 USD”, “0.0004 USD”."""
    digits = 2
    while digits < 8 and round(amount, digits) != round(amount, 8):
        digits += 1
    return f"{amount:,.{digits}f} {currency}".rstrip()
