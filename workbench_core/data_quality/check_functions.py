"""The checks that a rule can make: what each means, what it needs, and where it fits; forms are built from this.

Names, arguments and verdicts are those of DQX (https://databrickslabs.github.io/dqx/docs/reference/quality_checks/),
so that a rule set runs there unchanged; the three functions that DQX does not have are marked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from workbench_core.ports import Json

MAX_VALUES = 1_000
MAX_TEXT = 5_000
EVERY_KIND = ("string", "number", "boolean", "time", "nested", "binary")
_FLAT = ("string", "number", "boolean", "time")


class ArgumentKind(StrEnum):
    """What a person may enter for an argument, and how a form asks for it."""

    TEXT = "text"
    WHOLE = "whole number"
    YES_NO = "yes or no"
    VALUES = "list of values"
    LIMIT = "number, a time such as 2013-01-31, or a column"
    EXPRESSION = "condition on the columns of a row"
    REGEX = "regular expression"
    TABLE = "table"
    COLUMNS = "columns of the other table"
    VOLUME = "folder"


class Scope(StrEnum):
    """Whether a function looks at one column, at several together, or at a whole row."""

    COLUMN = "column"
    COLUMNS = "columns"
    ROW = "row"


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument beside the columns. `default` counts when it is left out."""

    name: str
    title: str
    kind: ArgumentKind
    is_required: bool = True
    default: Json = None
    hint: str = ""


@dataclass(frozen=True, slots=True)
class CheckFunction:
    """One check. `fits` are the kinds of columns that a form offers for it; `meaning` is completed by `meaning_of`."""

    name: str
    title: str
    meaning: str
    arguments: tuple[Argument, ...] = ()
    fits: tuple[str, ...] = EVERY_KIND
    scope: Scope = Scope.COLUMN
    is_in_dqx: bool = True
    reads_files: bool = False

    @property
    def required(self) -> tuple[str, ...]:
        """The names of the arguments that must be given."""
        return tuple(argument.name for argument in self.arguments if argument.is_required)


_ALLOWED = Argument("allowed", "Allowed values", ArgumentKind.VALUES)
_CASE = Argument("case_sensitive", "Upper and lower case differ", ArgumentKind.YES_NO, is_required=False, default=True)
_NEGATE = Argument("negate", "The opposite", ArgumentKind.YES_NO, is_required=False, default=False)
_TRIM = Argument("trim_strings", "Blanks count as empty", ArgumentKind.YES_NO, is_required=False, default=False)
_NULLS = Argument("allow_nulls", "No value passes", ArgumentKind.YES_NO, is_required=False, default=True)
_RANGE = (Argument("min_limit", "From", ArgumentKind.LIMIT), Argument("max_limit", "To", ArgumentKind.LIMIT), _NULLS)
_LIMIT = (Argument("limit", "Limit", ArgumentKind.LIMIT), _NULLS)
_VOLUME = (Argument("volume", "Folder with the files", ArgumentKind.VOLUME),)
_IMAGES = (
    Argument(
        "volume", "Folder with the images", ArgumentKind.VOLUME,
        hint="Of images above 80 megapixels or 20 MB only the header is read.",
    ),
)  # fmt: skip
_FORMAT_HINT = "Written as in Spark, e.g. yyyy-MM-dd; empty for the usual forms."

