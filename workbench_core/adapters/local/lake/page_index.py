"""The order of the rows of a selection, kept in memory, so that a page fetches its rows by number (SH-7)."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from workbench_core.adapters import lake_query
from workbench_core.adapters.local.lake.sources import Reading
from workbench_core.ports import Join, JoinKind, Selection

if TYPE_CHECKING:
    import numpy.typing as npt

    Keys: TypeAlias = npt.NDArray[np.uint32]

FIRST_ROWS = 2_000  # so many are put in order at first: as fast as one page
MAX_PAGE = 1000  # a larger page is read in one query
MAX_BYTES = 128_000_000  # of all orders together
MAX_ORDERS = 500
MAX_KEY = 2**32 - 1
REF_BYTES = 100  # of an identifier in a selection
READ_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class RowOrder:
    """The row keys of a selection in the order of its pages: all, or the first `FIRST_ROWS`."""

    keys: Keys
    is_complete: bool

    @property
    def nbytes(self) -> int:
        """Its memory."""
        return self.keys.nbytes

    def reaches(self, end: int) -> bool:
        """Whether the first `end` rows are in it."""
        return self.is_complete or end <= len(self.keys)


@dataclass(frozen=True, slots=True)
class TableOrder:
    """The row keys of a table in the order of an identifier, and the place of each row in it."""

    keys: Keys
    places: Keys

    @property
    def nbytes(self) -> int:
        """Its memory."""
        return self.keys.nbytes + self.places.nbytes

    def sorted(self, keys: Keys) -> Keys:
        """These keys in the order of the identifier. A key may come several times."""
        return self.keys[np.sort(self.places[keys])]


@dataclass(frozen=True, slots=True)
class PageRows:
    """Which rows make a page: those of `keys`, from the one at `offset` on."""

    keys: tuple[int, ...]
    offset: int


class PageIndex:
    """Orders of the tables and selections that were looked at last, within a limit of memory.

    Sorting the identifiers as text is the dear part, so it is done once a table; the rows of a selection are then put
    in order by numbers.
    """

    def __init__(self, *, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._orders: OrderedDict[Hashable, tuple[RowOrder | TableOrder, int]] = OrderedDict()
        self._lock = threading.Lock()
        self._ordering = threading.Lock()  # two people who jump to the end wait for one sort
        self._ahead: set[Hashable] = set()

    def page(self, selection: Selection, reading: Reading, *, limit: int, offset: int) -> PageRows | None:
        """Which rows make a page; None where one query has to read it."""
        if not _has_order(selection, reading) or not 0 < limit <= MAX_PAGE:
            return None
        end = offset + limit
        key = _key(selection, reading)
        order = self._known(key)
        if not isinstance(order, RowOrder) or not order.reaches(end):
            order = self._made(selection, reading, key) if end <= FIRST_ROWS else self.complete(selection, reading)
            if order is None:
                return None
        return _page_rows(order.keys, offset, end)

    def should_order_ahead(self, selection: Selection, reading: Reading) -> bool:
        """Whether only the first rows are in order, and nobody was asked to order the rest; true once a selection."""
        key = _key(selection, reading)
        order = self._known(key)
        if not isinstance(order, RowOrder) or order.is_complete:
            return False
        with self._lock:
            if key in self._ahead:
                return False
            if len(self._ahead) >= MAX_ORDERS:
                self._ahead.clear()
            self._ahead.add(key)
        return True

    def complete(self, selection: Selection, reading: Reading) -> RowOrder | None:
        """All rows in order; None when that would need too much memory."""
        key = _key(selection, reading)
        with self._ordering:
            order = self._known(key)
            if isinstance(order, RowOrder) and order.is_complete:
                return order
            return self._made(selection, reading, key, is_complete=True)

    def _made(
        self, selection: Selection, reading: Reading, key: Hashable, *, is_complete: bool = False
    ) -> RowOrder | None:
        """An order that was not known, kept for the next page."""
        order = self._complete(selection, reading) if is_complete else self._first(selection, reading)
        if order is not None:
            self._keep(key, order, beside=REF_BYTES * (len(selection.item_refs or ()) + len(selection.excluded_refs)))
        return order

    def _first(self, selection: Selection, reading: Reading) -> RowOrder | None:
        keys = self._read(
            reading, lake_query.first_keys_query(selection, reading.deciding(selection), limit=FIRST_ROWS)
        )
        return None if keys is None else RowOrder(keys, is_complete=len(keys) < FIRST_ROWS)

    def _complete(self, selection: Selection, reading: Reading) -> RowOrder | None:
        keys = self._read(reading, lake_query.keys_query(selection, reading.deciding(selection)))
        if keys is None:
            return None
        if not selection.item_id_column:
            return RowOrder(np.sort(keys), is_complete=True)
        table = self._table_order(selection, reading)
        return None if table is None else RowOrder(table.sorted(keys), is_complete=True)

    def _table_order(self, selection: Selection, reading: Reading) -> TableOrder | None:
        name = lake_query.find_column(selection.item_id_column, reading.source.columns).name
        if isinstance(selection.source, Join):
            name = name.removeprefix(f"{selection.source.primary.alias}__")
        key = (name, reading.stamps[0]) if reading.stamps else None
        order = self._known(key)
        if isinstance(order, TableOrder):
            return order
        keys = self._read(reading, lake_query.identifier_order_query(reading.primary, name))
        if keys is None:
            return None
        places = np.zeros(int(keys.max(initial=0)) + 1, np.uint32)
        places[keys] = np.arange(len(keys), dtype=np.uint32)
        order = TableOrder(keys, places)
        self._keep(key, order)
        return order

    def _read(self, reading: Reading, query: str) -> Keys | None:
        """The row keys that a query gives; None for more than there is memory for."""
        parts: list[Keys] = [np.empty(0, np.uint32)]
        size = 0
        for batch in reading.cursor.sql(query).to_arrow_reader(READ_ROWS):
            keys = batch.column(0).to_numpy()
            parts.append(keys.astype(np.uint32))
            size += parts[-1].nbytes
            if size > self._max_bytes // 2 or keys.max(initial=0) > MAX_KEY:
                return None
        return np.concatenate(parts)

    def _known(self, key: Hashable) -> RowOrder | TableOrder | None:
        with self._lock:
            if key not in self._orders:
                return None
            self._orders.move_to_end(key)
            return self._orders[key][0]

    def _keep(self, key: Hashable, order: RowOrder | TableOrder, *, beside: int = 0) -> None:
        """Remember an order; `beside` are the bytes of its key."""
        if key is None:
            return
        with self._lock:
            self._orders[key] = (order, order.nbytes + beside)
            self._orders.move_to_end(key)
            while self.nbytes > self._max_bytes or len(self._orders) > MAX_ORDERS:
                self._orders.popitem(last=False)

    @property
    def nbytes(self) -> int:
        """The memory of all orders."""
        return sum(size for _, size in self._orders.values())


def _key(selection: Selection, reading: Reading) -> Hashable:
    """Under what an order is kept; None where other rows may come at any time."""
    return (selection, reading.stamps) if _is_lasting(selection, reading) else None


def _has_order(selection: Selection, reading: Reading) -> bool:
    """Whether row keys can tell the rows: one of the table, or of the primary source that the identifier is from."""
    join = selection.source
    if not reading.source.row_key or not isinstance(join, Join):
        return bool(reading.source.row_key)
    if not selection.item_id_column:
        return join.kind is not JoinKind.FULL  # there a row may have no primary row
    return selection.item_id_column.casefold().startswith(f"{join.primary.alias}__".casefold())


def _is_lasting(selection: Selection, reading: Reading) -> bool:
    """Whether the same rows come until a file changes."""
    if not reading.stamps:
        return False
    source = reading.source
    where = selection.where.strip()
    return not where or lake_query.is_lasting(where, source.columns, dialect=source.dialect)


def _page_rows(keys: Keys, offset: int, end: int) -> PageRows:
    """A row of a join may come several times in a row: the ones on the page before are left out again."""
    page = keys[offset:end]
    if not len(page):
        return PageRows((), 0)
    others = np.flatnonzero(keys[:offset] != page[0]) if offset and keys[offset - 1] == page[0] else None
    before = 0 if others is None else offset - (int(others[-1]) + 1 if len(others) else 0)
    return PageRows(tuple(dict.fromkeys(page.tolist())), before)
