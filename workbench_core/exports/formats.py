"""The records of all formats, byte for byte as TS-17 says: keys in its order, UTF-8 without escapes.

The shapes follow the vendors' documents for tuning data: OpenAI chat fine-tuning, Anthropic prompt and completion and
Messages, Gemini API and Vertex AI supervised tuning. All of them carry text alone: pictures would have to lie in the
storage of the vendor.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from json.encoder import encode_basestring
from typing import NamedTuple, TypeAlias

from workbench_core.exports.requests import ExportFormat
from workbench_core.ports.spreadsheet_cells import harmless_cell

COLUMNS = ("item_ref", "system", "user", "assistant", "label_type", "review_status", "split")
_DECODER = json.JSONDecoder()
_HUMAN = {"user": "Human", "assistant": "Assistant"}


class Turn(NamedTuple):
    """One message of a conversation."""

    role: str
    content: str


class ExportPair(NamedTuple):
    """One pair to write: the messages before the answer, and the answer."""

    item_ref: str
    turns: Sequence[Turn]
    answer: str
    label_type: str
    review_status: str

    def system(self) -> str:
        """What the system is told, empty when nothing; several messages stand as paragraphs."""
        return "\n\n".join([turn.content for turn in self.turns if turn.role == "system"])

    def dialogue(self) -> list[Turn]:
        """What is said before the answer, examples included, without the system's part."""
        return [turn for turn in self.turns if turn.role != "system"]

    def prompt(self) -> str:
        """What is said before the answer as one text; with examples each turn says who speaks."""
        said = self.dialogue()
        if len(said) == 1:
            return said[0].content
        return "\n\n".join([f"{_HUMAN.get(turn.role, turn.role.capitalize())}: {turn.content}" for turn in said])


Line: TypeAlias = Callable[[ExportPair], str]


def turns_from(messages: str) -> list[Turn]:
    """The turns of messages as a pair keeps them; content that is not text is written as JSON text."""
    return [Turn(message["role"], _text(message["content"])) for message in _DECODER.raw_decode(messages)[0]]


def _text(content: object) -> str:
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)


def line_of(format: ExportFormat, *, with_system: bool) -> Line:
    """The function that writes a pair as one line of JSON, without the line's end."""
    makers = {
        ExportFormat.OPENAI_CHAT: _openai_chat,
        ExportFormat.ANTHROPIC: _anthropic,
        ExportFormat.ANTHROPIC_MESSAGES: _anthropic_messages,
        ExportFormat.GEMINI: _gemini,
        ExportFormat.GEMINI_VERTEX: _gemini_vertex,
    }
    make = makers[format]
    return make if with_system else lambda pair: make(pair._replace(turns=pair.dialogue()))


def _openai_chat(pair: ExportPair) -> str:
    return f'{{"messages": [{_messages([*pair.turns, Turn("assistant", pair.answer)])}]}}'


def _anthropic(pair: ExportPair) -> str:
    told = encode_basestring(pair.prompt())
    return f'{{{_system(pair)}"prompt": {told}, "completion": {encode_basestring(pair.answer)}}}'


def _anthropic_messages(pair: ExportPair) -> str:
    said = _messages([*pair.dialogue(), Turn("assistant", pair.answer)])
    return f'{{{_system(pair)}"messages": [{said}]}}'


def _gemini(pair: ExportPair) -> str:
    system = pair.system()
    told = f'"system_instruction": {{"parts": [{{"text": {encode_basestring(system)}}}]}}, ' if system else ""
    return f"{{{told}{_contents(pair)}}}"


def _gemini_vertex(pair: ExportPair) -> str:
    system = pair.system()
    parts = f'{{"role": "system", "parts": [{{"text": {encode_basestring(system)}}}]}}' if system else ""
    told = f'"systemInstruction": {parts}, ' if parts else ""
    return f"{{{told}{_contents(pair)}}}"


def _messages(turns: Sequence[Turn]) -> str:
    return ", ".join([f'{{"role": {_role(role)}, "content": {encode_basestring(content)}}}' for role, content in turns])


@lru_cache(maxsize=64)
def _role(role: str) -> str:
    return encode_basestring(role)


def _system(pair: ExportPair) -> str:
    system = pair.system()
    return f'"system": {encode_basestring(system)}, ' if system else ""


def _contents(pair: ExportPair) -> str:
    said = [*pair.dialogue(), Turn("assistant", pair.answer)]
    contents = [
        f'{{"role": {_gemini_role(role)}, "parts": [{{"text": {encode_basestring(content)}}}]}}'
        for role, content in said
    ]
    return f'"contents": [{", ".join(contents)}]'


def _gemini_role(role: str) -> str:
    return encode_basestring("model" if role == "assistant" else role)


# --- tables ----------------------------------------------------------------------------------------------------------


def cells_of(pair: ExportPair, part: str, *, with_system: bool) -> tuple[str, ...]:
    """The values of `COLUMNS`; examples are folded into the text of the user."""
    system = pair.system() if with_system else ""
    return (pair.item_ref, system, pair.prompt(), pair.answer, pair.label_type, pair.review_status, part)


def csv_line(cells: Sequence[str]) -> str:
    """Cells as a line of CSV, all of them quoted: line breaks and blanks at the ends survive (RFC 4180)."""
    return ",".join(['"' + cell.replace('"', '""') + '"' for cell in cells])


def harmless_cells(cells: Sequence[str]) -> tuple[tuple[str, ...], int]:
    """The cells as a spreadsheet may open them, and how many it would have run as a formula."""
    harmless = tuple(map(harmless_cell, cells))
    return harmless, sum(before != after for before, after in zip(cells, harmless, strict=True))
