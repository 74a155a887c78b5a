"""Speed of the pages of a preview: a join of three tables over one million rows, and one table of them with a filter.

A page is what the grid asks for: 50 rows in the order of the identifier as text, all columns. The identifiers lie in
random order in the file. The last line is the result as JSON; `page_ms` is the slowest of all pages of the join, the
very first one included: a lake just opened that has read nothing yet. `median_page_ms` is the median of the same
pages, `slowest_page_ms` the slowest page of anything that is previewed here. Between two pages lies a second, in
which a person looks and the lake puts the rest of the rows in order.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas  # noqa: F401  (what a page is made of: loaded long before a person looks at one)

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from workbench_core.adapters.local.lake import LocalLake
from workbench_core.ports import ColumnRef, Join, JoinKey, JoinKind, JoinSource, Selection, SourceRole

ORDERS, CUSTOMERS, PRODUCTS = "shop.sales.orders", "shop.sales.customers", "shop.sales.products"
PAGE_ROWS = 50
LOOK_SECONDS = 1.0  # before a person turns the page
PRIME = 7_919  # spreads the identifiers over the file


@dataclass(frozen=True, slots=True)
class Figure:
    """The calls of one action on a lake just opened, in milliseconds, in their order."""

    action: str
    times_ms: tuple[float, ...]

    @property
    def first_ms(self) -> float:
        """The first call."""
        return self.times_ms[0]

    @property
    def median_ms(self) -> float:
        """The median of the later calls."""
        return statistics.median(self.times_ms[1:])

    @property
    def slowest_ms(self) -> float:
        """The slowest of all calls."""
        return max(self.times_ms)


def tables(rows: int) -> dict[str, str]:
    """The query that makes each table: orders, a tenth as many customers, a hundredth as many products."""
    customers, products = max(rows // 10, 1), max(rows // 100, 1)
    return {
        ORDERS: f"""
            SELECT 'order-' || lpad(((n * {PRIME}) % {rows})::VARCHAR, 9, '0') AS order_id,
                   (n * 31) % {customers} AS customer_id, 'p-' || ((n * 17) % {products}) AS product_id,
                   (n % 1000) / 10.0 AS amount, CASE WHEN n % 3 = 0 THEN 'open' ELSE 'paid' END AS status,
                   TIMESTAMP '2026-01-01' + to_seconds(n) AS placed_at, 'Left at the door, parcel ' || n AS note
            FROM range({rows}) AS numbers(n)""",
        CUSTOMERS: f"""
            SELECT n AS customer_id, 'Customer ' || n AS name, 'City ' || (n % 500) AS city,
                   'c' || n || '@example.com' AS email
            FROM range({customers}) AS numbers(n)""",
        PRODUCTS: f"""
            SELECT 'p-' || n AS product_id, 'Product ' || n AS title, n % 50 AS category, n / 7.0 AS price
            FROM range({products}) AS numbers(n)""",
    }


def fill(home: Path, rows: int) -> None:
    """Make the tables of a lake from generated Parquet files."""
    lake = LocalLake(home)
    for name, query in tables(rows).items():
        file = home / "upload.parquet"
        duckdb.execute(f"COPY ({query}) TO '{file}' (FORMAT parquet)")
        lake.put_table(name, file, original_name="upload.parquet")
        file.unlink()


def three_tables(kind: JoinKind) -> Join:
    """Orders with their customer and product."""
    return Join(
        (
            JoinSource(ORDERS, "orders", SourceRole.PRIMARY),
            JoinSource(CUSTOMERS, "customers"),
            JoinSource(PRODUCTS, "products"),
        ),
        (
            JoinKey(ColumnRef("orders", "customer_id"), ColumnRef("customers", "customer_id")),
            JoinKey(ColumnRef("orders", "product_id"), ColumnRef("products", "product_id")),
        ),
        kind,
    )


def selections() -> dict[str, Selection]:
    """What is previewed, by what the table of results calls it."""
    left = three_tables(JoinKind.LEFT)
    return {
        "3-way left join": Selection(left, "orders__order_id"),
        "3-way left join, filter on a customer's city": Selection(
            left, "orders__order_id", where="customers__city <> 'City 7'"
        ),
        "3-way inner join": Selection(three_tables(JoinKind.INNER), "orders__order_id"),
        "one table": Selection(ORDERS, "order_id"),
        "one table, filter": Selection(ORDERS, "order_id", where="status = 'paid' AND amount > 5"),
    }


def timed(action: Callable[[], object]) -> float:
    """Milliseconds that an action takes."""
    started = time.perf_counter()
    action()
    return (time.perf_counter() - started) * 1000


def pages(lake: LocalLake, selection: Selection, total: int, *, pause: float) -> dict[str, list[float]]:
    """Milliseconds of different pages, in the order in which a person may look at them."""

    def page(offset: int) -> float:
        def read() -> None:
            assert len(lake.page(selection, limit=PAGE_ROWS, offset=offset)) == PAGE_ROWS

        took = timed(read)
        time.sleep(pause)
        return took

    places = {"first page": 0, "page 2": PAGE_ROWS, "middle page": total // 2, "last page": total - PAGE_ROWS}
    took = {name: [page(offset)] for name, offset in places.items()}
    for shift in (1, 2, 3):  # pages nobody has looked at
        for name, offset in places.items():
            near = offset + 4 * shift * PAGE_ROWS if offset < total // 2 else offset - 4 * shift * PAGE_ROWS
            took[name].append(page(near))
    return took


def measure(home: Path, name: str, selection: Selection, *, pause: float) -> list[Figure]:
    """Pages and count of one selection on a lake just opened."""
    total = LocalLake(home).count(selection)
    lake = LocalLake(home)
    took = pages(lake, selection, total, pause=pause)
    counts = tuple(timed(lambda: lake.count(selection)) for _ in range(4))
    return [
        *(Figure(f"{name}: {page}", tuple(times)) for page, times in took.items()),
        Figure(f"{name}: count", counts),
    ]


def show(figures: list[Figure]) -> None:
    """One table, then the most important figures as one line of JSON."""
    width = max(len(figure.action) for figure in figures) + 2
    print(f"{'':{width}}{'first':>12}{'median':>12}{'slowest':>12}")
    for one in figures:
        print(f"{one.action:{width}}{one.first_ms:>9.0f} ms{one.median_ms:>9.0f} ms{one.slowest_ms:>9.0f} ms")
    join, table = page_times(figures, "3-way left join: "), page_times(figures, "one table, filter: ")
    result = {
        "page_ms": max(join),
        "median_page_ms": statistics.median(join),
        "first_page_ms": join[0],
        "slowest_page_ms": max(page_times(figures, "")),
        "table_page_ms": max(table),
        "count_ms": next(one.median_ms for one in figures if one.action == "3-way left join: count"),
    }
    print(json.dumps({name: round(value, 1) for name, value in result.items()}))


def page_times(figures: list[Figure], beginning: str) -> list[float]:
    """The times of all pages of what is called so."""
    pages = [one for one in figures if one.action.startswith(beginning) and not one.action.endswith(": count")]
    return [time for one in pages for time in one.times_ms]


def main(arguments: Sequence[str] | None = None) -> None:
    """Generate, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="orders (default one million)")
    parser.add_argument("--look-seconds", type=float, default=LOOK_SECONDS, help="between two pages")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        fill(home, chosen.rows)
        wanted = selections().items()
        show([one for name, selection in wanted for one in measure(home, name, selection, pause=chosen.look_seconds)])


if __name__ == "__main__":
    main()
