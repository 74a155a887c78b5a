"""What is wrong with a JSON file, in plain words: the line, or the record, and the reason."""

from __future__ import annotations

import json
import re
from json import JSONDecodeError
from pathlib import Path

from workbench_core.errors import Invalid

HINT = "Check this place in an editor; a list needs commas between its values, keys and texts need double quotes."
LINES_HINT = 'Each line must be one object such as {"id": 1, "text": "..."}.'
OBJECTS_HINT = 'A table needs a list of objects such as [{"id": 1}, {"id": 2}].'
REASONS = {
    "Expecting property name enclosed in double quotes": "a key in double quotes is expected",
    "Expecting ',' delimiter": "a comma is missing, or the text ends too early",
    "Expecting ':' delimiter": "a colon is missing behind a key",
    "Expecting value": "a value is missing",
    "Unterminated string starting at": "a text has no closing quote",
    "Invalid control character at": "a text holds a line break or another control character",
    "Extra data": "there is more behind the end of the value",
}
TRAILING_COMMA = "a comma stands before a closing bracket"
HALF_CHARACTER = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)


def explain(file: Path, *, is_lines: bool) -> Invalid | None:
    """The first thing that is wrong with a JSON file; None when nothing is found."""
    return _of_lines(file) if is_lines else _of_document(file)


def plain_kind(value: object) -> str:
    """What a JSON value is, in words."""
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


def _of_lines(file: Path) -> Invalid | None:
    with file.open(encoding="utf-8") as handle:
        for number, line in enumerate(handle, start=1):
            if not line.strip():
                continue
            try:
                value = json.loads(line.rstrip("\r\n"))
            except JSONDecodeError as error:
                return Invalid(f"Line {number}, character {error.colno}: {_reason(error)}.", hint=LINES_HINT)
            except RecursionError:
                return Invalid(f"Line {number} is nested too deeply.", hint=LINES_HINT)
            if not isinstance(value, dict):
                return Invalid(f"Line {number} is {plain_kind(value)}, not an object.", hint=LINES_HINT)
            if half := HALF_CHARACTER.search(line):
                return _half_character(half, number)
    return None


def _of_document(file: Path) -> Invalid | None:
    text = file.read_text(encoding="utf-8")
    try:
        problem = _of_values(text)
    except JSONDecodeError as error:
        return Invalid(f"Line {error.lineno}, character {error.colno}: {_reason(error)}.", hint=HINT)
    except RecursionError:
        return Invalid("The JSON in the file is nested too deeply.", hint=OBJECTS_HINT)
    half = None if problem else HALF_CHARACTER.search(text)
    return _half_character(half, text.count("\n", 0, half.start()) + 1) if half else problem


def _half_character(found: re.Match[str], line: int) -> Invalid:
    return Invalid(
        f"Line {line}: {found[0]} is half of a character, its other half is missing.",
        hint="Write the character itself, or both halves.",
    )


def _of_values(text: str) -> Invalid | None:
    """Look at the values of a list one by one, so that only one of them is held at a time."""
    decoder = json.JSONDecoder()
    place = _skip(text, 0)
    if not text.startswith("[", place):
        value = json.loads(text)
        if isinstance(value, dict):
            return None
        return Invalid(f"The file holds {plain_kind(value)}, not a table.", hint=OBJECTS_HINT)
    place, number = _skip(text, place + 1), 0
    while not text.startswith("]", place):
        number += 1
        start = place
        value, place = decoder.raw_decode(text, place)
        if not isinstance(value, dict):
            line = text.count("\n", 0, start) + 1
            return Invalid(f"Record {number} (line {line}) is {plain_kind(value)}, not an object.", hint=OBJECTS_HINT)
        place = _skip(text, place)
        if text.startswith(",", place):
            place = _skip(text, place + 1)
            if text.startswith("]", place):
                raise JSONDecodeError("Expecting value", text, place)
        elif not text.startswith("]", place):
            raise JSONDecodeError("Expecting ',' delimiter", text, place)
    behind = _skip(text, place + 1)
    if behind < len(text):
        raise JSONDecodeError("Extra data", text, behind)
    return None


def _skip(text: str, place: int) -> int:
    while place < len(text) and text[place] in " \t\r\n":
        place += 1
    return place


def _reason(error: JSONDecodeError) -> str:
    if error.doc[error.pos : error.pos + 1] in ("]", "}") and error.doc[: error.pos].rstrip(" \t\r\n").endswith(","):
        return TRAILING_COMMA
    return REASONS.get(error.msg, error.msg[:1].lower() + error.msg[1:])
