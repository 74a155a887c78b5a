"""Checks of rows in the terms of DQX, compiled to conditions over known columns that every SQL dialect can render.

Names, arguments and verdicts: https://databrickslabs.github.io/dqx/docs/reference/quality_checks/ (length_between is
ours). What a person enters stands in the tree as a literal or as the quoted name of a known column, never as SQL.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from workbench_core.adapters.lake_checks.conditions import FUNCTIONS, LOOKUP, Lookup, row_filter
from workbench_core.adapters.lake_checks.terms import ROWS, Scope, Tables, Terms, closest, reference
from workbench_core.errors import Invalid
from workbench_core.ports import Column, RowCheck

__all__ = ["LOOKUP", "ROWS", "ROW_FUNCTIONS", "CompiledCheck", "Lookup", "Scope", "Tables", "compile_check"]

ROW_FUNCTIONS = tuple(FUNCTIONS)
VALUE_LIMIT = 500
NO_VALUE = "null"


@dataclass(frozen=True, slots=True)
class CompiledCheck:
    """A check over the columns of the table ROWS.

    `fails` is true for a row that fails; false or null for one that passes. It may read the column `found` of the
    table LOOKUP: the `lookup` query, joined from the left by its `on`. `applies` is the filter, None for all rows.
    """

    check: RowCheck
    fails: exp.Expr
    applies: exp.Expr | None
    shown: tuple[Column, ...]
    lookup: Lookup | None = None

    @property
    def value(self) -> exp.Expr:
        """What to show as the failing value: the text of one column, or `name=text` of several."""
        texts = [_shown_text(column) for column in self.shown]
        if len(texts) == 1:
            return texts[0]
        parts: list[exp.Expr] = []
        for column, text in zip(self.shown, texts, strict=True):
            parts += [exp.Literal.string(f"{', ' if parts else ''}{column.name}="), text]
        joined = exp.Concat(expressions=parts) if parts else exp.Literal.string("")
        return exp.Left(this=joined, expression=exp.Literal.number(VALUE_LIMIT))


def compile_check(check: RowCheck, scope: Scope) -> CompiledCheck:
    """Compile one check. Raises Invalid with a sentence for an unknown function, argument, column or table."""
    function = FUNCTIONS.get(check.function)
    if function is None:
        raise Invalid(
            f"There is no check “{check.function[:80]}”.", hint=closest(check.function[:80], list(ROW_FUNCTIONS))
        )
    names = (*function.required, *function.optional)
    for name in check.arguments:
        if name not in names:
            raise Invalid(f"{check.function} has no argument “{name[:80]}”.", hint=closest(name[:80], names))
    for name in function.required:
        if check.arguments.get(name) is None:
            raise Invalid(f"{check.function} needs the argument “{name}”.", hint="Add it to the rule.")
    terms = Terms(check, scope)
    condition = function.build(terms)
    return CompiledCheck(check, condition.fails, row_filter(terms), condition.shown, condition.lookup)


def _shown_text(column: Column) -> exp.Expr:
    text = exp.Cast(this=reference(column), to=exp.DataType.build("text"))
    cut = exp.Left(this=text, expression=exp.Literal.number(VALUE_LIMIT))
    return exp.Coalesce(this=cut, expressions=[exp.Literal.string(NO_VALUE)])
