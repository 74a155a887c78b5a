"""What a file would do to a table that is there: compared first, then done, whole or not at all."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from workbench_core.ports.lake import Lake, TableEntry


class ChangeMode(StrEnum):
    """What happens to the rows of a file: a new table, added to one, put in place of its rows, or of all of them."""

    NEW = "new"
    ADD = "add"
    UPDATE = "update"
    REPLACE = "replace"


class ColumnFate(StrEnum):
    """What happens to a column; columns are the same when their names are, letter by letter."""

    SAME = "same"
    NEW = "new"
    MISSING = "missing"
    OTHER_TYPE = "other type"
    UNFIT = "does not fit"


@dataclass(frozen=True, slots=True)
class TableChange:
    """How the rows of a file change a table.

    `identifier` is the column by which a row of the file replaces one of the table (UPDATE), and by which rows that
    are there already are told (ADD). Without `takes_new_columns` these two leave columns out that the table does not
    have. `seen` is the version of the table that a person looked at; a change of another one is refused.
    """

    mode: ChangeMode = ChangeMode.NEW
    identifier: str = ""
    takes_new_columns: bool = True
    seen: str = ""


@dataclass(frozen=True, slots=True)
class ColumnChange:
    """One column: its type in the table before and after, empty where it is not there, and why it does not fit."""

    name: str
    fate: ColumnFate
    before: str = ""
    after: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class TableComparison:
    """A table beside the rows of a file.

    `version` changes whenever the content of the table does. `repeated` counts the identifiers that both have, and
    `examples` are the first of them; rows of a file or table beyond the first of each identifier are `repeated_in_…`.
    `rows_after` is None when the rows cannot be put together.
    """

    name: str
    version: str
    columns: tuple[ColumnChange, ...]
    rows_before: int
    rows_in_file: int
    rows_after: int | None = None
    identifier: str = ""
    repeated: int = 0
    examples: tuple[str, ...] = ()
    repeated_in_file: int = 0
    repeated_in_table: int = 0
    without_identifier: int = 0

    def of(self, *fates: ColumnFate) -> tuple[ColumnChange, ...]:
        """The columns with one of these fates."""
        return tuple(column for column in self.columns if column.fate in fates)


class ChangedTable(Protocol):
    """A table as it would be, complete beside the one that is there, which nobody sees changed yet."""

    @property
    def comparison(self) -> TableComparison:
        """What changes."""
        ...

    @property
    def lake(self) -> Lake | None:
        """The lake as it would be, to read; None when the rows cannot be put together."""
        ...

    def put(self, *, source: str = "", tags: Collection[str] = ()) -> TableEntry:
        """Make it the table in one step: whoever reads the old rows goes on with them.

        `source` says where the rows are from, and tags are added to those that are there. Raises ChangedByOthers when
        the table has another version by now, NotFound when it is gone.
        """
        ...
