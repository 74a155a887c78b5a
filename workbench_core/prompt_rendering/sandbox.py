"""The Jinja environment of prompts: every operation that can grow or take time is charged to a budget.

Jinja's own sandbox keeps a template away from the internals of Python, but not from loops that never end or texts that
fill the memory. Here the syntax tree is rewritten so that loops, joins, slices and lists go through counting filters;
operators, filters and methods are intercepted. A value never weighs more than MAX_TEXT, a render never more than
MAX_WORK in all, so that each single step is short and the clock is looked at between the steps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from math import inf
from typing import TypeAlias, cast

from jinja2 import Environment, StrictUndefined, TemplateError, Undefined, nodes, pass_context
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing
from jinja2.visitor import NodeTransformer

MAX_VALUE = 20_000  # characters of one value; what is longer is cut, and marked
MAX_OUTPUT = 200_000  # characters of one rendered prompt
MAX_ITERATIONS = 10_000  # of all loops of one render together
MAX_TEXT = 200_000  # characters of one value on the way
MAX_WORK = 5_000_000  # characters read and written by all operations of one render
MAX_SECONDS = 2.0
MAX_NUMBER = 10**15
BUDGET = " budget"  # with a space: no template can write this name

TEXT_FILTERS = frozenset(
    {"abs", "capitalize", "float", "int", "lower", "replace", "round", "string", "title", "trim", "truncate"}
    | {"upper", "wordcount"}
)
LIST_FILTERS = frozenset(
    {"count", "first", "join", "last", "length", "list", "map", "max", "min", "reverse", "sort", "unique"}
)
FILTERS = TEXT_FILTERS | LIST_FILTERS | {"d", "default", "tojson"}
TESTS = frozenset(
    {"==", "!=", "<", "<=", ">", ">=", "eq", "equalto", "ne", "lt", "le", "gt", "ge", "in", "divisibleby"}
    | {"even", "odd", "lower", "upper", "defined", "undefined", "none", "true", "false", "boolean"}
    | {"string", "number", "integer", "float", "iterable", "sequence", "mapping"}
)
METHODS = frozenset(
    {"capitalize", "lower", "title", "upper", "lstrip", "rstrip", "strip", "removeprefix", "removesuffix"}
    | {"split", "rsplit", "splitlines", "replace", "count", "find", "startswith", "endswith"}
    | {"isalpha", "isdigit", "isnumeric", "isspace"}
)
LOOP_ATTRIBUTES = frozenset(
    {"depth", "first", "index", "index0", "last", "length", "nextitem", "previtem", "revindex", "revindex0"}
)

# What travels through a template: the values are texts, and a template can make numbers and flat lists of them.
TemplateValue: TypeAlias = object
_SCALARS = (str, int, float, bool, type(None))
_CONTAINERS = (list, tuple, dict)


class Refused(Exception):
    """A step of a render that goes too far; the message is a sentence without its first capital."""


FAILURES = (
    Refused,
    TemplateError,
    ArithmeticError,
    AssertionError,  # |truncate, to less than its mark
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    RecursionError,
)


class MissingValue(StrictUndefined):
    """A placeholder without a value: any use of it, but for a default, is an error that names it."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint:
            return "an attribute that is not allowed in a prompt"  # the hint names internals of Python
        if self._undefined_obj is missing:
            return f"the placeholder “{self._undefined_name}” has no value"
        return f"this value has no “{self._undefined_name}”"


class Budget:
    """What one render may still use."""

    __slots__ = ("deadline", "iterations", "work")

    def __init__(self) -> None:
        self.iterations = MAX_ITERATIONS
        self.work = MAX_WORK
        self.deadline = time.monotonic() + MAX_SECONDS

    def take(self, value: TemplateValue) -> TemplateValue:
        """Charge a value and give it back. Raises Refused when it is too large or the budget is used up."""
        weight = _weight(value)
        if weight > MAX_TEXT:
            raise Refused(f"a value grows beyond {MAX_TEXT:,} characters")
        self.work -= weight + 1
        if self.work < 0:
            raise Refused(f"the prompt works through more than {MAX_WORK:,} characters")
        self.look_at_clock()
        return value

    def look_at_clock(self) -> None:
        """Raise Refused when the time is up."""
        if time.monotonic() > self.deadline:
            raise Refused(f"the prompt takes longer than {MAX_SECONDS:g} seconds")

    def count(self, entries: Iterable[TemplateValue]) -> Iterable[TemplateValue]:
        """The entries of one loop, taken from the iterations that are left."""
        kept = list(islice(entries, self.iterations + 1))
        self.iterations -= len(kept)
        if self.iterations < 0:
            raise Refused(f"the loops run more than {MAX_ITERATIONS:,} times")
        for entry in kept:
            self.look_at_clock()
            yield entry


