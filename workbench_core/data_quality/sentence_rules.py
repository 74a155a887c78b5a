"""Rules out of plain sentences, without a model: a small grammar over the columns that there are (DQ-3)."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from workbench_core.data_quality.rules import Criticality, Origin, RuleDraft
from workbench_core.ports import Column, Json

MAX_LENGTH = 5_000
EXAMPLES = (
    "email must not be empty",
    "price between 0 and 100",
    "status is one of open, closed",
    "id is unique",
    "sent_at is not in the future",
    "code matches ^[A-Z]{2}$",
    "name has 2 to 40 characters",
)
_EXAMPLE_FORMS = (
    ("{} is unique", ()),
    ("{} must not be empty", ("string",)),
    ("{} between 0 and 100", ("number",)),
    ("{} is not in the future", ("time",)),
    ("{} has 2 to 40 characters", ("string",)),
)
_IS = r"(?:(?:is|are|lies?|be|must|must be|should be|has to be|have to be|shall be|needs to be)\s+)?(?:always\s+)?"
_NOT = (
    r"(?:(?:must|should|may|can|shall|is|are)\s*(?:not|never)|cannot|can't|isn't|aren't|never|not)\s+(?:be\s+|lie\s+)?"
)
_VALUE = r"'[^']*'|\"[^\"]*\"|\S+"
_UNITS = {"minute": 1, "hour": 60, "day": 1440, "week": 10_080}
_SIGNS = {">": ">", "<": "<", "=": "=", ">=": ">=", "<=": "<=", "==": "=", "!=": "<>", "<>": "<>"}
_CLOSE = 0.75
_LEADING = re.compile(r"^(?:the|each|every|all|any|column|field|values? of)\s+", re.IGNORECASE)
_WORDS = re.compile(r"[0-9a-z]+")
_NEGATION = re.compile(r"\b(?:not|never|no)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SentenceResult:
    """The rules that were understood, and the parts that were not, as they stand in the text."""

    drafts: tuple[RuleDraft, ...]
    not_understood: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Rule:
    """A form of sentence. `build` gets the columns and the match; what it does not accept is not understood."""

    pattern: re.Pattern[str]
    build: Callable[[tuple[Column, ...], re.Match[str]], RuleDraft | None]


def read_sentences(text: str, columns: Sequence[Column]) -> SentenceResult:
    """Read sentences that end with a full stop, a semicolon or a line; several rules may be joined with “and”."""
    drafts: list[RuleDraft] = []
    unread: list[str] = []
    for sentence in re.split(r"\.(?=\s|$)|;|\n", text[:MAX_LENGTH]):
        clean = sentence.strip(" \t\r,-*•")
        if not clean:
            continue
        found = _read(clean, columns)
        if found is None:
            unread.append(clean)
        else:
            drafts += found
    return SentenceResult(tuple(drafts), tuple(unread))


def _read(sentence: str, columns: Sequence[Column], subject: str = "") -> list[RuleDraft] | None:
    """The rules of one sentence: as a whole, else in two parts at an “and”; the second may lack its subject."""
    criticality = Criticality.ERROR
    if found := re.match(r"(?:warn(?:ing)?|warn if not)\s*:\s*", sentence, re.IGNORECASE):
        sentence, criticality = sentence[found.end() :], Criticality.WARN
    for candidate in (sentence, f"{subject} {sentence}" if subject else ""):
        if candidate and (draft := _one(candidate, columns)) is not None:
            return [replace(draft, criticality=criticality, origin=Origin.MANUAL, reason=f"“{sentence}”")]
    for place in re.finditer(r"\s+and\s+|,\s+", sentence, re.IGNORECASE):
        first = _read(sentence[: place.start()], columns, subject)
        if first is None:
            continue
        rest = _read(sentence[place.end() :], columns, ", ".join(first[-1].columns))
        if rest is not None:
            return [replace(draft, criticality=criticality) for draft in (*first, *rest)]
    return None


def _one(sentence: str, columns: Sequence[Column]) -> RuleDraft | None:
    """The first form that fits, whose subject names columns."""
    for rule in _RULES:
        found = rule.pattern.fullmatch(sentence)
        if found is None:
            continue
        named = find_columns(found["subject"], columns)
        if named and (draft := rule.build(named, found)) is not None:
            return draft
    return None


def find_columns(text: str, columns: Sequence[Column]) -> tuple[Column, ...]:
    """The columns that a text names, e.g. “origin and dest”; empty when a part of it names none."""
    if (single := find_column(text, columns)) is not None:
        return (single,)
    parts = [part for part in re.split(r"\s*,\s*(?:and\s+)?|\s+and\s+", text.strip()) if part]
    found = [find_column(part, columns) for part in parts]
    return tuple(column for column in found if column is not None) if len(parts) > 1 and all(found) else ()


def find_column(text: str, columns: Sequence[Column]) -> Column | None:
    """The column that a name means: exactly, without case and punctuation, shortened (dep_delay), then the closest.

    Of a join it may be named without its source: `price` means `orders__price` unless another source has a price.
    """
    wanted = _LEADING.sub("", text.strip().strip("`\"'"))
    for column in columns:
        if wanted == column.name:
            return column
    by_key = {_key(column.name): column for column in reversed(columns)}
    key = _key(wanted)
    if key in by_key:
        return by_key[key]
    alone = [(_key(name_alone(column.name)), column) for column in columns]
    same = [column for name, column in alone if name == key]
    if same:
        return same[0] if len(same) == 1 else None
    words = _WORDS.findall(wanted.casefold())
    short = [c for name, c in alone if _is_short_for(_key(c.name), words) or _is_short_for(name, words)]
    if len(short) == 1:
        return short[0]
    several = [name for name, _ in alone]
    by_key |= {name: column for name, column in alone if several.count(name) == 1}
    is_guessable = len(key) > 2 and not _NEGATION.search(wanted)  # a guess must not swallow what turns it round
    near = difflib.get_close_matches(key, list(by_key), n=1, cutoff=_CLOSE) if is_guessable else []
    return by_key[near[0]] if near else None


def name_alone(name: str) -> str:
    """The name of a column of a join without its source: price of `orders__price`; any other name as it is."""
    source, mark, column = name.partition("__")
    return column if source and mark and column else name


def examples_for(columns: Sequence[Column], *, identifier: str = "") -> tuple[str, ...]:
    """Sentences about the columns that there are, all of which are understood; at most one of each form."""
    found: list[str] = []
    used: set[str] = set()
    first = sorted(columns, key=lambda column: column.name != identifier)
    for form, kinds in _EXAMPLE_FORMS:
        for column in first:
            alone = form.format(name_alone(column.name))
            sentence = alone if _means(alone, column, columns) else form.format(column.name)
            fits = column.name == identifier if form.endswith("unique") else column.kind in kinds
            if fits and column.name not in used and _means(sentence, column, columns):
                found.append(sentence)
                used.add(column.name)
                break
    return tuple(found)


def _means(sentence: str, column: Column, columns: Sequence[Column]) -> bool:
    """Whether a sentence is understood as one rule about this column."""
    read = read_sentences(sentence, columns)
    return not read.not_understood and [draft.columns for draft in read.drafts] == [(column.name,)]


def _is_short_for(key: str, words: Sequence[str]) -> bool:
    """Whether a name is put together of the beginnings of words: depdelay for “departure delay”."""
    if not words:
        return not key
    word, others = words[0], words[1:]
    longest = next((n for n in range(min(len(word), len(key)), 1, -1) if key.startswith(word[:n])), 0)
    return any(_is_short_for(key[n:], others) for n in range(longest, 1, -1))


def _key(name: str) -> str:
    return re.sub(r"[^0-9a-z]+", "", name.casefold())


# --- what each form means --------------------------------------------------------------------------------------------


def _present(columns: tuple[Column, ...], found: re.Match[str]) -> RuleDraft:
    is_text = all(column.kind == "string" for column in columns)
    wants_null_only = "null" in found[0].casefold() and "empty" not in found[0].casefold()
    function = "is_not_null_and_not_empty" if is_text and not wants_null_only else "is_not_null"
    return RuleDraft(function, _names(columns))


def _unique(columns: tuple[Column, ...], _: re.Match[str]) -> RuleDraft | None:
    return RuleDraft("is_unique", _names(columns))


def _listed(columns: tuple[Column, ...], found: re.Match[str]) -> RuleDraft | None:
    texts = [part for part in re.split(r"\s*,\s*(?:(?:and|or)\s+)?|\s+(?:and|or)\s+", found["values"].strip()) if part]
    values = [_typed(text, columns[0]) for text in texts]
    if not values or any(value is None for value in values):
        return None
    return RuleDraft("is_in_list", _names(columns), {"allowed": values})


def _between(columns: tuple[Column, ...], found: re.Match[str]) -> RuleDraft | None:
    low, high = _limit(found["low"], columns[0]), _limit(found["high"], columns[0])
    if low is None or high is None:
        return None
    return RuleDraft("is_in_range", _names(columns), {"min_limit": low, "max_limit": high})


def _limited(function: str) -> Callable[[tuple[Column, ...], re.Match[str]], RuleDraft | None]:
    def build(columns: tuple[Column, ...], found: re.Match[str]) -> RuleDraft | None:
        limit = _limit(found["value"], columns[0])
        return None if limit is None else RuleDraft(function, _names(columns), {"limit": limit})

    return build


def _not_negative(columns: tuple[Column, ...], _: re.Match[str]) -> RuleDraft | None:
    is_number = all(column.kind == "number" for column in columns)
    return RuleDraft("is_not_less_than", _names(columns), {"limit": 0}) if is_number else None


def _compared(sign: str) -> Callable[[tuple[Column, ...], re.Match[str]], RuleDraft | None]:
    def build(columns: tuple[Column, ...], found: re.Match[str]) -> RuleDraft | None:
        value = _typed(found["value"], columns[0])
        if len(columns) != 1 or columns[0].kind != "number" or not isinstance(value, int | float):
            return None
        name = _quoted(columns[0].name)
        return RuleDraft("sql_expression", _names(columns), {"expression": f"{name} {_SIGNS[sign]} {value}"})

    return build


def _expression(columns: tuple[Column, ...], found: re.Match[str]) -> RuleDraft | None:
    value = _typed(found["value"], columns[0])
    if len(columns) != 1 or not isinstance(value, int | float):
        return None
    return _compared(found["sign"])(columns, found)


def _matching(columns: tuple[Column, ...], found: re.Match[str]) -> RuleDraft | None:
    try:
        re.compile(found["regex"])
    except re.error:
        return None
    is_negated = bool(found["negated"])
    arguments: dict[str, Json] = {"regex": found["regex"], **({"negate": True} if is_negated else {})}
    return RuleDraft("regex_match", _names(columns), arguments)


def _length(columns: tuple[Column, ...], found: re.Match[str]) -> RuleDraft:
    parts = found.groupdict()
    low, high = parts.get("low") or parts.get("exact"), parts.get("high") or parts.get("exact")
    arguments: dict[str, Json] = {}
    if low:
        arguments["min_length"] = int(low)
    if high:
        arguments["max_length"] = int(high)
    return RuleDraft("length_between", _names(columns), arguments)


def _valid(columns: tuple[Column, ...], found: re.Match[str]) -> RuleDraft:
    functions = {"date": "is_valid_date", "json": "is_valid_json"}
    return RuleDraft(functions.get(found["form"].casefold(), "is_valid_timestamp"), _names(columns))


def _not_in_future(columns: tuple[Column, ...], _: re.Match[str]) -> RuleDraft:
    return RuleDraft("is_not_in_future", _names(columns))


def _fresh(columns: tuple[Column, ...], found: re.Match[str]) -> RuleDraft:
    minutes = int(found["count"]) * _UNITS[found["unit"].casefold()]
    return RuleDraft("is_data_fresh", _names(columns), {"max_age_minutes": minutes})


def _older(columns: tuple[Column, ...], found: re.Match[str]) -> RuleDraft:
    return RuleDraft("is_older_than_n_days", _names(columns), {"days": int(found["count"])})


def _foreign_key(columns: tuple[Column, ...], found: re.Match[str]) -> RuleDraft:
    ref_columns: list[Json] = [found["ref_column"]] if found["ref_column"] else [column.name for column in columns]
    return RuleDraft("foreign_key", _names(columns), {"ref_table": found["ref_table"], "ref_columns": ref_columns})


def _names(columns: tuple[Column, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(column.name for column in columns))


def _typed(text: str, column: Column) -> Json:
    """A value as the column has it; None when it does not fit."""
    plain = text.strip()
    if len(plain) > 1 and plain[0] == plain[-1] and plain[0] in "'\"":
        plain = plain[1:-1]
    if column.kind == "number":
        if not re.fullmatch(r"[-+]?\d[\d,]*(?:\.\d+)?", plain):
            return None
        number = float(plain.replace(",", ""))
        return int(number) if number.is_integer() else number
    return plain


def _limit(text: str, column: Column) -> Json:
    """A limit of a number or time column; None when it does not fit."""
    if column.kind == "time":
        return text if re.match(r"\d{4}-\d{2}-\d{2}", text) else None
    return _typed(text, column) if column.kind == "number" else None


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else '"' + name.replace('"', '""') + '"'


_SUBJECT = r"(?P<subject>.+?)\s+"
_FORMS: tuple[tuple[str, Callable[[tuple[Column, ...], re.Match[str]], RuleDraft | None]], ...] = (
    (_SUBJECT + _NOT + r"in the future", _not_in_future),
    (_SUBJECT + _NOT + r"negative", _not_negative),
    (_SUBJECT + _NOT + r"(?:empty|null|missing|blank)(?:\s+(?:or|and)\s+(?:empty|null|missing|blank))?", _present),
    (_SUBJECT + r"(?:is|are)\s+(?:always\s+)?(?:required|mandatory|present|filled)", _present),
    (_SUBJECT + r"(?:must|should|has to|have to)\s+(?:be (?:filled|present|given|set)|have a value|exist)", _present),
    (_SUBJECT + r"(?:has|have)\s+no\s+(?:nulls?|empty values?|missing values?|gaps)", _present),
    (r"(?:the combination of\s+)?" + _SUBJECT + _IS + r"(?:unique|distinct)(?:\s+together)?", _unique),
    (_SUBJECT + r"(?:has|have|must have|must not have)\s+(?:no\s+)?duplicates?", _unique),
    (r"no duplicates?\s+(?:in|of|for)\s+(?P<subject>.+)", _unique),
    (_SUBJECT + r"(?:exists?|is found|are found|must exist|must be found|" + _IS + r")\s*in\s+(?:table\s+)?"
     r"(?P<ref_table>\w+\.\w+\.\w+)(?:\.(?P<ref_column>\w+))?", _foreign_key),
    (_SUBJECT + _IS + r"(?:either|one of|among|in)\s*:?\s*[\[(]?(?P<values>[^\])]+?)[\])]?", _listed),
    (_SUBJECT + r"(?:has|have|must have|with)\s+(?:between\s+)?(?P<low>\d+)\s*(?:to|and|-|–)\s*(?P<high>\d+)\s+"
     r"(?:characters?|letters?|digits?)", _length),
    (_SUBJECT + r"(?:has|have|must have)\s+at least\s+(?P<low>\d+)\s+(?:characters?|letters?|digits?)", _length),
    (_SUBJECT + r"(?:has|have|must have)\s+at most\s+(?P<high>\d+)\s+(?:characters?|letters?|digits?)", _length),
    (_SUBJECT + r"(?:has|have|must have)\s+(?:exactly\s+)?(?P<exact>\d+)\s+(?:characters?|letters?|digits?)", _length),
    (_SUBJECT + _IS + r"between\s+(?P<low>\S+)\s+and\s+(?P<high>\S+)", _between),
    (_SUBJECT + _IS + r"from\s+(?P<low>\S+)\s+to\s+(?P<high>\S+)", _between),
    (_SUBJECT + _IS + r"(?:at most|no more than|not older than|no older than)\s+(?P<count>\d+)\s+"
     r"(?P<unit>minute|hour|day|week)s?(?:\s+old)?", _fresh),
    (_SUBJECT + _IS + r"(?:older than|more than)\s+(?P<count>\d+)\s+days?(?:\s+(?:ago|old))?", _older),
    (_SUBJECT + _IS + r"(?:at least|>=|not less than|no less than|not below)\s*(?P<value>\S+)",
     _limited("is_not_less_than")),
    (_SUBJECT + _IS + r"(?:at most|<=|not greater than|no more than|not more than|not above|up to)\s*(?P<value>\S+)",
     _limited("is_not_greater_than")),
    (_SUBJECT + _IS + r"(?:greater|larger|more|higher) than\s+(?P<value>\S+)", _compared(">")),
    (_SUBJECT + _IS + r"(?:less|smaller|lower|fewer) than\s+(?P<value>\S+)", _compared("<")),
    (_SUBJECT + r"(?:(?P<negated>(?:must|should|does|do|may) not)\s+match|(?:must\s+|should\s+)?match(?:es)?)\s+"
     r"(?:the\s+)?(?:pattern\s+|regex\s+|regular expression\s+)?(?P<regex>\S.*)", _matching),
    (_SUBJECT + _IS + r"(?:a\s+)?(?:valid\s+)(?P<form>date|timestamp|time|json)", _valid),
    (r"(?P<subject>.+?)\s*(?P<sign>>=|<=|<>|!=|==|=|>|<)\s*(?P<value>" + _VALUE + ")", _expression),
)  # fmt: skip
"""The forms of sentences with what each means, the more special ones first."""
_RULES = tuple(_Rule(re.compile(pattern, re.IGNORECASE), build) for pattern, build in _FORMS)
