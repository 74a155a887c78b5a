"""The rows of a selection as other queries read them: with the columns that a query needs and no others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlglot import exp

from workbench_core.ports import Column

ITEM_REF = "item_ref"


@dataclass(frozen=True, slots=True)
class CarriedRows:
    """A select taken apart once, because copying and binding thousands of columns takes longer than reading one."""

    frame: exp.Select  # without columns
    projections: dict[str, exp.Expr]

    @classmethod
    def of(cls, rows: exp.Select) -> CarriedRows:
        """`rows` names every column; item_ref comes first."""
        projections = {projection.alias_or_name: projection for projection in rows.selects}
        frame = exp.Select(**{key: _copied(part) for key, part in rows.args.items() if key != "expressions"})
        return cls(frame, projections)

    @property
    def is_costly(self) -> bool:
        """A join or a sample, which is better worked out once than for every query."""
        return self.frame.find(exp.Join, exp.Limit) is not None

    def with_columns(self, names: Iterable[str]) -> exp.Select:
        """The rows with item_ref and the columns of these names."""
        wanted = dict.fromkeys((ITEM_REF, *(name for name in names if name in self.projections)))
        rows = self.frame.copy()
        rows.set("expressions", [self.projections[name].copy() for name in wanted])
        return rows

    def known(self, columns: Sequence[Column]) -> list[Column]:
        """The columns that the rows really carry: a source column item_ref gives way to another identifier."""
        own = self.projections[ITEM_REF].find(exp.Column)
        is_own = own is not None and own.name == ITEM_REF
        return [column for column in columns if is_own or column.name != ITEM_REF]


def _copied(part: object) -> object:
    if isinstance(part, list):
        return [_copied(each) for each in part]
    return part.copy() if isinstance(part, exp.Expr) else part
