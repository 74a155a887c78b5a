"""From a prompt to an expression that SQL can compute: what can be said in it, and why the rest cannot."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import partial
from typing import TypeAlias

from jinja2 import nodes

from workbench_core.errors import Invalid
from workbench_core.ports.prompt_expressions import (
    AllHold,
    AnyHolds,
    CasedText,
    ChosenText,
    Condition,
    DecimalOf,
    Fixed,
    FixedNumber,
    FixedText,
    HasText,
    JoinedText,
    Negated,
    NumberCompared,
    NumberExpression,
    NumberText,
    Operator,
    PlaceholderText,
    ReplacedText,
    ShortenedText,
    StartOfText,
    TextCompared,
    TextContains,
    TextExpression,
    TextLength,
    TrimmedText,
    WholeOf,
)
from workbench_core.prompt_rendering.grammar import faults, parsed

MAX_SIZE = 5_000  # parts of one expression, each counted as often as SQL has to write it
MAX_STEPS = 60  # of the filters of one prompt: below it no render uses up its budget
_HINT = "The workbench renders this prompt itself, item by item."
_OPERATORS: dict[str, Operator] = {"eq": "==", "ne": "!=", "lt": "<", "lteq": "<=", "gt": ">", "gteq": ">="}
_Setting: TypeAlias = "str | int | float | bool | None"
_Translated: TypeAlias = "TextExpression | NumberExpression"
_COPIES = {ShortenedText: 6, WholeOf: 6, DecimalOf: 6, CasedText: 2, ReplacedText: 2}  # how often SQL writes its text
_NUMBERS = (FixedNumber, TextLength, WholeOf, DecimalOf)


class _Untranslatable(Exception):
    """What SQL cannot compute: a sentence, and the node that says it."""

    def __init__(self, node: nodes.Node, message: str) -> None:
        super().__init__(message)
        self.problem = f"Line {node.lineno or 1}: {message}"


def translation_problems(prompt: str, *, defined: Collection[str] | None = None) -> tuple[str, ...]:
    """Why SQL cannot compute a prompt, as sentences with their lines; empty when it can.

    `defined` are the placeholders that have a value; None means all.
    """
    return _translated(prompt, defined)[1]


def translated(prompt: str, *, defined: Collection[str] | None = None) -> TextExpression:
    """A prompt as an expression. Raises Invalid with the first of `translation_problems`."""
    expression, problems = _translated(prompt, defined)
    if problems:
        raise Invalid(problems[0], hint=_HINT)
    return expression


def _translated(prompt: str, defined: Collection[str] | None) -> tuple[TextExpression, tuple[str, ...]]:
    if found := faults(prompt):
        return FixedText(""), tuple(f"Line {fault.line}: {fault.message}" for fault in found)
    tree = parsed(prompt)
    translation = _Translation(defined)
    expression = translation.body(tree.body)
    problems = tuple(dict.fromkeys(translation.problems))
    if not problems and (
        _size(expression) > MAX_SIZE or sum(1 for _ in tree.find_all((nodes.Filter, nodes.Concat))) > MAX_STEPS
    ):
        problems = ("Line 1: The prompt has too many steps for one statement.",)
    return expression, problems


class _Translation:
    """One prompt on its way; goes on after a problem, so that a person sees all of them."""

    def __init__(self, defined: Collection[str] | None) -> None:
        self._defined = defined
        self.problems: list[str] = []

    # --- statements --------------------------------------------------------------------------------------------------

    def body(self, statements: Sequence[nodes.Node]) -> TextExpression:
        """The text of statements one after another."""
        return _joined([part for statement in statements for part in self._parts(statement)])

    def _parts(self, statement: nodes.Node) -> list[TextExpression]:
        pieces = statement.nodes if isinstance(statement, nodes.Output) else [statement]
        parts: list[TextExpression] = []
        for piece in pieces:
            try:
                parts.append(self._piece(piece))
            except _Untranslatable as problem:
                self.problems.append(problem.problem)
        return parts

    def _piece(self, piece: nodes.Node) -> TextExpression:
        if isinstance(piece, nodes.TemplateData):
            return FixedText(piece.data)
        if isinstance(piece, nodes.If):
            return self._choice(piece)
        if isinstance(piece, nodes.Expr):
            return self.text(piece)
        if isinstance(piece, nodes.For):
            raise _Untranslatable(piece, "A loop cannot be computed in SQL.")
        raise _Untranslatable(piece, "A statement other than “if” cannot be computed in SQL.")

    def _choice(self, statement: nodes.If) -> TextExpression:
        cases: list[tuple[Condition, TextExpression]] = []
        for branch in (statement, *statement.elif_):
            assert isinstance(branch.test, nodes.Expr)
            condition = self.condition(branch.test)
            if condition == Fixed(True):
                return _chosen(cases, self.body(branch.body))
            if condition != Fixed(False):
                cases.append((condition, self.body(branch.body)))
        return _chosen(cases, self.body(statement.else_))

    # --- values ------------------------------------------------------------------------------------------------------

    def text(self, node: nodes.Expr) -> TextExpression:
        """The text that a value is written as."""
        value = self._value(node)
        if not isinstance(value, _NUMBERS):
            return value
        if isinstance(value, DecimalOf) or (isinstance(value, FixedNumber) and isinstance(value.value, float)):
            raise _Untranslatable(node, "A number with decimals can be compared in SQL, but not written.")
        return FixedText(str(value.value)) if isinstance(value, FixedNumber) else NumberText(value)

    def _value(self, node: nodes.Expr) -> _Translated:
        translate = self._values.get(type(node))
        if translate is None:
            raise _Untranslatable(node, _unknown(node))
        return translate(self, node)

    def _placeholder(self, node: nodes.Name) -> TextExpression:
        if not self._has_value(node):
            raise _Untranslatable(node, f"The placeholder “{node.name}” has no value.")
        return PlaceholderText(node.name)

    def _has_value(self, node: nodes.Name) -> bool:
        return self._defined is None or node.name in self._defined

    def _plain(self, node: nodes.Expr) -> TextExpression:
        """A value that must be a text."""
        value = self._value(node)
        if isinstance(value, _NUMBERS):
            raise _Untranslatable(node, "Texts and numbers are not mixed in SQL: use |string or |int.")
        return value

    def _either(self, node: nodes.CondExpr) -> TextExpression:
        if node.expr2 is None:
            raise _Untranslatable(node, "“if” within {{ }} needs an “else” in SQL.")
        condition = self.condition(node.test)
        if isinstance(condition, Fixed):
            return self.text(node.expr1 if condition.holds else node.expr2)
        return ChosenText(((condition, self.text(node.expr1)),), self.text(node.expr2))

    def _fallback(self, node: nodes.Or | nodes.And) -> TextExpression:
        """`a or b` gives the first one that is not empty, `a and b` the second one only when the first is not."""
        left, right = self._plain(node.left), self._plain(node.right)
        first, second = (left, right) if isinstance(node, nodes.Or) else (right, left)
        return ChosenText(((HasText(left), first),), second)

    def _start(self, node: nodes.Getitem) -> TextExpression:
        part = node.arg
        if isinstance(part, nodes.Slice):
            start, stop, step = _end(part.start, 0), _end(part.stop, -1), _end(part.step, 1)
            if start == 0 and step == 1 and stop >= 0:
                return StartOfText(self._plain(node.node), stop)
        raise _Untranslatable(node, "Only the start of a text, as in name[:100], can be cut out in SQL.")

    def _negative(self, node: nodes.Neg) -> NumberExpression:
        number = self._value(node.node)
        if not isinstance(number, FixedNumber):
            raise _Untranslatable(node, _unknown(node))
        return FixedNumber(-number.value)

    def _concatenated(self, node: nodes.Concat) -> TextExpression:
        return _joined([self.text(part) for part in node.nodes])

    # --- filters -----------------------------------------------------------------------------------------------------

    def _filtered(self, node: nodes.Filter) -> _Translated:
        if node.name in ("d", "default"):
            return self._default(node)
        translate = self._filters.get(node.name)
        if translate is None:
            raise _Untranslatable(node, f"The filter “{node.name}” cannot be computed in SQL.")
        assert node.node is not None
        return translate(self, node, node.node)

    def _default(self, node: nodes.Filter) -> _Translated:
        arguments = {**dict(zip(("default_value", "boolean"), node.args, strict=False)), **_named(node)}
        fallback = arguments.get("default_value", nodes.Const("", lineno=node.lineno))
        for_empty = arguments.get("boolean", nodes.Const(False))
        if not isinstance(for_empty, nodes.Const):
            raise _Untranslatable(node, "The settings of a filter must be written out for SQL.")
        if isinstance(node.node, nodes.Name) and not self._has_value(node.node):
            return self._value(fallback)
        assert node.node is not None
        if not for_empty.value:
            return self._value(node.node)  # a placeholder with a column always has a value
        value = self._plain(node.node)
        return ChosenText(((HasText(value), value),), self.text(fallback))

    def _string(self, _filter: nodes.Filter, of: nodes.Expr) -> TextExpression:
        return self.text(of)

    def _trim(self, node: nodes.Filter, of: nodes.Expr) -> TextExpression:
        characters = _settings(node, chars=None)["chars"]
        if characters is None:
            return TrimmedText(self.text(of))
        if not isinstance(characters, str) or not characters:
            raise _Untranslatable(node, "|trim takes the characters to leave out as a text.")
        return TrimmedText(self.text(of), characters)

    def _case(self, node: nodes.Filter, of: nodes.Expr, *, is_upper: bool) -> TextExpression:
        _settings(node)
        return CasedText(self.text(of), is_upper)

    def _replace(self, node: nodes.Filter, of: nodes.Expr) -> TextExpression:
        settings = _settings(node, old="", new=None, count=None)
        old, new = settings["old"], settings["new"]
        if not isinstance(old, str) or not old or not isinstance(new, str) or settings["count"] is not None:
            raise _Untranslatable(node, "|replace takes a text that is not empty and its replacement in SQL.")
        return ReplacedText(self.text(of), old, new)

    def _truncate(self, node: nodes.Filter, of: nodes.Expr) -> TextExpression:
        settings = _settings(node, length=255, killwords=False, end="...", leeway=None)
        length, end = settings["length"], settings["end"]
        leeway = 5 if settings["leeway"] is None else settings["leeway"]
        whole = all(isinstance(number, int) and not isinstance(number, bool) for number in (length, leeway))
        if not (whole and isinstance(length, int) and isinstance(leeway, int) and isinstance(end, str)):
            raise _Untranslatable(node, "|truncate takes whole numbers and a text.")
        if length < len(end) or leeway < 0:
            raise _Untranslatable(node, "|truncate must leave room for its end mark.")
        return ShortenedText(self.text(of), length, end, leeway, bool(settings["killwords"]))

    def _length(self, node: nodes.Filter, of: nodes.Expr) -> NumberExpression:
        _settings(node)
        return TextLength(self._plain(of))

    def _int(self, node: nodes.Filter, of: nodes.Expr) -> NumberExpression:
        settings = _settings(node, default=0, base=10)
        default = settings["default"]
        if isinstance(default, bool) or not isinstance(default, int) or settings["base"] != 10:
            raise _Untranslatable(node, "|int takes a whole number as its default in SQL.")
        value = self._value(of)
        return value if isinstance(value, WholeOf | TextLength) else WholeOf(self._plain(of), default)

    def _float(self, node: nodes.Filter, of: nodes.Expr) -> NumberExpression:
        default = _settings(node, default=0.0)["default"]
        if isinstance(default, bool) or not isinstance(default, int | float):
            raise _Untranslatable(node, "|float takes a number as its default.")
        return DecimalOf(self._plain(of), float(default))

    _filters: Mapping[str, Callable[[_Translation, nodes.Filter, nodes.Expr], _Translated]] = {
        "string": _string,
        "trim": _trim,
        "upper": partial(_case, is_upper=True),
        "lower": partial(_case, is_upper=False),
        "replace": _replace,
        "truncate": _truncate,
        "length": _length,
        "count": _length,
        "int": _int,
        "float": _float,
    }
    _values: Mapping[type[nodes.Node], Callable[..., _Translated]] = {
        nodes.Name: _placeholder,
        nodes.Const: lambda _self, node: _constant(node),
        nodes.Neg: _negative,
        nodes.Filter: _filtered,
        nodes.Concat: _concatenated,
        nodes.Getitem: _start,
        nodes.CondExpr: _either,
        nodes.Or: _fallback,
        nodes.And: _fallback,
    }

    # --- conditions --------------------------------------------------------------------------------------------------

    def condition(self, node: nodes.Expr) -> Condition:
        """Whether a value counts as true."""
        if isinstance(node, nodes.Not):
            return _negated(self.condition(node.node))
        if isinstance(node, nodes.And | nodes.Or):
            return self._connected(node)
        if isinstance(node, nodes.Compare):
            return self._compared(node)
        if isinstance(node, nodes.Test):
            return self._tested(node)
        if isinstance(node, nodes.Const):
            return Fixed(bool(node.value))
        value = self._value(node)
        return NumberCompared(value, "!=", FixedNumber(0)) if isinstance(value, _NUMBERS) else HasText(value)

    def _connected(self, node: nodes.And | nodes.Or) -> Condition:
        """Both sides; the right one is not looked at when the left one decides for every item."""
        is_and = isinstance(node, nodes.And)
        left = self.condition(node.left)
        if isinstance(left, Fixed):
            return self.condition(node.right) if left.holds is is_and else left
        right = self.condition(node.right)
        if isinstance(right, Fixed):
            return left if right.holds is is_and else right
        return AllHold((left, right)) if is_and else AnyHolds((left, right))

    def _tested(self, node: nodes.Test) -> Condition:
        if node.name not in ("defined", "undefined") or not isinstance(node.node, nodes.Name):
            raise _Untranslatable(node, f"The test “{node.name}” cannot be computed in SQL.")
        return Fixed(self._has_value(node.node) is (node.name == "defined"))

    def _compared(self, node: nodes.Compare) -> Condition:
        """A chain such as 1 < x < 5: each value with the next one."""
        found: list[Condition] = []
        left = node.expr
        for operand in node.ops:
            if operand.op in ("in", "notin"):
                contained = self._contained(left, operand.expr)
                found.append(contained if operand.op == "in" else _negated(contained))
            else:
                found.append(self._pair(left, _OPERATORS[operand.op], operand.expr))
            left = operand.expr
        return found[0] if len(found) == 1 else AllHold(tuple(found))

    def _pair(self, left: nodes.Expr, operator: Operator, right: nodes.Expr) -> Condition:
        one, other = self._value(left), self._value(right)
        if isinstance(one, _NUMBERS) and isinstance(other, _NUMBERS):
            return NumberCompared(one, operator, other)
        if isinstance(one, _NUMBERS) or isinstance(other, _NUMBERS):
            raise _Untranslatable(left, "A text is compared with a number: write |int or |float behind the text.")
        return TextCompared(one, operator, other)

    def _contained(self, part: nodes.Expr, of: nodes.Expr) -> Condition:
        if not isinstance(of, nodes.List | nodes.Tuple):
            return TextContains(self._plain(of), self._plain(part))
        value = self._plain(part)
        options = tuple(TextCompared(value, "==", self._plain(option)) for option in of.items)
        return AnyHolds(options) if options else Fixed(False)


def _constant(node: nodes.Const) -> _Translated:
    value: object = node.value
    if isinstance(value, str):
        return FixedText(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 10**15:
        return FixedNumber(value)
    raise _Untranslatable(node, f"The value {value} cannot be written in SQL.")


def _named(node: nodes.Filter) -> dict[str, nodes.Expr]:
    return {str(keyword.key): keyword.value for keyword in node.kwargs}


def _settings(node: nodes.Filter, **defaults: _Setting) -> dict[str, _Setting]:
    """The written out arguments of a filter by name. Raises _Untranslatable for computed and unknown ones."""
    given = {**dict(zip(defaults, node.args, strict=False)), **_named(node)}
    if len(node.args) > len(defaults) or not given.keys() <= defaults.keys():
        raise _Untranslatable(node, f"“|{node.name}” has an argument that it does not know.")
    found = dict(defaults)
    for name, value in given.items():
        written = value.node if isinstance(value, nodes.Neg) else value
        if not isinstance(written, nodes.Const):
            raise _Untranslatable(node, "The settings of a filter must be written out for SQL.")
        found[name] = -written.value if isinstance(value, nodes.Neg) else written.value
    return found


def _end(node: nodes.Expr | None, otherwise: int) -> int:
    """One end of a slice; -1 for what is not written out."""
    if node is None:
        return otherwise
    value = node.value if isinstance(node, nodes.Const) else -1
    return value if isinstance(value, int) and not isinstance(value, bool) else -1


def _unknown(node: nodes.Node) -> str:
    if isinstance(node, nodes.Compare | nodes.Not | nodes.Test):
        return "A condition can decide what is written in SQL, but not be written."
    if isinstance(node, nodes.Call):
        return "A method cannot be computed in SQL: use the filter, such as |upper."
    if isinstance(node, nodes.BinExpr):
        return "Calculating cannot be done in SQL."
    return "This cannot be computed in SQL."


def _joined(parts: Sequence[TextExpression]) -> TextExpression:
    """Parts as one text: fixed texts beside each other become one."""
    flat: list[TextExpression] = []
    single = [one for part in parts for one in (part.parts if isinstance(part, JoinedText) else (part,))]
    for part in single:
        before = flat[-1] if flat else None
        if isinstance(part, FixedText) and isinstance(before, FixedText):
            flat[-1] = FixedText(before.text + part.text)
        elif part != FixedText(""):
            flat.append(part)
    if not flat:
        return FixedText("")
    return flat[0] if len(flat) == 1 else JoinedText(tuple(flat))


def _chosen(cases: Sequence[tuple[Condition, TextExpression]], otherwise: TextExpression) -> TextExpression:
    return ChosenText(tuple(cases), otherwise) if cases else otherwise


def _negated(condition: Condition) -> Condition:
    return Fixed(not condition.holds) if isinstance(condition, Fixed) else Negated(condition)


def _size(whole: object) -> int:
    """How many parts SQL has to write; a part that stands in several places is counted in each."""
    known: dict[int, int] = {}

    def size(part: object) -> int:
        if isinstance(part, tuple):
            return sum(map(size, part))
        if not is_dataclass(part):
            return 0
        if id(part) not in known:  # without this a part of a part of a part takes for ever
            inside = sum(size(getattr(part, entry.name)) for entry in fields(part))
            known[id(part)] = 1 + _COPIES.get(type(part), 1) * inside
        return known[id(part)]

    return size(whole)
