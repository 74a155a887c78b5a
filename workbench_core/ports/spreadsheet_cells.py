"""Texts in CSV files that a spreadsheet would run as formulas: one rule for everything that is written for people.

Source: https://owasp.org/www-community/attacks/CSV_Injection. The two expressions mean the same to Python and DuckDB.
"""

from __future__ import annotations

import re

_UNSEEN = " \t\r\n\v\f\u00a0\u200b-\u200d\u2060\ufeff"  # blanks and marks that some programs skip before the sign
FORMULA_START = f"^[{_UNSEEN}]*[=+@\uff1d\uff0b\uff20\uff0d-]|^[\t\r\n]"
"""How a text begins that a spreadsheet may run; the full-width signs count as the plain ones in some of them."""
PLAIN_NUMBER = r"[+-]?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]+)?"
"""A whole text that is a number and no formula; it is never changed."""
_START, _NUMBER = re.compile(FORMULA_START), re.compile(PLAIN_NUMBER)


def harmless_cell(text: str) -> str:
    """The text with an apostrophe in front when a spreadsheet would run it as a formula."""
    return f"'{text}" if _START.match(text) and not _NUMBER.fullmatch(text) else text