class PromptEnvironment(ImmutableSandboxedEnvironment):
    """Jinja's immutable sandbox, with attributes by allow list and every operation charged."""

    intercepted_binops = frozenset(["+", "-", "*", "/", "//", "%", "**"])

    def is_safe_attribute(self, obj: TemplateValue, attr: str, value: TemplateValue) -> bool:  # noqa: ARG002
        """Allow the named methods of texts and what a loop knows about itself, nothing else."""
        if isinstance(obj, LoopContext):
            return attr in LOOP_ATTRIBUTES
        return isinstance(obj, str) and attr in METHODS

    def wrap_str_format(self, value: TemplateValue) -> None:
        """Give no safe `str.format`: it is not among the methods."""

    def call(
        __self,  # noqa: N805
        __context: Context,
        __obj: Callable[..., TemplateValue],
        *args: TemplateValue,
        **kwargs: TemplateValue,
    ) -> TemplateValue:
        """Call a method of a text, or `range`, and charge what goes in and comes out."""
        budget = _budget(__context)
        if __obj is bounded_range:
            return budget.take(bounded_range(*args))
        text = getattr(__obj, "__self__", None)
        name = getattr(__obj, "__name__", "")
        if not isinstance(text, str) or name not in METHODS:
            raise Refused("only the methods of a text can be called")
        for value in (text, *args, *kwargs.values()):
            budget.take(value)
        if name == "replace":
            _check_replace(text, args)
        return budget.take(__obj(*args, **kwargs))

    def call_binop(self, context: Context, operator: str, left: TemplateValue, right: TemplateValue) -> TemplateValue:
        """Calculate with numbers of a bounded size; `+` also appends texts to texts and lists to lists."""
        budget = _budget(context)
        if isinstance(left, Undefined) or isinstance(right, Undefined):
            return self.binop_table["+"](left, right)  # raises with the placeholder's name
        budget.take(left)
        budget.take(right)
        if operator == "+" and any(isinstance(left, kind) and isinstance(right, kind) for kind in (str, list)):
            return budget.take(self.binop_table["+"](left, right))
        return budget.take(calculated(operator, left, right))


class Rewriting(NodeTransformer):
    """Send loops, joins by `~`, slices and lists through the counting filters."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - named by Jinja
        self.generic_visit(node)
        node.iter = _filtered(node.iter, " counted")
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), " together")

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        if not isinstance(node.arg, nodes.Slice):
            return node
        ends = [end or nodes.Const(None) for end in (node.arg.start, node.arg.stop, node.arg.step)]
        return _filtered(node.node, " part", ends)

    def visit_List(self, node: nodes.List) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _filtered(node, " flat")

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return node if node.ctx == "store" else _filtered(node, " flat")

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _filtered(node, " flat")


def calculated(operator: str, left: TemplateValue, right: TemplateValue) -> TemplateValue:
    """The result of arithmetic with numbers. Raises Refused for anything else, and when the result is too large."""
    if operator == "**" or not (isinstance(left, int | float) and isinstance(right, int | float)):
        raise Refused(f"“{operator}” cannot be used here")
    result: float = PromptEnvironment.default_binop_table[operator](left, right)
    if abs(result) > MAX_NUMBER and abs(result) != inf:
        raise Refused("a number grows too large")
    return result


def bounded_range(*args: TemplateValue) -> list[int]:
    """The numbers of a range, as a list of a bounded length."""
    numbers = range(*args)  # type: ignore[call-overload]  # a wrong type raises TypeError, which the renderer translates
    if len(numbers) > MAX_ITERATIONS:
        raise Refused(f"the range has more than {MAX_ITERATIONS:,} numbers")
    return list(numbers)


def written(value: TemplateValue) -> TemplateValue:
    """Let texts and numbers into the prompt; a list must be joined first. Missing values raise when written."""
    if isinstance(value, (*_SCALARS, Undefined)):
        return value
    raise Refused("a list cannot be written into a prompt: join it, for example with |join(', ')")


@pass_context
def _counted(context: Context, entries: TemplateValue) -> Iterable[TemplateValue]:
    return _budget(context).count(iter(entries))  # type: ignore[call-overload]


@pass_context
def _together(context: Context, parts: list[TemplateValue]) -> TemplateValue:
    return _budget(context).take("".join(str(written(part)) for part in parts))


@pass_context
def _part(context: Context, value: TemplateValue, *ends: int | None) -> TemplateValue:
    if not isinstance(value, str | list | tuple):
        raise Refused("only a text or a list can be cut")
    return _budget(context).take(value[slice(*ends)])


@pass_context
def _flat(context: Context, value: TemplateValue) -> TemplateValue:
    entries = [*value, *value.values()] if isinstance(value, dict) else value
    if any(isinstance(entry, _CONTAINERS) for entry in entries):  # type: ignore[attr-defined]
        raise Refused("a list cannot hold lists")
    return _budget(context).take(value)


def _charged(name: str) -> Callable[..., TemplateValue]:
    """Jinja's filter of that name, with its value, arguments and result charged."""
    wants_list = name in LIST_FILTERS
    any_value = name in {"d", "default"}

    @pass_context
    def apply(context: Context, value: TemplateValue, *args: TemplateValue, **kwargs: TemplateValue) -> TemplateValue:
        if any_value and isinstance(value, Undefined):
            return STANDARD.call_filter(name, value, args, kwargs, context=context)
        budget = _budget(context)
        _check_arguments(name, value, args, kwargs)
        for charged in (value, *args, *kwargs.values()):
            budget.take(charged)
        if not (wants_list or any_value or name == "tojson"):
            written(value)
        result = STANDARD.call_filter(name, value, args, kwargs, context=context)
        if not isinstance(result, (*_SCALARS, *_CONTAINERS, Undefined)):
            result = [_entry(name, entry) for entry in result]
        return budget.take(result)

    return apply


