"""Rules that a profile suggests, each with its reason (DQ-2): pure functions from profiles to proposals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from workbench_core.data_quality.rules import Criticality, Origin, RuleDraft
from workbench_core.ports import ColumnProfile, Json

MOST_VALUES = 20  # distinct values up to which a list is suggested (DQ-2)
ROWS_A_VALUE = 10  # rows that every value must have on average, else a short list is chance
PATTERN_SHARE = 0.99
LOW, HIGH = 0.001, 0.999
FRESH_DAYS = 31  # data whose newest value is older than this is not fed any more


@dataclass(frozen=True, slots=True)
class RuleSuggestion:
    """A rule nobody has saved yet, and why it is proposed; the reason is kept in the draft as well."""

    draft: RuleDraft
    reason: str


@dataclass(frozen=True, slots=True)
class Reference:
    """A key of a joined sheet: every looked-up value of `column` was found in a column of another table."""

    column: str
    ref_table: str
    ref_column: str


def suggest(
    profiles: Sequence[ColumnProfile], *, now: datetime, references: Sequence[Reference] = ()
) -> list[RuleSuggestion]:
    """Suggest rules column by column, in the order of the profile.

    Not-null where nothing is missing; unique where every row differs; a list up to 20 values that repeat; one pattern
    that at least 99 % have; the range of the 0.1 and 99.9 % quantiles; times not in the future, and fresh.
    """
    found: list[RuleSuggestion] = []
    for profile in profiles:
        if profile.rows:
            found += _of_column(profile, now)
    return [*found, *(_foreign_key(one) for one in references)]


def _of_column(profile: ColumnProfile, now: datetime) -> Iterator[RuleSuggestion]:
    if profile.nulls == 0:
        yield _present(profile)
    if profile.kind in ("nested", "binary", "boolean"):
        return
    if profile.is_unique and profile.rows > 1 and profile.kind in ("string", "number"):
        reason = f"{profile.rows:,} different values in {profile.rows:,} rows"
        yield _suggestion(profile, "is_unique", {}, reason)
    if (values := _listed(profile)) is not None:
        reason = f"{profile.distinct} different values in {profile.rows:,} rows"
        yield _suggestion(profile, "is_in_list", {"allowed": values}, reason)
    elif profile.kind == "string" and profile.pattern_regex and profile.pattern_share >= PATTERN_SHARE:
        yield _pattern(profile)
    elif profile.kind == "number" and not profile.is_unique:
        yield from _range(profile)
    if profile.kind == "time":
        yield from _times(profile, now)


def _present(profile: ColumnProfile) -> RuleSuggestion:
    if profile.kind == "string" and profile.empty == 0:
        reason = f"no empty value in {profile.rows:,} rows"
        return _suggestion(profile, "is_not_null_and_not_empty", {}, reason)
    return _suggestion(profile, "is_not_null", {}, f"no missing value in {profile.rows:,} rows")


def _listed(profile: ColumnProfile) -> list[Json] | None:
    """All values of a column with few of them. Of numbers only whole ones, and more than one: codes, not amounts."""
    few = 1 <= profile.distinct <= MOST_VALUES and profile.rows >= ROWS_A_VALUE * profile.distinct
    if not few or len(profile.top_values) < profile.distinct or profile.kind not in ("string", "number"):
        return None
    texts = sorted(text for text, _ in profile.top_values[: profile.distinct])
    if any(len(text) >= 500 for text in texts):
        return None  # the profile cuts long values
    if profile.kind == "string":
        return list(texts)
    numbers = [float(text) for text in texts]
    if profile.distinct < 2 or not all(number.is_integer() for number in numbers):
        return None
    return [int(number) for number in sorted(numbers)]


def _pattern(profile: ColumnProfile) -> RuleSuggestion:
    share = math.floor(profile.pattern_share * 1000) / 10
    reason = f"{share:g} % of the values have the shape {profile.pattern}"
    whole = f"(?:{profile.pattern_regex})" if "|" in profile.pattern_regex else profile.pattern_regex
    # the check looks for the expression anywhere in a text, so that it needs its ends
    found = _suggestion(profile, "regex_match", {"regex": f"^{whole}$"}, reason)
    return found if profile.pattern_share >= 1 else _as_warning(found)


def _range(profile: ColumnProfile) -> Iterator[RuleSuggestion]:
    quantiles = profile.quantiles or {}
    low, high = quantiles.get(LOW), quantiles.get(HIGH)
    if low is None or high is None or not math.isfinite(low) or not math.isfinite(high) or low >= high:
        return
    is_whole = "INT" in profile.data_type.upper()
    limits: dict[str, Json] = {"min_limit": _four_digits(low, up=False), "max_limit": _four_digits(high, up=True)}
    if is_whole:
        limits = {"min_limit": math.floor(low), "max_limit": math.ceil(high)}
    reason = (
        f"99.8 % of the values lie between {low:g} and {high:g}, the 0.1 % and the 99.9 % quantile; "
        f"all lie between {profile.minimum} and {profile.maximum}"
    )
    yield _as_warning(_suggestion(profile, "is_in_range", limits, reason))


def _four_digits(value: float, *, up: bool) -> float:
    """The value with four digits, rounded away from the middle of the range."""
    if not value:
        return 0.0
    places = 3 - math.floor(math.log10(abs(value)))
    scaled = value * 10.0**places
    return round((math.ceil(scaled) if up else math.floor(scaled)) * 10.0**-places, max(places, 0))


def _times(profile: ColumnProfile, now: datetime) -> Iterator[RuleSuggestion]:
    newest, oldest = _moment(profile.maximum), _moment(profile.minimum)
    if newest is None or oldest is None or newest > now:
        return
    yield _suggestion(profile, "is_not_in_future", {}, f"the newest of {profile.rows:,} rows is of {profile.maximum}")
    if (now - newest).days > FRESH_DAYS:
        return
    # the check looks at every row, so its limit is the age of the oldest one, with room for as long as nothing came
    minutes = math.ceil(((now - oldest) + (now - newest)).total_seconds() / 60)
    reason = f"the newest value is {_age(now, newest)} old and the oldest {_age(now, oldest)}"
    yield _as_warning(_suggestion(profile, "is_data_fresh", {"max_age_minutes": max(minutes, 1)}, reason))


def _moment(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _age(now: datetime, moment: datetime) -> str:
    minutes = (now - moment).total_seconds() / 60
    if minutes < 120:
        return f"{minutes:.0f} minutes"
    return f"{minutes / 60:.0f} hours" if minutes < 48 * 60 else f"{minutes / 1440:,.0f} days"


def _foreign_key(one: Reference) -> RuleSuggestion:
    reason = f"every looked-up value is in {one.ref_column} of {one.ref_table}"
    arguments: dict[str, Json] = {"ref_table": one.ref_table, "ref_columns": [one.ref_column]}
    draft = RuleDraft("foreign_key", (one.column,), arguments, origin=Origin.PROFILE, reason=reason)
    return RuleSuggestion(replace(draft, name=draft.proposed_name), reason)


def _suggestion(profile: ColumnProfile, function: str, arguments: dict[str, Json], reason: str) -> RuleSuggestion:
    draft = RuleDraft(function, (profile.column,), arguments, origin=Origin.PROFILE, reason=reason)
    return RuleSuggestion(replace(draft, name=draft.proposed_name), reason)


def _as_warning(found: RuleSuggestion) -> RuleSuggestion:
    """What holds for nearly all rows is told, and makes no row fail."""
    return replace(found, draft=replace(found.draft, criticality=Criticality.WARN))
