"""The front matter of template files, read without the traps of YAML.

Only plain mappings, lists, texts, numbers and booleans are read: anchors, tags and repeated keys are refused. A text is
taken as it is written, so that `name: no` and `version: 1.10` mean what they say.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import TypeVar

import yaml

from workbench_core.errors import Invalid
from workbench_core.metrics import FieldType
from workbench_core.ports import Json
from workbench_core.prompt_templates.fields import InputField, OutputField, TemplateExample
from workbench_core.prompt_templates.template import AnswerSource, TemplateDraft
from workbench_core.usage import ALL_USES, Classification, UsageRules, Use

MAX_NESTING = 20
MAX_PARTS = 20_000  # keys, values and marks; a template with everything has a tenth of it
HINT = "Export a template to see the form of such a file."
_OPENING = (
    yaml.BlockMappingStartToken, yaml.BlockSequenceStartToken, yaml.FlowMappingStartToken, yaml.FlowSequenceStartToken,
)  # fmt: skip
_CLOSING = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)
_NULL, _BOOL = "tag:yaml.org,2002:null", "tag:yaml.org,2002:bool"
_INT, _FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
Entry = TypeVar("Entry")
Word = TypeVar("Word", bound=StrEnum)


def draft_of(head: str, user_prompt: str, *, first_line: int) -> TemplateDraft:
    """The template of a front matter and a user prompt; the head begins on line `first_line` of the file.

    Raises Invalid with the line.
    """
    node = _composed(head, first_line)
    reader = _Reader(first_line)
    parts = reader.mapping(node, {*_READERS, "version"}, needed=("name", "label_type"))
    values = {name: read(reader, parts[name]) for name, read in _READERS.items() if name in parts}
    return TemplateDraft(**values, user_prompt=user_prompt)  # type: ignore[arg-type]  # one reader for each field


def _composed(head: str, first_line: int) -> yaml.Node:
    """The syntax tree. Raises Invalid for what is no YAML, or more of it than plain values."""
    try:
        _check_tokens(head, first_line)
        node = yaml.compose(head, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _invalid(f"this is no YAML ({error.problem or error.context})", first_line, mark) from None
    except (yaml.YAMLError, ValueError) as error:  # characters that YAML does not allow
        reason = str(error).splitlines()[0]
        raise Invalid(f"Line {first_line} or later: this is no YAML ({reason}).", hint=HINT) from None
    if node is None:
        raise Invalid(f"Line {first_line}: the front matter is empty.", hint=HINT)
    return node


def _check_tokens(head: str, first_line: int) -> None:
    """Refuse anchors (a small file could blow up), tags, depth and masses before anything is built."""
    depth = 0
    for number, token in enumerate(yaml.scan(head, Loader=yaml.SafeLoader)):
        if number > MAX_PARTS:
            raise _invalid("the front matter has too many entries", first_line, token.start_mark)
        if isinstance(token, yaml.AnchorToken | yaml.AliasToken):
            raise _invalid("anchors and aliases (& and *) are not allowed", first_line, token.start_mark)
        if isinstance(token, yaml.TagToken | yaml.DirectiveToken):
            raise _invalid("tags and directives (! and %) are not allowed", first_line, token.start_mark)
        depth += isinstance(token, _OPENING)
        depth -= isinstance(token, _CLOSING)
        if depth > MAX_NESTING:
            raise _invalid("this is too deeply nested", first_line, token.start_mark)


def _invalid(message: str, first_line: int, mark: yaml.Mark | None) -> Invalid:
    return Invalid(f"Line {first_line + (mark.line if mark else 0)}: {message}.", hint=HINT)


class _Reader:
    """Reads values out of a syntax tree; every refusal names the line."""

    def __init__(self, first_line: int) -> None:
        self._first_line = first_line
        self._constructor = yaml.constructor.SafeConstructor()

    def refuse(self, node: yaml.Node, message: str) -> Invalid:
        """The refusal of a node."""
        return _invalid(message, self._first_line, node.start_mark)

    def pairs(self, node: yaml.Node) -> Iterator[tuple[str, yaml.Node]]:
        """The keys and values of a mapping, each key once."""
        if not isinstance(node, yaml.MappingNode):
            raise self.refuse(node, "keys and values are expected here")
        seen = set()
        for key, value in node.value:
            name = self.text(key)
            if name in seen:
                raise self.refuse(key, f"“{name}” is there twice")
            seen.add(name)
            yield name, value

    def mapping(self, node: yaml.Node, known: set[str], *, needed: Sequence[str] = ()) -> dict[str, yaml.Node]:
        """The values of a mapping with these keys."""
        found = dict(self.pairs(node))
        for key, _ in node.value:
            if key.value not in known:
                raise self.refuse(key, f"“{key.value}” is not known here; known are {', '.join(sorted(known))}")
        for name in needed:
            if name not in found:
                raise self.refuse(node, f"“{name}” is missing")
        return found

    def sequence(self, node: yaml.Node, read: Callable[[yaml.Node], Entry]) -> tuple[Entry, ...]:
        """The entries of a list; a key without a value is an empty one."""
        if isinstance(node, yaml.ScalarNode) and node.tag == _NULL:
            return ()
        if not isinstance(node, yaml.SequenceNode):
            raise self.refuse(node, "a list is expected here")
        return tuple(read(entry) for entry in node.value)

    def text(self, node: yaml.Node) -> str:
        """A text as it is written, whatever YAML takes it for."""
        if not isinstance(node, yaml.ScalarNode):
            raise self.refuse(node, "a text is expected here")
        return "" if node.tag == _NULL else str(node.value)

    def number(self, node: yaml.Node) -> float:
        """A finite number."""
        try:
            value = float(self.text(node))
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.refuse(node, "a number is expected here")
        return value

    def whole(self, node: yaml.Node) -> int:
        """A whole number of up to nine digits."""
        text = self.text(node)
        if not text.isascii() or not text.isdigit() or len(text) > 9:
            raise self.refuse(node, "a whole number is expected here")
        return int(text)

    def flag(self, node: yaml.Node) -> bool:
        """True or false."""
        text = self.text(node).lower()
        if text not in {"true", "false"}:
            raise self.refuse(node, "true or false is expected here")
        return text == "true"

    def word(self, node: yaml.Node, words: type[Word]) -> Word:
        """One of a few words."""
        try:
            return words(self.text(node))
        except ValueError:
            raise self.refuse(node, f"“{self.text(node)}” is none of {', '.join(words)}") from None

    def json(self, node: yaml.Node) -> Json:
        """Any value that JSON has; a date stays a text."""
        if isinstance(node, yaml.MappingNode):
            return {name: self.json(value) for name, value in self.pairs(node)}
        if isinstance(node, yaml.SequenceNode):
            return [self.json(entry) for entry in node.value]
        if not isinstance(node, yaml.ScalarNode):
            raise self.refuse(node, "a value is expected here")
        if node.tag == _NULL:
            return None
        if node.tag == _BOOL:
            return bool(self._constructor.construct_yaml_bool(node))
        try:
            if node.tag == _INT:
                return int(self._constructor.construct_yaml_int(node))
            number = float(self._constructor.construct_yaml_float(node)) if node.tag == _FLOAT else 0.0
        except ValueError:
            raise self.refuse(node, "this number cannot be read") from None
        if not math.isfinite(number):
            raise self.refuse(node, "a finite number is expected here")
        return number if node.tag == _FLOAT else str(node.value)


def _texts(reader: _Reader, node: yaml.Node) -> tuple[str, ...]:
    return reader.sequence(node, reader.text)


def _inputs(reader: _Reader, node: yaml.Node) -> tuple[InputField, ...]:
    def read(entry: yaml.Node) -> InputField:
        parts = reader.mapping(entry, {"name", "type", "description", "required"}, needed=("name",))
        return InputField(
            name=reader.text(parts["name"]),
            type=reader.word(parts["type"], FieldType) if "type" in parts else FieldType.STRING,
            description=reader.text(parts["description"]) if "description" in parts else "",
            required=reader.flag(parts["required"]) if "required" in parts else True,
        )

    return reader.sequence(node, read)


def _outputs(reader: _Reader, node: yaml.Node) -> tuple[OutputField, ...]:
    def read(entry: yaml.Node) -> OutputField:
        known = {"name", "type", "description", "required", "options", "rules"}
        parts = reader.mapping(entry, known, needed=("name",))
        return OutputField(
            name=reader.text(parts["name"]),
            type=reader.word(parts["type"], FieldType) if "type" in parts else FieldType.STRING,
            description=reader.text(parts["description"]) if "description" in parts else "",
            required=reader.flag(parts["required"]) if "required" in parts else True,
            options=_texts(reader, parts["options"]) if "options" in parts else (),
            rules={name: reader.json(rule) for name, rule in reader.pairs(parts["rules"])} if "rules" in parts else {},
        )

    return reader.sequence(node, read)


def _examples(reader: _Reader, node: yaml.Node) -> tuple[TemplateExample, ...]:
    def read(entry: yaml.Node) -> TemplateExample:
        parts = reader.mapping(entry, {"input", "output", "explanation"}, needed=("input", "output"))
        return TemplateExample(**{name: reader.text(part) for name, part in parts.items()})

    return reader.sequence(node, read)


def _usage(reader: _Reader, node: yaml.Node) -> UsageRules:
    parts = reader.mapping(node, {"allowed", "prohibited", "classification", "reason"})

    def uses(name: str, usual: frozenset[Use]) -> frozenset[Use]:
        if name not in parts:
            return usual
        return frozenset(reader.sequence(parts[name], lambda entry: reader.word(entry, Use)))

    prohibited = uses("prohibited", frozenset())
    allowed = uses("allowed", ALL_USES.allowed - prohibited)
    if overlap := sorted(allowed & prohibited):
        raise reader.refuse(node, f"{', '.join(overlap)} cannot be both allowed and prohibited")
    known = "classification" in parts
    return UsageRules(
        allowed=allowed,
        prohibited=prohibited,
        classification=reader.word(parts["classification"], Classification) if known else ALL_USES.classification,
        reason=reader.text(parts["reason"]) if "reason" in parts else "",
    )


_READERS: dict[str, Callable[[_Reader, yaml.Node], object]] = {
    "name": _Reader.text,
    "description": _Reader.text,
    "label_type": _Reader.text,
    "tags": _texts,
    "model": _Reader.text,
    "temperature": _Reader.number,
    "max_tokens": _Reader.whole,
    "answer_source": lambda reader, node: reader.word(node, AnswerSource),
    "feature_columns": _texts,
    "target_column": _Reader.text,
    "inputs": _inputs,
    "label_classes": _texts,
    "output_schema": _outputs,
    "usage": _usage,
    "examples": _examples,
    "system_prompt": _Reader.text,
}
