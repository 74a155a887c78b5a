"""Making the messages of an item: prompts compiled once, then rendered with the values of each item."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from math import isnan
from types import TracebackType

from jinja2 import Template

from workbench_core.errors import Invalid
from workbench_core.ports import Message
from workbench_core.prompt_rendering.direct import direct_prompts
from workbench_core.prompt_rendering.grammar import faults, parsed
from workbench_core.prompt_rendering.sandbox import (
    BUDGET,
    ENVIRONMENT,
    FAILURES,
    MAX_OUTPUT,
    MAX_VALUE,
    Budget,
    Refused,
    Rewriting,
)

CUT_MARK = " […]"
_EXACT = 2**53  # above it a float does not hold every whole number
_HINT = "Correct the prompt, or give the placeholder another column."


class Renderer:
    """The messages of any item for one template. Compiling happens once, here; rendering is quick.

    Values are data: braces in them are never read as Jinja. `examples` are pairs of question and answer, taken as
    they are. Raises Invalid with prompt and line for a malformed prompt.
    """

    def __init__(self, system_prompt: str, user_prompt: str, examples: Sequence[tuple[str, str]] = ()) -> None:
        self._system = _Prompt("System prompt", system_prompt)
        self._user = _Prompt("User prompt", user_prompt)
        self._direct = direct_prompts(system_prompt, user_prompt)
        self._opening: tuple[str, tuple[Message, ...]] | None = None
        self._turns = tuple(
            message
            for question, answer in examples
            for message in (Message("user", question), Message("assistant", answer))
        )

    def render(self, variables: Mapping[str, str]) -> tuple[Message, ...]:
        """The system message (none when it is empty), the examples as turns, and the user message.

        Raises Invalid naming the line: a placeholder without a value, an empty user message, a step that goes too far.
        """
        direct = self._direct and self._direct.render(variables)
        system, user = direct or self.counted(variables)
        return self._messages(system, user)

    def render_columns(
        self, columns: Mapping[str, Sequence[str]], rows: int
    ) -> Iterator[tuple[Message, ...] | Invalid]:
        """The messages of many items, whose values come as columns of `rows` texts, or why one has none."""
        direct = self._direct and self._direct.render_columns(columns)
        for row in range(rows):
            try:
                if direct:
                    yield self._messages(*direct[row])
                else:
                    yield self.render({name: values[row] for name, values in columns.items()})
            except Invalid as error:
                yield error

    def questions(self, columns: Mapping[str, Sequence[str]]) -> tuple[tuple[Message, ...], list[str]] | None:
        """What `render_columns` gives, without an object for each item: the messages before the questions, and those.

        None when the messages before them are not the same for all, or an item needs to be rendered by itself.
        """
        texts = (self._direct and self._direct.render_columns(columns)) or []
        if len({system for system, _ in texts}) != 1 or any(not user or user.isspace() for _, user in texts):
            return None
        return self._before(texts[0][0]), [user for _, user in texts]

    def _messages(self, system: str, user: str) -> tuple[Message, ...]:
        if not user or user.isspace():
            raise Invalid("The rendered user prompt is empty.", hint="Check the mapped columns of this item.")
        return (*self._before(system), Message("user", user))

    def _before(self, system: str) -> tuple[Message, ...]:
        """The messages before the item's own: the same for all items, when the system prompt names no value."""
        opening = self._opening
        if opening is None or opening[0] != system:
            first = (Message("system", system),) if system.strip() else ()
            opening = self._opening = (system, (*first, *self._turns))
        return opening[1]

    def counted(self, variables: Mapping[str, str]) -> tuple[str, str]:
        """System and user text with every step counted: what holds whenever the direct way is not sure."""
        values: dict[str, object] = {name: _cut(value) for name, value in variables.items()}
        values[BUDGET] = Budget()
        return self._system.render(values), self._user.render(values)

    def shortened(self, variables: Mapping[str, str]) -> tuple[str, ...]:
        """The variables whose values are longer than MAX_VALUE and so were cut."""
        return tuple(name for name, value in variables.items() if len(value) > MAX_VALUE)


def text_of(value: object) -> str:
    """A cell of a table as a prompt shows it.

    NULL is empty, a whole number has no decimals, a time is in ISO form, a nested value is JSON.
    """
    if type(value) is str:
        return value
    if hasattr(value, "tolist"):
        value = value.tolist()  # NumPy's numbers and arrays as Python's
    if value is None or type(value).__name__ in {"NaTType", "NAType"}:
        return ""
    if isinstance(value, float):
        return _text_of_float(value)
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value.isoformat(sep=" ") if isinstance(value, datetime) else str(value)


def texts_of(values: Sequence[object]) -> Sequence[str]:
    """The cells of a column as prompts show them; most columns are texts already."""
    kinds = {*map(type, values)}
    if kinds == {str}:
        return values  # type: ignore[return-value]
    if kinds == {float}:
        return [_text_of_float(value) for value in values]  # type: ignore[arg-type]
    return [value if type(value) is str else text_of(value) for value in values]


def _text_of_float(value: float) -> str:
    if value.is_integer() and abs(value) < _EXACT:
        return str(int(value))  # a whole-number column with gaps arrives as floats
    return "" if isnan(value) else str(value)


class _Prompt:
    """One compiled prompt and the name by which errors call it."""

    def __init__(self, title: str, text: str) -> None:
        self._title = title
        if found := faults(text):
            raise Invalid(f"{title}, line {found[0].line}: {found[0].message}", hint="Correct the prompt.")
        self._template = _compiled(text)

    def render(self, values: dict[str, object]) -> str:
        """The text for these values. Raises Invalid."""
        pieces: list[str] = []
        size = 0
        try:
            for piece in self._template.root_render_func(self._template.new_context(values)):
                size += len(piece)
                if size > MAX_OUTPUT:
                    raise Refused(f"the prompt grows beyond {MAX_OUTPUT:,} characters")
                pieces.append(piece)
        except FAILURES as error:
            raise self._invalid(error) from error
        return "".join(pieces)

    def _invalid(self, error: Exception) -> Invalid:
        line = _line(self._template, error.__traceback__)
        return Invalid(f"{self._title}, line {line}: {str(error) or type(error).__name__}.", hint=_HINT)


@lru_cache(maxsize=64)
def _compiled(text: str) -> Template:
    """A prompt without faults as Python code."""
    tree = Rewriting().visit(parsed(text))
    tree.set_environment(ENVIRONMENT)
    return ENVIRONMENT.from_string(tree)


def _line(template: Template, trace: TracebackType | None) -> int:
    """The line of the prompt in which an error arose: the innermost frame of the compiled prompt."""
    line = 1
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":  # the name that Jinja gives to compiled text
            line = template.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return line


def _cut(value: str) -> str:
    return value if len(value) <= MAX_VALUE else value[:MAX_VALUE] + CUT_MARK