_FUNCTIONS = (
    CheckFunction("is_not_null", "Has a value", "{column} has a value"),
    CheckFunction(
        "is_not_empty", "Is not an empty text", "{column} is not an empty text{trim}", (_TRIM,), fits=("string",)
    ),
    CheckFunction(
        "is_not_null_and_not_empty", "Has a value that is not empty", "{column} has a value that is not empty{trim}",
        (_TRIM,), fits=("string",),
    ),
    CheckFunction(
        "is_in_list", "Is one of these values", "{column} is one of {allowed}, or has no value",
        (_ALLOWED, _CASE), fits=_FLAT,
    ),
    CheckFunction(
        "is_not_null_and_is_in_list", "Has one of these values", "{column} has a value, one of {allowed}",
        (_ALLOWED, _CASE), fits=_FLAT,
    ),
    CheckFunction(
        "is_in_range", "Lies between two limits", "{column} lies between {min_limit} and {max_limit}{needed}",
        _RANGE, fits=("number", "time"),
    ),
    CheckFunction(
        "is_not_in_range", "Lies outside two limits",
        "{column} does not lie between {min_limit} and {max_limit}{needed}", _RANGE, fits=("number", "time"),
    ),
    CheckFunction(
        "is_not_less_than", "Is at least", "{column} is at least {limit}{needed}", _LIMIT, fits=("number", "time")
    ),
    CheckFunction(
        "is_not_greater_than", "Is at most", "{column} is at most {limit}{needed}", _LIMIT, fits=("number", "time")
    ),
    CheckFunction(
        "regex_match", "Matches a pattern", "{column} {matches} {regex}",
        (Argument("regex", "Regular expression", ArgumentKind.REGEX), _NEGATE), fits=("string",),
    ),
    CheckFunction(
        "length_between", "Has a length between", "{column} has {length} characters",
        (
            Argument("min_length", "At least characters", ArgumentKind.WHOLE, is_required=False),
            Argument("max_length", "At most characters", ArgumentKind.WHOLE, is_required=False),
        ),
        fits=("string",), is_in_dqx=False,
    ),
    CheckFunction(
        "is_unique", "Is unique", "{column} is different in every row{nulls}{trim}",
        (
            Argument(
                "nulls_distinct", "Rows without a value all count as different", ArgumentKind.YES_NO,
                is_required=False, default=True,
            ),
            _TRIM,
        ),
        fits=_FLAT, scope=Scope.COLUMNS,
    ),
    CheckFunction(
        "is_valid_date", "Is a date", "{column} can be read as a date{date_format}",
        (Argument("date_format", "Form of the date", ArgumentKind.TEXT, is_required=False, hint=_FORMAT_HINT),),
        fits=("string",),
    ),
    CheckFunction(
        "is_valid_timestamp", "Is a time", "{column} can be read as a time{timestamp_format}",
        (Argument("timestamp_format", "Form of the time", ArgumentKind.TEXT, is_required=False, hint=_FORMAT_HINT),),
        fits=("string",),
    ),
    CheckFunction(
        "is_not_in_future", "Is not in the future", "{column} is not in the future{offset}",
        (Argument("offset", "Seconds allowed ahead", ArgumentKind.WHOLE, is_required=False, default=0),),
        fits=("time",),
    ),
    CheckFunction(
        "is_older_than_n_days", "Is older than some days", "{column} is {older} {days} days ago",
        (Argument("days", "Days", ArgumentKind.WHOLE), _NEGATE), fits=("time",),
    ),
    CheckFunction(
        "is_data_fresh", "Is fresh", "{column} is at most {age} older than {base}",
        (
            Argument("max_age_minutes", "Greatest age in minutes", ArgumentKind.WHOLE),
            Argument("base_timestamp", "Counted from", ArgumentKind.LIMIT, is_required=False, hint="Empty for now."),
        ),
        fits=("time",),
    ),
    CheckFunction("is_valid_json", "Is JSON", "{column} is valid JSON", fits=("string",)),
    CheckFunction(
        "foreign_key", "Is found in another table", "{column} {found} in {ref_columns} of {ref_table}",
        (
            Argument("ref_table", "Other table", ArgumentKind.TABLE),
            Argument("ref_columns", "Its columns", ArgumentKind.COLUMNS),
            _NEGATE,
        ),
        fits=_FLAT, scope=Scope.COLUMNS,
    ),
    CheckFunction(
        "sql_expression", "Meets a condition", "every row {meets} {expression}",
        (
            Argument("expression", "Condition", ArgumentKind.EXPRESSION, hint="For example dep_time < arr_time."),
            Argument("msg", "What a failure means", ArgumentKind.TEXT, is_required=False),
            Argument("name", "Name of the result", ArgumentKind.TEXT, is_required=False),
            _NEGATE,
        ),
        scope=Scope.ROW,
    ),
    CheckFunction(
        "file_exists", "Names a file", "{column} names a file in {volume}", _VOLUME, fits=("string",),
        is_in_dqx=False, reads_files=True,
    ),
    CheckFunction(
        "image_readable", "Names a readable image", "{column} names an image in {volume} that can be read", _IMAGES,
        fits=("string",), is_in_dqx=False, reads_files=True,
    ),
)  # fmt: skip
CHECK_FUNCTIONS: Mapping[str, CheckFunction] = {function.name: function for function in _FUNCTIONS}


def meaning_of(function: str, columns: Sequence[str], arguments: Mapping[str, Json]) -> str:
    """What a check demands, as one sentence without its full stop: “price lies between 0 and 100”."""
    known = CHECK_FUNCTIONS[function]
    words = {argument.name: _shown(arguments.get(argument.name, argument.default)) for argument in known.arguments}
    is_negated = arguments.get("negate") is True
    words |= {
        "allowed": _values_shown(arguments.get("allowed")),
        "column": _columns_shown(columns, together=known.scope is Scope.COLUMNS),
        "matches": "does not match" if is_negated else "matches",
        "meets": "fails" if is_negated else "meets",
        "found": "is not found" if is_negated else "is found",
        "older": "not more than" if is_negated else "more than",
        "needed": ", and is there" if arguments.get("allow_nulls") is False else "",
        "length": _length_shown(arguments.get("min_length"), arguments.get("max_length")),
        "age": _age_shown(arguments.get("max_age_minutes")),
        "base": _shown(arguments.get("base_timestamp")) or "now",
        "trim": "; blanks count as empty" if arguments.get("trim_strings") else "",
        "nulls": ", and at most one row is without" if arguments.get("nulls_distinct") is False else "",
        "date_format": _format_shown(arguments.get("date_format")),
        "timestamp_format": _format_shown(arguments.get("timestamp_format")),
        "offset": f" by more than {arguments['offset']} seconds" if arguments.get("offset") else "",
    }
    return known.meaning.format_map(words)


