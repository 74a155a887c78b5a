"""What a prompt may say: which parts of Jinja are allowed, where it breaks the rules, and its placeholders."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import TemplateSyntaxError, meta, nodes

from workbench_core.errors import Invalid
from workbench_core.prompt_rendering.sandbox import ENVIRONMENT, FILTERS, LOOP_ATTRIBUTES, METHODS, TESTS

MAX_PROMPT = 50_000
_MAX_DEPTH = 60
_LOOP_DEPTH = 6
_MARKS = re.compile("[{}]")
_HINT = "Write {{ name }} for a value, {% if name %} … {% endif %} for a condition, {% for … %} for a loop."
_REFUSED_STATEMENTS: dict[type[nodes.Node], str] = {
    nodes.Macro: "macro",
    nodes.CallBlock: "call",
    nodes.FilterBlock: "filter",
    nodes.AssignBlock: "set … endset",
    nodes.Block: "block",
    nodes.Extends: "extends",
    nodes.Include: "include",
    nodes.Import: "import",
    nodes.FromImport: "from … import",
}
_REFUSED_OPERATORS: dict[type[nodes.Node], str] = {nodes.Pow: "**", nodes.NSRef: "namespace"}
_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.With, nodes.Assign, nodes.Name,
    nodes.Const, nodes.Tuple, nodes.List, nodes.Dict, nodes.Pair, nodes.Keyword, nodes.CondExpr, nodes.Filter,
    nodes.Test, nodes.Call, nodes.Getitem, nodes.Getattr, nodes.Slice, nodes.Concat, nodes.Compare, nodes.Operand,
    nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Add, nodes.Sub, nodes.Mod, nodes.And, nodes.Or, nodes.Not, nodes.Neg,
    nodes.Pos,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong in a prompt, and on which line (from 1)."""

    line: int
    message: str


def placeholders(text: str) -> tuple[str, ...]:
    """The distinct names of the values that a prompt asks for, in reading order (TP-9).

    Raises Invalid with the line number for a malformed prompt.
    """
    found, names, _ = _examined(text)
    if found:
        raise Invalid(f"Line {found[0].line}: {found[0].message}", hint=_HINT)
    return names


def faults(text: str) -> tuple[Fault, ...]:
    """Everything that is malformed or not allowed in a prompt, by line; empty when it can be rendered."""
    return _examined(text)[0]


def constant_lines(text: str) -> tuple[int, ...]:
    """The lines with an expression that gives the same text for every row, such as `{{ 'a' * 9 }}`.

    It names nothing, and no condition or loop around it does. A text in quotes that writes the marks of Jinja itself,
    as `{{ '{{' }}` does, is the usual way to do so and left out; so is a prompt with faults.
    """
    return _examined(text)[2]


def parsed(text: str) -> nodes.Template:
    """The syntax tree of a prompt without faults; a fresh one that the caller may change."""
    return ENVIRONMENT.parse(text)


@lru_cache(maxsize=256)
def _examined(text: str) -> tuple[tuple[Fault, ...], tuple[str, ...], tuple[int, ...]]:
    """Faults, placeholders and the lines of constants; a list page asks for the same prompts again and again."""
    if len(text) > MAX_PROMPT:
        return (Fault(1, f"The prompt is longer than {MAX_PROMPT:,} characters."),), (), ()
    try:
        tree = parsed(text)
    except TemplateSyntaxError as error:
        return (Fault(error.lineno, _sentence(error.message or "It cannot be read")),), (), ()
    except (RecursionError, ValueError):  # thousands of brackets, or of digits
        return (Fault(1, "An expression is too long or too deeply nested."),), (), ()
    if deep := _too_deep(tree):
        return (Fault(deep, "This is too deeply nested."),), (), ()
    found = tuple(sorted(_faults(tree), key=lambda fault: fault.line))
    if found:
        return found, (), ()
    return (), _names(tree, text), tuple(dict.fromkeys(_constants(tree.body)))


def _names(tree: nodes.Template, text: str) -> tuple[str, ...]:
    """The names that come from outside, in the order in which they are written."""
    wanted = meta.find_undeclared_variables(tree)
    written = (value for _, kind, value in ENVIRONMENT.lex(text) if kind == "name" and value in wanted)
    return tuple(dict.fromkeys(written))


