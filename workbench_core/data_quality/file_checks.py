"""The two checks that open files: whether a column names a file of a folder, and whether it is a readable image.

Each different value is looked at once; the lake then counts rows by the verdicts, together with all other checks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from workbench_core import pictures
from workbench_core.data_quality.check_functions import CHECK_FUNCTIONS
from workbench_core.errors import Invalid, NotFound, WorkbenchError
from workbench_core.ports import Json, Lake, RowCheck, Selection

MOST_VALUES = 200_000
MOST_LISTED = 10_000  # values that one check of the lake takes
MOST_EXPRESSION = 18_000  # characters of an expression that the lake reads
MOST_BYTES = 20_000_000  # of a larger image only the header is read
HEADER_BYTES = 1_000_000
_NO_FILE = "/"  # never the path of a file in a folder


def reads_files(check: RowCheck) -> bool:
    """Whether a check is one of the two."""
    function = CHECK_FUNCTIONS.get(check.function)
    return function is not None and function.reads_files


def file_problem(lake: Lake, check: RowCheck) -> str:
    """Why such a check cannot be made, as a sentence; empty when it can."""
    try:
        entry = lake.entry(str(check.arguments["volume"]))
    except WorkbenchError as error:
        return error.message
    return "" if entry.kind == "volume" else f"“{entry.name}” is a table, not a folder of files."


def stand_in(check: RowCheck) -> RowCheck:
    """A check of the values alone, so that the lake can say whether it knows the column and understands the filter."""
    column = check.arguments.get("column")
    return replace(check, function="regex_match", arguments={"column": column, "regex": "."})


def resolve(lake: Lake, selection: Selection, check: RowCheck, *, go_on: Callable[[], None] = lambda: None) -> RowCheck:
    """The same check on values instead of files, for the lake to count; calls `go_on` now and then.

    Raises Invalid for a folder that is not there, or too many different values for one check.
    """
    if problem := file_problem(lake, check):
        raise Invalid(f"“{check.name}”: {problem}", hint="Change or disable the rule.")
    column, volume = str(check.arguments["column"]), str(check.arguments["volume"])
    is_good = _image_opens(lake, volume) if check.function == "image_readable" else _file_is_there(lake, volume)
    good: list[str] = []
    bad: list[str] = []
    values = lake.values(selection, column, limit=MOST_VALUES + 1)
    if len(values) > MOST_VALUES:
        raise Invalid(f"“{column}” has more than {MOST_VALUES:,} different values to open.", hint="Narrow the sheet.")
    for value in values:
        go_on()
        (good if is_good(value) else bad).append(value)
    return _as_value_check(check, column, good, bad)


def _file_is_there(lake: Lake, volume: str) -> Callable[[str], bool]:
    paths = {file.path for file in lake.files(volume)}

    def is_there(value: str) -> bool:
        return _path_in(volume, value) in paths

    return is_there


def _image_opens(lake: Lake, volume: str) -> Callable[[str], bool]:
    sizes = {file.path: file.size_bytes for file in lake.files(volume)}

    def opens(value: str) -> bool:
        path = _path_in(volume, value)
        if path not in sizes:
            return False
        is_whole = sizes[path] <= MOST_BYTES
        try:
            content = lake.read_start(volume, path, size_bytes=MOST_BYTES if is_whole else HEADER_BYTES)
        except (Invalid, NotFound):
            return False
        return pictures.is_readable(content, is_whole=is_whole)

    return opens


def _path_in(volume: str, value: str) -> str:
    """The path in this volume that a value names, read as for thumbnails; empty when it names none there."""
    place = pictures.picture_place(value, [volume])
    return place.path if place is not None and place.volume == volume else ""


def _as_value_check(check: RowCheck, column: str, good: list[str], bad: list[str]) -> RowCheck:
    if len(good) < MOST_LISTED:
        allowed: list[Json] = [*good] or [_NO_FILE]
        return replace(check, function="is_in_list", arguments={"column": column, "allowed": allowed})
    name = '"' + column.replace('"', '""') + '"'
    listed = ", ".join("'" + value.replace("'", "''") + "'" for value in bad)
    expression = f"{name} NOT IN ({listed})" if bad else f"{name} IS NULL OR {name} IS NOT NULL"
    if len(expression) > MOST_EXPRESSION:
        raise Invalid(
            f"“{check.name}” found {len(bad):,} broken files among {len(good) + len(bad):,}, more than it can tell.",
            hint="Narrow the sheet, or repair the folder first.",
        )
    arguments: dict[str, Json] = {"expression": expression, "columns": [column]}
    return replace(check, function="sql_expression", arguments=arguments)