def argument_problems(function: str, arguments: Mapping[str, Json]) -> Iterator[str]:
    """What is wrong with the arguments of a known function, as sentences."""
    known = CHECK_FUNCTIONS[function]
    names = [argument.name for argument in known.arguments]
    for name in arguments:
        if name not in names:
            others = f"Its arguments: {', '.join(names)}." if names else "It takes a column only."
            yield f"{function} has no argument “{name}”. {others}"
    for argument in known.arguments:
        value = arguments.get(argument.name)
        if value is None or value == "":
            if argument.is_required:
                yield f"{function} needs “{argument.name}” ({argument.title.lower()})."
        elif problem := _value_problem(argument, value):
            yield f"“{argument.name}” of {function} {problem}."
    if function == "length_between" and not {"min_length", "max_length"} & arguments.keys():
        yield "length_between needs “min_length”, “max_length” or both."
    yield from _order_problems(function, arguments)


def _order_problems(function: str, arguments: Mapping[str, Json]) -> Iterator[str]:
    for low, high in (("min_limit", "max_limit"), ("min_length", "max_length")):
        first, last = arguments.get(low), arguments.get(high)
        if _is_number(first) and _is_number(last) and float(str(first)) > float(str(last)):
            yield f"“{low}” of {function} is larger than “{high}”."


def _value_problem(argument: Argument, value: Json) -> str:
    """What is wrong with one value, as the end of a sentence; empty when nothing is."""
    match argument.kind:
        case ArgumentKind.WHOLE:
            problem = "" if _is_whole(value) and int(str(value)) >= 0 else "must be a whole number of 0 or more"
        case ArgumentKind.YES_NO:
            problem = "" if isinstance(value, bool) else "must be true or false"
        case ArgumentKind.VALUES:
            problem = _list_problem(value, "values")
        case ArgumentKind.COLUMNS:
            problem = _list_problem(value, "columns", texts_only=True)
        case ArgumentKind.LIMIT:
            problem = "" if _is_number(value) or isinstance(value, str) else "must be a number, a time or a column"
        case _:
            problem = "" if isinstance(value, str) else "must be a text"
    is_long = isinstance(value, str) and len(value) > MAX_TEXT
    return f"is longer than {MAX_TEXT:,} characters" if is_long else problem


def _list_problem(value: Json, what: str, *, texts_only: bool = False) -> str:
    if not isinstance(value, list) or not value:
        return f"must be a list of {what}"
    if len(value) > MAX_VALUES:
        return f"has {len(value):,} {what}, more than {MAX_VALUES:,}"
    allowed: tuple[type, ...] = (str,) if texts_only else (str, int, float, bool)
    return "" if all(isinstance(entry, allowed) for entry in value) else f"may hold simple {what} only"


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Json) -> bool:
    return _is_number(value) and float(str(value)).is_integer()


def _shown(value: Json) -> str:
    if isinstance(value, list):
        shown = [_shown(entry) for entry in value[:12]]
        return ", ".join(shown) + (f" and {len(value) - 12} more" if len(value) > 12 else "")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)


def _values_shown(values: Json) -> str:
    """Values of a list, texts in quotes: without them an empty one, or one with a comma, could not be told."""
    if not isinstance(values, list):
        return _shown(values)
    return _shown([f"“{value}”" if isinstance(value, str) else value for value in values])


def _columns_shown(columns: Sequence[str], *, together: bool) -> str:
    if together and len(columns) > 1:
        return f"the combination of {', '.join(columns)}"
    return columns[0] if len(columns) == 1 else f"each of {', '.join(columns)}"


def _length_shown(low: Json, high: Json) -> str:
    if low is None or high is None:
        return f"at most {high}" if low is None else f"at least {low}"
    return f"{low} to {high}"


def _age_shown(minutes: Json) -> str:
    """Minutes in whole days where they are some."""
    days, rest = divmod(int(str(minutes)), 1440) if _is_whole(minutes) else (0, 1)
    return f"{days:,} days" if days > 1 and not rest else f"{_shown(minutes)} minutes"


def _format_shown(value: Json) -> str:
    return f" in the form {value}" if value else ""
