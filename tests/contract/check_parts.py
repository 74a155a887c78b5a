"""What the tests of checks and profiles share: the names of their tables and of the rows in them."""

from __future__ import annotations

ROWS = "demo.acme.rows"
KEYS = "demo.acme.keys"


def refs(*numbers):
    """The identifiers of rows by their place."""
    return [f"r{number}" for number in numbers]
