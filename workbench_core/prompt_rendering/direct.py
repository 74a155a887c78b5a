"""The direct way to render: prompts whose every step is bounded beforehand, as one Python expression.

Counting each step costs more than the steps. A prompt without loops, whose filters are known, can only work through as
many characters as its values have, times a number that is read off its syntax tree. Such a prompt becomes one Python
expression, and `longest` says up to which length of its values it stays within every bound. Whatever is unusual - a
longer value, a missing one, an error - is not decided here: then the counted way renders from the beginning, and its
text or its error is the one that holds. So both ways give the same, byte for byte.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TypeAlias, cast

from jinja2 import nodes

from workbench_core.prompt_rendering.sandbox import (
    ENVIRONMENT,
    FAILURES,
    MAX_OUTPUT,
    MAX_TEXT,
    MAX_VALUE,
    MAX_WORK,
    STANDARD,
    TemplateValue,
    calculated,
)

_SHORTEST = 200  # characters: a prompt that is bounded for shorter values only is not worth it
_MOST_NAMES = 200
_NUMBER = 5_000  # what a number can weigh: Python writes and reads 4,300 digits at most
_CASE_GROWTH = 3  # one letter becomes up to three in another case, such as ΐ
_REMEMBERED = 100  # characters of a text whose result is kept
_BITS = 14_000  # of a number written in the prompt
_METHODS = {"trim": "strip", "upper": "upper", "lower": "lower", "capitalize": "capitalize"}
_CASES = frozenset({"upper", "lower", "capitalize", "title"})
_TO_NUMBER = frozenset({"float", "int", "abs", "wordcount", "length", "count"})
_TESTS = frozenset(
    {"==", "!=", "<", "<=", ">", ">=", "eq", "equalto", "ne", "lt", "le", "gt", "ge", "in", "divisibleby"}
    | {"even", "odd", "lower", "upper", "none", "true", "false", "boolean", "string", "number", "integer", "float"}
)
_OPERATORS: dict[type[nodes.Node], str] = {
    nodes.Add: "+", nodes.Sub: "-", nodes.Mul: "*", nodes.Div: "/", nodes.FloorDiv: "//", nodes.Mod: "%",
}  # fmt: skip
_COMPARISONS: dict[str, type[ast.cmpop]] = {
    "eq": ast.Eq, "ne": ast.NotEq, "lt": ast.Lt, "lteq": ast.LtE, "gt": ast.Gt, "gteq": ast.GtE,
    "in": ast.In, "notin": ast.NotIn,
}  # fmt: skip

Function: TypeAlias = "Callable[..., TemplateValue]"


@dataclass(frozen=True, slots=True)
class DirectPrompts:
    """The system and the user prompt of a template as one function of the values of `names`."""

    names: tuple[str, ...]
    longest: int
    write: Callable[..., tuple[str, str]]

    def render(self, variables: Mapping[str, str]) -> tuple[str, str] | None:
        """System and user text; None when only the counted way can tell what they are."""
        try:
            values = [variables[name] for name in self.names]
            if values and (max(map(len, values)) > self.longest or {*map(type, values)} != {str}):
                return None
            system, user = self.write(*values)
        except FAILURES:
            return None
        return (system, user) if len(system) <= MAX_OUTPUT and len(user) <= MAX_OUTPUT else None

    def render_columns(self, columns: Mapping[str, Sequence[str]]) -> list[tuple[str, str]] | None:
        """The same for many items, whose values come as columns; None when they must be rendered one by one."""
        if not self.names or not all(name in columns and self._takes(columns[name]) for name in self.names):
            return None
        try:
            texts = list(map(self.write, *(columns[name] for name in self.names)))
        except FAILURES:
            return None
        return texts if max((max(map(len, pair)) for pair in texts), default=0) <= MAX_OUTPUT else None

    def _takes(self, values: Sequence[str]) -> bool:
        """Whether all values of a column are plain texts of a length for which the bounds hold."""
        return not values or (max(map(len, values)) <= self.longest and {*map(type, values)} == {str})


@lru_cache(maxsize=64)
def direct_prompts(system: str, user: str) -> DirectPrompts | None:
    """Both prompts of a template, free of faults, as one function; None when they do not lend themselves to it."""
    writer = _Writer()
    try:
        texts = [writer.prompt(ENVIRONMENT.parse(text)) for text in (system, user)]
        longest = writer.longest()
        if longest < _SHORTEST or len(writer.names) > _MOST_NAMES:
            return None
        return DirectPrompts(tuple(writer.names), longest, writer.function(texts))
    except (_NotBounded, RecursionError, MemoryError):  # of Python's compiler, for an expression too deep for it
        return None


class _NotBounded(Exception):
    """A step that the direct way does not take."""


@dataclass(frozen=True, slots=True)
class _Step:
    """A part of the expression, whose value has at most `factor` times the longest value and `constant` characters."""

    code: ast.expr
    factor: int
    constant: int
    is_text: bool = False


class _Writer:
    """Turns syntax trees into Python expressions, and adds up what their steps can weigh."""

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self._functions: dict[str, Function] = {}
        self._weights: list[_Step] = []

    def prompt(self, tree: nodes.Template) -> ast.expr:
        """The text of a prompt. Raises _NotBounded."""
        return self._joined(tree.body).code

    def longest(self) -> int:
        """How long values may be, for every step to stay within its bounds and all together within theirs."""
        factor = sum(step.factor for step in self._weights)
        bounds = [(MAX_TEXT, step.factor, step.constant) for step in self._weights]
        bounds.append((MAX_WORK, factor, sum(step.constant + 1 for step in self._weights)))
        if any(constant > bound for bound, _, constant in bounds):
            return 0
        return min((bound - constant) // factor for bound, factor, constant in (*bounds, (MAX_VALUE, 1, 0)) if factor)

    def function(self, texts: Sequence[ast.expr]) -> Callable[..., tuple[str, str]]:
        """A function of the values that gives these texts."""
        names = [ast.arg(f"value_{number}") for number in self.names.values()]
        arguments = ast.arguments(posonlyargs=names, args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
        whole = ast.Expression(ast.Lambda(arguments, ast.Tuple(list(texts), ast.Load())))
        code = compile(ast.fix_missing_locations(whole), "<prompt>", "eval")
        function: Callable[..., tuple[str, str]] = eval(  # noqa: S307 - our own nodes, constants and functions
            code, {"__builtins__": {}, **self._functions}
        )
        return function

    # --- statements --------------------------------------------------------------------------------------------------

    def _joined(self, statements: Sequence[nodes.Node]) -> _Step:
        """What statements write, one behind the other."""
        return self._together([step for statement in statements for step in self._written(statement)])

    def _written(self, statement: nodes.Node) -> list[_Step]:
        if isinstance(statement, nodes.Output):
            return [self._expression(node) for node in statement.nodes]
        if not isinstance(statement, nodes.If):
            raise _NotBounded
        otherwise = self._joined(statement.else_)
        for branch in reversed([statement, *statement.elif_]):
            otherwise = self._either(self._expression(branch.test), self._joined(branch.body), otherwise)
        return [otherwise]

    def _together(self, steps: Sequence[_Step]) -> _Step:
        """The texts of steps as one text."""
        pieces: list[ast.expr] = [
            step.code if isinstance(step.code, ast.Constant) and step.is_text else _formatted(step) for step in steps
        ]
        factor, constant = sum(step.factor for step in steps), sum(step.constant for step in steps)
        return self._weighed(_Step(ast.JoinedStr(pieces), factor, constant, is_text=True))

    def _either(self, test: _Step, then: _Step, otherwise: _Step) -> _Step:
        return _wider(ast.IfExp(test.code, then.code, otherwise.code), then, otherwise)

    # --- expressions -------------------------------------------------------------------------------------------------

    def _expression(self, node: nodes.Node) -> _Step:  # noqa: PLR0911 - one kind of node a case
        """An expression. Raises _NotBounded for a kind of node that is not listed."""
        match node:
            case nodes.TemplateData():
                return _constant(node.data)
            case nodes.Const():
                return _constant(node.value)
            case nodes.Name():
                return self._name(node.name)
            case nodes.Filter():
                return self._filter(node)
            case nodes.Test():
                return self._test(node)
            case nodes.Getitem():
                return self._part(node)
            case nodes.Concat():
                return self._together([self._weighed(self._expression(part)) for part in node.nodes])
            case nodes.CondExpr() if node.expr2 is not None:
                test, then = self._expression(node.test), self._expression(node.expr1)
                return self._either(test, then, self._expression(node.expr2))
        return self._operation(node)

    def _operation(self, node: nodes.Node) -> _Step:
        """Comparison, logic and arithmetic."""
        match node:
            case nodes.Compare():
                steps = [self._weighed(self._expression(n)) for n in (node.expr, *(other.expr for other in node.ops))]
                operators = [_COMPARISONS[other.op]() for other in node.ops]
                return _number(ast.Compare(steps[0].code, operators, [step.code for step in steps[1:]]))
            case nodes.And() | nodes.Or():
                left, right = self._expression(node.left), self._expression(node.right)
                operator = ast.And() if isinstance(node, nodes.And) else ast.Or()
                return _wider(ast.BoolOp(operator, [left.code, right.code]), left, right)
            case nodes.Not():
                return _number(ast.UnaryOp(ast.Not(), self._expression(node.node).code))
            case nodes.Neg() | nodes.Pos():
                sign = ast.USub() if isinstance(node, nodes.Neg) else ast.UAdd()
                return _number(ast.UnaryOp(sign, self._expression(node.node).code))
            case nodes.BinExpr() if type(node) in _OPERATORS:
                operator_name = _OPERATORS[type(node)]
                left, right = self._weighed(self._expression(node.left)), self._weighed(self._expression(node.right))
                calculate = partial(calculated, operator_name)
                return self._weighed(_number(self._call(operator_name, calculate, [left.code, right.code])))
        raise _NotBounded

    def _name(self, name: str) -> _Step:
        if name == "range":  # a value of that name, or the function
            raise _NotBounded
        number = self.names.setdefault(name, len(self.names))
        return _Step(ast.Name(f"value_{number}", ast.Load()), 1, 0, is_text=True)

    def _test(self, node: nodes.Test) -> _Step:
        value = self._weighed(self._expression(node.node))
        if node.name in {"defined", "undefined"} and isinstance(node.node, nodes.Name) and not node.args:
            return _number(ast.Constant(node.name == "defined"))  # without a value it is not rendered here
        if node.name not in _TESTS or node.kwargs:
            raise _NotBounded
        others = [self._weighed(self._expression(argument)).code for argument in node.args]
        test = cast(Function, ENVIRONMENT.tests[node.name])
        return _number(self._call(f"is {node.name}", test, [value.code, *others]))

    def _part(self, node: nodes.Getitem) -> _Step:
        """A part of a text between written ends."""
        value = self._weighed(self._expression(node.node))
        if not (isinstance(node.arg, nodes.Slice) and value.is_text):
            raise _NotBounded
        start, stop, step = map(self._end, (node.arg.start, node.arg.stop, node.arg.step))
        code = ast.Subscript(value.code, ast.Slice(start, stop, step), ast.Load())
        return self._weighed(_Step(code, value.factor, value.constant, is_text=True))

    def _end(self, node: nodes.Expr | None) -> ast.expr | None:
        return None if node is None else self._expression(node).code

    # --- filters -----------------------------------------------------------------------------------------------------

    def _filter(self, node: nodes.Filter) -> _Step:
        """A filter whose settings are written in the prompt. Raises _NotBounded when it could grow, or is refused."""
        if node.node is None or not all(isinstance(n, nodes.Const) for n in (*node.args, *_values(node))):
            raise _NotBounded
        value = self._weighed(self._expression(node.node))
        settings = [argument.value for argument in node.args if isinstance(argument, nodes.Const)]
        for setting in settings:
            self._weighed(_constant(setting))
        if node.name in {"d", "default"}:
            return self._weighed(self._default(node, value, settings))
        if node.kwargs:
            raise _NotBounded
        return self._weighed(self._filtered(node.name, value, settings))

    def _filtered(  # noqa: PLR0911 - one kind of filter a case
        self, name: str, value: _Step, settings: Sequence[TemplateValue]
    ) -> _Step:
        code = self._called(name, value, settings)
        factor, constant = value.factor, value.constant
        match (name, *settings):
            case ("trim" | "string",):
                return _Step(code, factor, constant, is_text=True)
            case (case,) if case in _CASES:
                return _Step(code, factor * _CASE_GROWTH, constant * _CASE_GROWTH, is_text=True)
            case (made,) if made in _TO_NUMBER:
                return _number(code)
            case ("float", int() | float()) | ("int", int()):
                return _number(code)
            case ("round", *digits) if all(type(digit) is int and abs(digit) <= 15 for digit in digits):
                return _number(code)
            case ("truncate", int()) | ("truncate", int(), bool()):
                return _Step(code, factor, constant + 3, is_text=True)
            case ("replace", str() as old, str() as new) if old:
                growth = max(1, -(-len(new) // len(old)))
                return _Step(code, factor * growth, constant * growth, is_text=True)
        raise _NotBounded

    def _called(self, name: str, value: _Step, settings: Sequence[TemplateValue]) -> ast.expr:
        """The call of a filter; for a text the method that the filter would call."""
        if value.is_text and name == "string":
            return value.code
        if value.is_text and name in _METHODS and not settings:
            return ast.Call(ast.Attribute(value.code, _METHODS[name], ast.Load()), [], [])
        arguments: list[ast.expr] = [_constant(setting).code for setting in settings]
        if name not in ENVIRONMENT.filters:
            raise _NotBounded
        function = _title if name == "title" else _plain(STANDARD.filters[name])
        return self._call(f"|{name}", function, [value.code, *arguments])

    def _default(self, node: nodes.Filter, value: _Step, settings: Sequence[TemplateValue]) -> _Step:
        """The other value, when emptiness counts and this one is empty; here no value is undefined."""
        named: dict[str, TemplateValue] = {
            str(entry.key): entry.value.value for entry in node.kwargs if isinstance(entry.value, nodes.Const)
        }
        given: dict[str, TemplateValue] = dict(zip(("default_value", "boolean"), settings, strict=False))
        if len(settings) > 2 or set(named) - ({"default_value", "boolean"} - set(given)):
            raise _NotBounded
        given |= named
        if not given.get("boolean"):
            return value
        other = self._weighed(_constant(given.get("default_value", "")))
        return _wider(ast.BoolOp(ast.Or(), [value.code, other.code]), value, other)

    # --- steps -------------------------------------------------------------------------------------------------------

    def _call(self, name: str, function: Function, arguments: list[ast.expr]) -> ast.expr:
        """The call of a function under a name that no prompt can write."""
        self._functions[name] = function
        return ast.Call(ast.Name(name, ast.Load()), arguments, [])

    def _weighed(self, step: _Step) -> _Step:
        self._weights.append(step)
        return step


def _constant(value: TemplateValue) -> _Step:
    """A text, number or None that is written in the prompt."""
    if isinstance(value, str):
        return _Step(ast.Constant(value), 0, len(value), is_text=True)
    if value is None or isinstance(value, float) or (isinstance(value, int) and value.bit_length() < _BITS):
        return _number(ast.Constant(value))
    raise _NotBounded


def _number(code: ast.expr) -> _Step:
    return _Step(code, 0, _NUMBER)


def _wider(code: ast.expr, one: _Step, other: _Step) -> _Step:
    """A step that gives one of two values."""
    is_text = one.is_text and other.is_text
    return _Step(code, max(one.factor, other.factor), max(one.constant, other.constant), is_text)


def _formatted(step: _Step) -> ast.expr:
    return ast.FormattedValue(step.code, -1 if step.is_text else ord("s"), None)


def _values(node: nodes.Filter) -> list[nodes.Expr]:
    return [entry.value for entry in node.kwargs]


def _title(value: TemplateValue) -> TemplateValue:
    """Jinja's |title, remembered for short texts: it is slow, and names of places and products come again."""
    known = type(value) is str and len(value) <= _REMEMBERED
    return _short_title(value) if known else STANDARD.filters["title"](value)


@lru_cache(maxsize=1024)
def _short_title(value: TemplateValue) -> TemplateValue:
    return STANDARD.filters["title"](value)


def _plain(function: Function) -> Function:
    """A filter of Jinja as a function of its value and settings alone."""
    passed = getattr(function, "jinja_pass_arg", None)
    if passed is None:
        return function
    return partial(function, {"environment": STANDARD, "eval_context": nodes.EvalContext(STANDARD)}[passed.name])