def _entry(name: str, value: TemplateValue) -> TemplateValue:
    if not isinstance(value, _SCALARS):
        raise Refused(f"|{name} must give texts or numbers")
    return value


def _check_arguments(
    name: str, value: TemplateValue, args: tuple[TemplateValue, ...], kwargs: Mapping[str, TemplateValue]
) -> None:
    """Refuse the arguments with which a harmless filter grows without bounds."""
    named = kwargs and (name == "replace" or "attribute" in kwargs)
    if named or any(isinstance(entry, _CONTAINERS) for entry in (*args, *kwargs.values())):
        raise Refused(f"|{name} cannot be used like this")
    if name == "tojson" and (args or kwargs):
        raise Refused("|tojson takes no settings here")
    if name == "round" and any(isinstance(entry, int) and abs(entry) > 15 for entry in (*args, *kwargs.values())):
        raise Refused("|round gives at most 15 digits")
    if name == "replace":
        _check_replace(str(written(value)), args)
    if name == "join" and isinstance(value, str | list | tuple | dict):
        separator = str(args[0] if args else kwargs.get("d", ""))
        if _weight(value) + len(separator) * len(value) > MAX_TEXT:
            raise Refused(f"a value grows beyond {MAX_TEXT:,} characters")


def _check_replace(text: str, args: tuple[TemplateValue, ...]) -> None:
    """Refuse a replacement that makes a text too long, before it is made."""
    if len(args) < 2:
        return
    old, new = str(args[0]), str(args[1])
    if len(text) + text.count(old) * max(0, len(new) - len(old)) > MAX_TEXT:
        raise Refused(f"a value grows beyond {MAX_TEXT:,} characters")


def _weight(value: TemplateValue) -> int:
    """Characters of a value, roughly: what it costs to read or write it once."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(_weight(key) + _weight(entry) for key, entry in value.items())
    if isinstance(value, list | tuple):
        return len(value) + sum(map(_weight, value))
    return 1 if not isinstance(value, int) else 1 + value.bit_length() // 3


def _of_numbers(name: str) -> Callable[..., bool]:
    """Jinja's test of that name, for numbers only: a text would be formatted by its “%”, to any length."""

    standard = cast("Callable[..., object]", STANDARD.tests[name])

    def test(value: TemplateValue, *args: TemplateValue) -> bool:
        if not all(isinstance(number, int | float) for number in (value, *args)):
            raise Refused(f"“is {name}” asks for a number, such as {{{{ amount|int }}}}")
        return bool(standard(value, *args))

    return test


def _budget(context: Context) -> Budget:
    budget = context.resolve(BUDGET)
    assert isinstance(budget, Budget)
    return budget


def _filtered(node: nodes.Node, name: str, args: list[nodes.Expr] | None = None) -> nodes.Filter:
    return nodes.Filter(node, name, args or [], [], None, None, lineno=node.lineno)


def _environment() -> PromptEnvironment:
    environment = PromptEnvironment(undefined=MissingValue, autoescape=False, optimized=False, finalize=written)
    environment.filters = {name: _charged(name) for name in FILTERS}
    environment.filters |= {" counted": _counted, " together": _together, " part": _part, " flat": _flat}
    environment.tests = {name: test for name, test in environment.tests.items() if name in TESTS}
    environment.tests |= {name: _of_numbers(name) for name in ("divisibleby", "even", "odd")}
    environment.globals = {"range": bounded_range}
    return environment


STANDARD = Environment(undefined=MissingValue, autoescape=False)  # noqa: S701 - prompts are text, not HTML
ENVIRONMENT = _environment()
