"""From the expression of a prompt to the expression of an engine, with the conditions under which both are equal."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlglot import exp

from workbench_core.adapters.lake_query.sources import as_text
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

_COMPARISONS: dict[str, type[exp.Binary]] = {
    "==": exp.EQ, "!=": exp.NEQ, "<": exp.LT, "<=": exp.LTE, ">": exp.GT, ">=": exp.GTE,
}  # fmt: skip
MAX_REPLACED = 40_000  # characters; a replacement that makes more of them is left to the workbench
_WHOLE = r"\A[+-]?[0-9]{1,15}\z"
_DECIMAL = r"\A[+-]?[0-9]{1,9}[.][0-9]{0,6}\z"
# Letters of “1e5”, “inf” and “nan” may name a number in Python; any other letter or mark in a text makes it none.
_NO_NUMBER = r"[B-DG-HJ-MO-SU-XZb-dg-hj-mo-su-xz,;:/%$()=!?]"
# Letters whose capital or small form is one letter and the same in every engine, and signs that have neither.
_SAME_CASE = (
    r"\A[\x{0}-\x{7F}\x{A0}-\x{B4}\x{B6}-\x{DE}\x{E0}-\x{FE}\x{100}-\x{12F}\x{132}-\x{148}\x{14A}-\x{177}"
    r"\x{17A}-\x{17E}\x{400}-\x{45F}\x{2010}-\x{2027}\x{2030}-\x{205E}\x{20A0}-\x{20BF}\x{2190}-\x{22FF}"
    r"\x{3000}-\x{30FF}\x{4E00}-\x{9FFF}\x{AC00}-\x{D7A3}\x{1F300}-\x{1FAFF}]*\z"
)


def is_blank(text: exp.Expr, characters: str) -> exp.Expr:
    """That a text holds nothing but these characters."""
    return exp.EQ(this=_trimmed(text, characters), expression=exp.Literal.string(""))


class PromptSql:
    """Builds the expressions of one row. `texts` are the values of the placeholders, `bound` a parameter for a text.

    `guards` collects what must hold for a row so that the engine's text is the one of the workbench.
    """

    def __init__(self, texts: Mapping[str, exp.Expr], bound: Callable[[str], exp.Expr]) -> None:
        self._texts = texts
        self._bound = bound
        self.guards: list[exp.Expr] = []

    def text(self, part: TextExpression) -> exp.Expr:
        """The expression of a text; it is never NULL where the guards hold."""
        match part:
            case FixedText(text):
                return self._bound(text)
            case PlaceholderText(name):
                return self._texts[name].copy()
            case JoinedText(parts):
                return exp.Concat(expressions=[self.text(one) for one in parts])
            case TrimmedText(of, characters):
                return _trimmed(self.text(of), characters)
            case _:
                return self._changed(part)

    def _changed(
        self, part: CasedText | ReplacedText | StartOfText | ShortenedText | ChosenText | NumberText
    ) -> exp.Expr:
        match part:
            case StartOfText(of, length):
                return _start(self.text(of), length)
            case NumberText(of):
                return as_text(self.number(of))
            case CasedText(of, is_upper):
                text = self.text(of)
                self._only_if(_matches(text, _SAME_CASE))
                return exp.Upper(this=text) if is_upper else exp.Lower(this=text)
            case ReplacedText(of, old, new):
                replaced = exp.Replace(this=self.text(of), expression=self._bound(old), replacement=self._bound(new))
                self._only_if(_at_most(exp.Length(this=replaced.copy()), MAX_REPLACED))
                return replaced
            case ShortenedText():
                return self._shortened(part)
            case ChosenText(cases, otherwise):
                ifs = [exp.If(this=self.condition(condition), true=self.text(text)) for condition, text in cases]
                return exp.Case(ifs=ifs, default=self.text(otherwise))

    def _shortened(self, part: ShortenedText) -> exp.Expr:
        text = self.text(part.of)
        start = _start(text.copy(), part.length - len(part.end))
        if not part.cuts_words:
            start = exp.RegexpReplace(
                this=start, expression=exp.Literal.string(" [^ ]*\\z"), replacement=exp.Literal.string("")
            )
        is_short = _at_most(exp.Length(this=text.copy()), part.length + part.leeway)
        cut = exp.Concat(expressions=[start, self._bound(part.end)]) if part.end else start
        return exp.Case(ifs=[exp.If(this=is_short, true=text)], default=cut)

    def number(self, part: NumberExpression) -> exp.Expr:
        """The expression of a number."""
        match part:
            case FixedNumber(value):
                return _fixed_number(value)
            case TextLength(of):
                return exp.Length(this=self.text(of))
            case WholeOf(of, default):
                return self._whole(self.text(of), default)
            case DecimalOf(of, default):
                return self._decimal(self.text(of), default)

    def _whole(self, text: exp.Expr, default: int) -> exp.Expr:
        digits = exp.RegexpReplace(
            this=text.copy(), expression=exp.Literal.string("[.].*\\z"), replacement=exp.Literal.string("")
        )
        is_number = self._is_number(text)
        whole = exp.TryCast(this=digits, to=exp.DataType.build("bigint"))
        return exp.Case(ifs=[exp.If(this=is_number, true=whole)], default=_fixed_number(default))

    def _decimal(self, text: exp.Expr, default: float) -> exp.Expr:
        is_number = self._is_number(text)
        number = exp.TryCast(this=text, to=exp.DataType.build("double"))
        return exp.Case(ifs=[exp.If(this=is_number, true=number)], default=_fixed_number(float(default)))

    def _is_number(self, text: exp.Expr) -> exp.Expr:
        """That a text is a plain number; what may or may not be one in Python is left to the workbench."""
        is_number = exp.or_(_matches(text, _WHOLE), _matches(text, _DECIMAL))
        is_none = exp.or_(exp.EQ(this=text.copy(), expression=exp.Literal.string("")), _matches(text, _NO_NUMBER))
        self._only_if(exp.or_(is_number.copy(), is_none))
        return is_number

    def condition(self, part: Condition) -> exp.Expr:
        """The expression of a condition."""
        match part:
            case Fixed(holds):
                return exp.Boolean(this=holds)
            case HasText(of):
                return exp.NEQ(this=self.text(of), expression=exp.Literal.string(""))
            case TextCompared(left, operator, right):
                return _COMPARISONS[operator](this=self.text(left), expression=self.text(right))
            case NumberCompared(left, operator, right):
                return _COMPARISONS[operator](this=self.number(left), expression=self.number(right))
            case TextContains(of, part_of_it):
                return exp.Contains(this=self.text(of), expression=self.text(part_of_it))
            case _:
                return self._connected(part)

    def _connected(self, part: AllHold | AnyHolds | Negated) -> exp.Expr:
        match part:
            case AllHold(conditions):
                return exp.paren(exp.and_(*map(self.condition, conditions)))
            case AnyHolds(conditions):
                return exp.paren(exp.or_(*map(self.condition, conditions)))
            case Negated(of):
                return exp.Not(this=exp.paren(self.condition(of)))

    def _only_if(self, guard: exp.Expr) -> None:
        if guard not in self.guards:
            self.guards.append(guard)


def _trimmed(text: exp.Expr, characters: str) -> exp.Expr:
    return exp.Trim(this=text, expression=exp.Literal.string(characters), position="BOTH")


def _start(text: exp.Expr, length: int) -> exp.Expr:
    return exp.Substring(this=text, start=exp.Literal.number(1), length=exp.Literal.number(length))


def _matches(text: exp.Expr, pattern: str) -> exp.Expr:
    return exp.RegexpLike(this=text.copy(), expression=exp.Literal.string(pattern))


def _at_most(number: exp.Expr, limit: int) -> exp.Expr:
    return exp.LTE(this=number, expression=exp.Literal.number(limit))


def _fixed_number(value: int | float) -> exp.Expr:
    if isinstance(value, float):
        return exp.cast(exp.Literal.string(repr(value)), "double")
    number = exp.Literal.number(abs(value))
    return exp.cast(exp.Neg(this=number) if value < 0 else number, "bigint")
