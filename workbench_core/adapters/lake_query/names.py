"""Names in a lake: three-part names of tables and volumes, and columns that a person may have typed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from workbench_core.errors import Invalid
from workbench_core.ports import Column

NAME_PART = re.compile(r"[A-Za-z0-9_-]{1,120}")


def split_name(name: str) -> tuple[str, str, str]:
    """The three parts of catalog.schema.table. Raises Invalid unless each is made of letters, digits, _ and -."""
    parts = name.split(".")
    if len(parts) != 3 or not all(NAME_PART.fullmatch(part) for part in parts):
        raise Invalid(
            f"“{name[:200]}” cannot name a table or folder.",
            hint="Use three parts such as demo.acme.inspections: letters, digits, _ and -, at most 120 each.",
        )
    catalog, schema, table = parts
    return catalog, schema, table


def find_column(name: str, columns: Sequence[Column]) -> Column:
    """The column of this name, forgiving its case when only one fits. Raises Invalid that suggests the closest."""
    exact = [column for column in columns if column.name == name]
    similar = exact or [column for column in columns if column.name.casefold() == name.casefold()]
    if len(similar) == 1:
        return similar[0]
    raise Invalid(f"There is no column “{name[:200]}”.", hint=_closest(name, columns))


def _closest(name: str, columns: Sequence[Column]) -> str:
    by_fold = {column.name.casefold(): column.name for column in columns}
    close = difflib.get_close_matches(name.casefold(), list(by_fold), n=1)
    if close:
        return f"Did you mean “{by_fold[close[0]]}”?"
    shown = ", ".join(column.name for column in columns[:12])
    return f"The columns are: {shown}{', ...' if len(columns) > 12 else ''}."
