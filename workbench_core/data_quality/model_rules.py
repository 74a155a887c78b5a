"""Rules that a language model proposes from a sentence; nothing of it counts before the reader accepts it (DQ-3)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from workbench_core.data_quality.check_functions import CHECK_FUNCTIONS, CheckFunction, Scope
from workbench_core.data_quality.rule_files import ReadRules, read_entries
from workbench_core.data_quality.rules import Origin
from workbench_core.errors import BackendError, Invalid
from workbench_core.ports import ChatModel, ChatOptions, Column, Conversation, Json, Message

MAX_SENTENCE = 5_000
MAX_COLUMNS = 300
MAX_TOKENS = 600  # some ten rules; a small model that loses its way ends sooner
_SCHEMA: dict[str, Json] = {
    "type": "object",
    "properties": {
        "rules": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "criticality": {"enum": ["error", "warn"]},
                    "check": {
                        "type": "object",
                        "properties": {
                            "function": {"type": "string"},  # an unknown one costs its own rule, not the answer
                            "arguments": {"type": "object"},
                            "for_each_column": {"type": "array", "items": {"type": "string"}},
                        },
                        "required": ["function", "arguments"],
                    },
                    "filter": {"type": "string"},
                },
                "required": ["check"],
            },
        }
    },
    "required": ["rules"],
}
_TASK = (
    "You turn a description of data quality into rules in the format of Databricks DQX. Answer with JSON only: "
    '{"rules": [{"name": "...", "criticality": "error", "check": {"function": "...", "arguments": {...}}}]}. '
    "Use only the functions and columns listed. A function that looks at one column has the argument column, one that "
    "looks at several has columns, a list. criticality is error, or warn when the description only asks to be told. "
    "filter is optional: a SQL condition that says for which rows the rule counts."
)
_EXAMPLE = (
    '{"rules": [{"name": "price_in_range", "criticality": "error", "check": {"function": "is_in_range", '
    '"arguments": {"column": "price", "min_limit": 0, "max_limit": 100}}}]}'
)


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What a model proposed, read strictly; `problem` says why nothing could be read at all."""

    read: ReadRules | None
    problem: str = ""


def ask_model(
    model: ChatModel, sentence: str, columns: Sequence[Column], *, cancelled: Callable[[], bool] = lambda: False
) -> ModelAnswer:
    """Ask once. What keeps a model from answering, and what it answers wrongly, is a result and not an exception."""
    available = model.availability()
    if not available.is_ready:
        return ModelAnswer(None, f"The {model.title} cannot answer: {available.reason}")
    options = ChatOptions(temperature=0.0, max_tokens=MAX_TOKENS, schema=_SCHEMA)
    try:
        question = Conversation("rules", messages_for(sentence, columns))
        answers = list(model.answer([question], options=options, cancelled=cancelled))
    except BackendError as error:
        return ModelAnswer(None, f"The {model.title} did not answer: {error.message}")
    if not answers or answers[0].text is None:
        reason = answers[0].error if answers else "no answer came back."
        return ModelAnswer(None, f"The {model.title} gave no rules: {reason}")
    try:
        content = json.loads(answers[0].text)
        entries = content["rules"] if isinstance(content, dict) else content
        return ModelAnswer(read_entries(entries, origin=Origin.AI))
    except (ValueError, KeyError, RecursionError, Invalid):
        return ModelAnswer(None, f"The {model.title} answered with something that is no list of rules.")


def messages_for(sentence: str, columns: Sequence[Column]) -> tuple[Message, ...]:
    """The question: the task, the functions and columns that there are, an example, and the description."""
    functions = "\n".join(_function_line(function) for function in CHECK_FUNCTIONS.values())
    listed = "\n".join(f"- {column.name}: {column.data_type}" for column in columns[:MAX_COLUMNS])
    question = f"Functions:\n{functions}\n\nColumns:\n{listed}\n\nDescription:\n{sentence[:MAX_SENTENCE]}"
    return (
        Message("system", _TASK),
        Message("user", "Columns:\n- price: DOUBLE\n\nDescription:\nthe price lies between 0 and 100"),
        Message("assistant", _EXAMPLE),
        Message("user", question),
    )


def _function_line(function: CheckFunction) -> str:
    first = {Scope.COLUMN: ["column"], Scope.COLUMNS: ["columns"], Scope.ROW: []}[function.scope]
    names = [argument.name if argument.is_required else f"{argument.name}?" for argument in function.arguments]
    return f"- {function.name}({', '.join([*first, *names])}): {function.title}"