def _constants(statements: Iterable[nodes.Node]) -> Iterator[int]:
    """The lines of expressions without a name, where nothing that has one decides whether they are written."""
    for statement in statements:
        if isinstance(statement, nodes.Output):
            yield from (piece.lineno for piece in statement.nodes if _is_constant(piece))
        elif isinstance(statement, nodes.With):
            yield from _constants(statement.body)
        elif isinstance(statement, nodes.If) and not _has_name(statement.test):
            yield from _constants((*statement.body, *statement.elif_, *statement.else_))
        elif isinstance(statement, nodes.For) and not _has_name(statement.iter):
            yield from _constants((*statement.body, *statement.else_))


def _is_constant(piece: nodes.Node) -> bool:
    if isinstance(piece, nodes.TemplateData) or _has_name(piece):
        return False
    return not (isinstance(piece, nodes.Const) and isinstance(piece.value, str) and _MARKS.search(piece.value))


def _has_name(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Name) or node.find(nodes.Name) is not None


def _too_deep(tree: nodes.Template) -> int:
    """The line where nesting goes too far, 0 when it does not; without recursion, which is the point."""
    waiting: list[tuple[nodes.Node, int]] = [(tree, 0)]
    while waiting:
        node, depth = waiting.pop()
        if depth > _MAX_DEPTH:
            return node.lineno or 1
        weight = _LOOP_DEPTH if isinstance(node, nodes.For) else 1  # Python nests 20 loops at most
        waiting.extend((child, depth + weight) for child in node.iter_child_nodes())
    return 0


def _faults(node: nodes.Node) -> Iterator[Fault]:
    """The faults of a node and of everything below it."""
    if message := _fault(node):
        yield Fault(node.lineno or 1, message)
        return  # what lies inside would only repeat it
    for child in _children(node):
        yield from _faults(child)


def _children(node: nodes.Node) -> Iterator[nodes.Node]:
    """What to look at below a node: a checked call covers its own method name."""
    for child in node.iter_child_nodes():
        if isinstance(node, nodes.Call) and child is node.node and isinstance(child, nodes.Getattr):
            yield child.node
        else:
            yield child


def _fault(node: nodes.Node) -> str:  # noqa: PLR0911 - one rule a line
    """The sentence for a node that is not allowed; empty when it is."""
    if word := _REFUSED_STATEMENTS.get(type(node)):
        return f"“{{% {word} %}}” is not allowed in a prompt."
    if word := _REFUSED_OPERATORS.get(type(node)):
        return f"“{word}” is not allowed in a prompt."
    if not isinstance(node, _ALLOWED):
        return "This statement is not allowed in a prompt."
    if isinstance(node, nodes.Name) and node.name == "self":  # Jinja's own name
        return "“self” cannot be a placeholder: choose another name."
    if isinstance(node, nodes.For) and node.recursive:
        return "A loop cannot be recursive."
    if isinstance(node, nodes.Filter) and node.name not in FILTERS:
        return f"There is no filter “{node.name}” in prompts."
    if isinstance(node, nodes.Test) and node.name not in TESTS:
        return f"There is no test “{node.name}” in prompts."
    if isinstance(node, nodes.Call | nodes.Filter | nodes.Test) and (node.dyn_args or node.dyn_kwargs):
        return "Arguments cannot be unpacked with “*”."
    if isinstance(node, nodes.Call):
        return _call_fault(node)
    if isinstance(node, nodes.Getattr):
        return _attribute_fault(node)
    return ""


def _call_fault(node: nodes.Call) -> str:
    if isinstance(node.node, nodes.Getattr):
        attribute = node.node.attr
        return "" if attribute in METHODS else f"“.{attribute}()” is not allowed in a prompt."
    if isinstance(node.node, nodes.Name) and node.node.name == "range":
        return ""
    name = node.node.name if isinstance(node.node, nodes.Name) else "This"
    return f"“{name}” cannot be called in a prompt."


def _attribute_fault(node: nodes.Getattr) -> str:
    if isinstance(node.node, nodes.Name) and node.node.name == "loop" and node.attr in LOOP_ATTRIBUTES:
        return ""
    return f"“.{node.attr}” is not allowed: placeholders are plain texts, such as {{{{ {node.attr.strip('_')} }}}}."


def _sentence(message: str) -> str:
    """Jinja's message as a sentence, with the marks that a person types."""
    text = message.rstrip(".").replace("end of template", "end of the prompt")
    text = text.replace("'end of print statement'", "“}}”").replace("'end of statement block'", "“%}”")
    return f"{text[:1].upper()}{text[1:]}."
