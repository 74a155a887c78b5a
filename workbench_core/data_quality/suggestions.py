"""Rules that a profile suggests, each with its reason (DQ-2): pure functions from profiles to proposals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from workbench_core.data_quality.rules import Criticality, Origin, RuleDraft
from workbench_core.data_quality.sentence_rules import name_alone
from workbench_core.ports import ColumnProfile, Json

LONGEST_VALUE = 40  # characters; longer texts are no classes
MOST_WORDS = 5
MOST_VALUES = 20  # distinct values up to which a list is suggested (DQ-2)
ROWS_A_VALUE = 10  # with fewer rows for each value on average, the list may lack one: it only warns
PATTERN_SHARE = 0.99
LOW, HIGH = 0.001, 0.999
DAY = 1440  # minutes
MOST_BLANK = 0.5  # above this share of texts without a letter nobody wants all of them filled
MOST_AHEAD = 0.1  # above this share of times in the future they are plans, and no rule forbids them


@dataclass(frozen=True, slots=True)
class RuleSuggestion:
    """A rule nobody has saved yet, and why it is proposed; the reason is kept in the draft as well.

    `is_structural` says that the rule follows from how the data is built, not only from the values that came so far.
    """

    draft: RuleDraft
    reason: str
    is_structural: bool = False


@dataclass(frozen=True, slots=True)
class Reference:
    """A key of a joined sheet: every looked-up value of `column` was found in a column of another table."""

    column: str
    ref_table: str
    ref_column: str


def suggest(
    profiles: Sequence[ColumnProfile], *, now: datetime, references: Sequence[Reference] = (), identifier: str = ""
) -> list[RuleSuggestion]:
    """Suggest rules column by column, in the order of the profile (DQ-2).

    Not-null where nothing is missing; unique where every row differs; a list up to 20 short values that repeat. A
    column without a list: one pattern that at least 99 % of the texts have, or the range of the numbers; a list says
    all that these could. Times: not in the future, and fresh. Structural are: the column `identifier` is unique,
    not-null, and lists with many rows for each value.
    """
    found: list[RuleSuggestion] = []
    for profile in profiles:
        if profile.rows:
            found += _of_column(profile, now, is_identifier=profile.column == identifier)
    found += [_foreign_key(one) for one in references]
    alone = [name_alone(profile.column) for profile in profiles]
    return [_named(one, alone) for one in found]


def _named(one: RuleSuggestion, alone: Sequence[str]) -> RuleSuggestion:
    """The suggestion with a short name: without the source of a joined column, where no other has its name alone."""
    short = tuple(name_alone(name) if alone.count(name_alone(name)) == 1 else name for name in one.draft.columns)
    return replace(one, draft=replace(one.draft, name=replace(one.draft, columns=short).proposed_name))


def _of_column(profile: ColumnProfile, now: datetime, *, is_identifier: bool) -> Iterator[RuleSuggestion]:
    yield from _present(profile)
    if profile.kind in ("nested", "binary", "boolean"):
        return
    if profile.is_unique and profile.rows > 1:
        reason = f"{profile.rows:,} different values in {profile.rows:,} rows"
        yield replace(_suggestion(profile, "is_unique", {}, reason), is_structural=is_identifier)
    if (values := _listed(profile)) is not None:
        yield _list(profile, values)
    elif profile.kind == "string" and profile.pattern_regex and profile.pattern_share >= PATTERN_SHARE:
        yield _pattern(profile)
    elif profile.kind == "number":
        yield from _range(profile)
    if profile.kind == "time":
        yield from _times(profile, now)


def _present(profile: ColumnProfile) -> Iterator[RuleSuggestion]:
    """A value in every row; of texts one that is not blank, which only warns where some are."""
    without = profile.nulls + profile.empty + profile.blank
    trimmed: dict[str, Json] = {"trim_strings": True}
    if profile.kind == "string" and not without:
        reason = f"no empty or blank value in {profile.rows:,} rows"
        yield _as_structural(_suggestion(profile, "is_not_null_and_not_empty", trimmed, reason))
        return
    if not profile.nulls:
        reason = f"no missing value in {profile.rows:,} rows"
        yield _as_structural(_suggestion(profile, "is_not_null", {}, reason))
    if profile.blank and without <= MOST_BLANK * profile.rows:
        reason = f"{without:,} of {profile.rows:,} are missing, empty or blank"
        yield _as_warning(_suggestion(profile, "is_not_null_and_not_empty", trimmed, reason))


def _listed(profile: ColumnProfile) -> list[Json] | None:
    """All values of a text or number column with few short ones, of which at least one repeats."""
    few = 1 <= profile.distinct <= MOST_VALUES and profile.duplicates > 0
    if not few or len(profile.top_values) < profile.distinct or profile.kind not in ("string", "number"):
        return None
    texts = sorted(text for text, _ in profile.top_values[: profile.distinct])
    if any(len(text) > LONGEST_VALUE or len(text.split()) > MOST_WORDS for text in texts):
        return None  # sentences are no classes
    if profile.kind == "string":
        return list(texts)
    numbers = sorted(float(text) for text in texts)
    if not all(math.isfinite(number) for number in numbers):
        return None
    return [int(number) if number.is_integer() else number for number in numbers]


def _list(profile: ColumnProfile, values: list[Json]) -> RuleSuggestion:
    known = "1 value" if profile.distinct == 1 else f"{profile.distinct} different values"
    reason = f"{known} in {profile.rows:,} rows"
    if profile.rows - profile.nulls >= ROWS_A_VALUE * profile.distinct:
        found = _suggestion(profile, "is_in_list", {"allowed": values}, reason)
        return found if profile.empty or profile.blank else _as_structural(found)
    few = f"{reason}, so few rows for each that another value may come"
    return _as_warning(_suggestion(profile, "is_in_list", {"allowed": values}, few))


def _pattern(profile: ColumnProfile) -> RuleSuggestion:
    share = math.floor(profile.pattern_share * 1000) / 10
    reason = f"{share:g} % of the values have the shape {profile.pattern}"
    whole = f"(?:{profile.pattern_regex})" if "|" in profile.pattern_regex else profile.pattern_regex
    # the check looks for the expression anywhere in a text, so that it needs its ends
    found = _suggestion(profile, "regex_match", {"regex": f"^{whole}$"}, reason)
    return found if profile.pattern_share >= 1 else _as_warning(found)


def _range(profile: ColumnProfile) -> Iterator[RuleSuggestion]:
    """From the least to the greatest value, so that every present row is inside; the reason tells where most lie."""
    if profile.minimum is None or profile.maximum is None or not _is_finite(profile):
        return
    low, high = float(profile.minimum), float(profile.maximum)
    if low >= high:
        return
    limits: dict[str, Json] = {"min_limit": _four_digits(low, up=False), "max_limit": _four_digits(high, up=True)}
    if "INT" in profile.data_type.upper():
        limits = {"min_limit": int(profile.minimum), "max_limit": int(profile.maximum)}
    reason = f"all values lie between {profile.minimum} and {profile.maximum}"
    quantiles = profile.quantiles or {}
    if LOW in quantiles and HIGH in quantiles:
        reason += f", 99.8 % of them between {quantiles[LOW]:g} and {quantiles[HIGH]:g}"
    yield _as_warning(_suggestion(profile, "is_in_range", limits, reason))


def _is_finite(profile: ColumnProfile) -> bool:
    """Whether all numbers are finite: the others are in no bin, and outside every range."""
    counted = sum(rows for _, _, rows in profile.histogram)
    return not profile.histogram or counted == profile.rows - profile.nulls


def _four_digits(value: float, *, up: bool) -> float:
    """The value with four digits, rounded away from the middle of the range."""
    if not value:
        return 0.0
    places = 3 - math.floor(math.log10(abs(value)))
    scaled = value * 10.0**places
    found = round((math.ceil(scaled) if up else math.floor(scaled)) * 10.0**-places, max(places, 0))
    return max(found, value) if up else min(found, value)


def _times(profile: ColumnProfile, now: datetime) -> Iterator[RuleSuggestion]:
    newest, oldest = _moment(profile.maximum), _moment(profile.minimum)
    if newest is None or oldest is None:
        return
    present = profile.rows - profile.nulls
    if not profile.ahead and newest <= now:
        reason = f"the newest of {profile.rows:,} rows is of {profile.maximum}"
        yield _suggestion(profile, "is_not_in_future", {}, reason)
    elif profile.ahead <= MOST_AHEAD * present:
        reason = f"{profile.ahead:,} of {present:,} lie ahead, the newest at {profile.maximum}"
        yield _as_warning(_suggestion(profile, "is_not_in_future", {}, reason))
    yield _fresh(profile, min(oldest, now), min(newest, now), now)


def _fresh(profile: ColumnProfile, oldest: datetime, newest: datetime, now: datetime) -> RuleSuggestion:
    # the check looks at every row, so its limit is the age of the oldest one, with room for as long as nothing came
    minutes = math.ceil(((now - oldest) + (now - newest)).total_seconds() / 60)
    if minutes > 2 * DAY:
        minutes = math.ceil(minutes / DAY) * DAY
    reason = f"the newest value is {_age(now, newest)} old and the oldest {_age(now, oldest)}"
    return _as_warning(_suggestion(profile, "is_data_fresh", {"max_age_minutes": max(minutes, 1)}, reason))


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
    return RuleSuggestion(draft, reason)


def _suggestion(profile: ColumnProfile, function: str, arguments: dict[str, Json], reason: str) -> RuleSuggestion:
    draft = RuleDraft(function, (profile.column,), arguments, origin=Origin.PROFILE, reason=reason)
    return RuleSuggestion(draft, reason)


def _as_structural(found: RuleSuggestion) -> RuleSuggestion:
    return replace(found, is_structural=True)


def _as_warning(found: RuleSuggestion) -> RuleSuggestion:
    """What holds for nearly all rows is told, and makes no row fail."""
    return replace(found, draft=replace(found.draft, criticality=Criticality.WARN))
