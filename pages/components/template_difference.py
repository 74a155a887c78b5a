"""Two texts side by side, line by line: readable without colour, by signs, strikes and underlines."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from html import escape
from itertools import zip_longest

import streamlit as st

from pages.components.words import counted

SAME, CHANGED = " ", "±"
AROUND = 2  # unchanged lines that are kept before and after a change
_STYLE = """<style>
.text-difference {width: 100%; border-collapse: collapse; table-layout: fixed}
.text-difference td {font: .82rem/1.55 'JetBrains Mono', monospace}
.text-difference th {text-align: left; font-weight: 600; padding: .2rem .5rem}
.text-difference td {vertical-align: top; padding: .1rem .5rem; white-space: pre-wrap; overflow-wrap: anywhere}
.text-difference td.sign {padding: .1rem .3rem; text-align: center; font-weight: 700; white-space: nowrap}
.text-difference .less {background: rgba(217, 45, 32, .13)}
.text-difference .more {background: rgba(7, 148, 85, .14)}
.text-difference del {background: rgba(217, 45, 32, .22); text-decoration: line-through}
.text-difference ins {background: rgba(7, 148, 85, .24); text-decoration: underline}
.text-difference .gap td {opacity: .75; font-style: italic}
</style>"""


def show_difference(before: str, after: str, *, titles: tuple[str, str]) -> None:
    """Show two texts as a table of two columns; long stretches without a change are left out and counted."""
    rows = "".join(_row(*each) for each in shortened(list(paired_lines(before, after))))
    head = "".join(f'<th colspan="2" scope="col">{escape(title)}</th>' for title in titles)
    st.html(
        f'{_STYLE}<table class="text-difference"><colgroup><col style="width:1.8rem"><col><col style="width:1.8rem">'
        f"<col></colgroup><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def paired_lines(before: str, after: str) -> Iterator[tuple[str | None, str | None]]:
    """The lines of both texts beside each other; None where one has no counterpart."""
    old, new = before.split("\n") if before else [], after.split("\n") if after else []
    for _, i1, i2, j1, j2 in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        yield from zip_longest(old[i1:i2], new[j1:j2])


def shortened(
    rows: Sequence[tuple[str | None, str | None]],
) -> Iterator[tuple[str | None, str | None] | tuple[int]]:
    """The rows near a change; a number stands for rows without a change that are left out."""
    changes = [place for place, (old, new) in enumerate(rows) if old != new]
    near = {place + step for place in changes for step in range(-AROUND, AROUND + 1)}
    left_out = 0
    for place, row in enumerate(rows):
        if place in near:
            if left_out:
                yield (left_out,)
            left_out = 0
            yield row
        else:
            left_out += 1
    if left_out:
        yield (left_out,)


def _row(*row: str | int | None) -> str:
    if len(row) == 1:
        left_out = counted(int(row[0] or 0), "unchanged line")
        return f'<tr class="gap"><td class="sign"></td><td colspan="3">{left_out}</td></tr>'
    old, new = (None if each is None else str(each) for each in row)
    if old == new:
        return _cells(escape(old or ""), SAME, "") + _cells(escape(new or ""), SAME, "", is_last=True)
    left, right = marked(old, new)
    return _cells(left, "−" if old is not None else "", "less" if old is not None else "") + _cells(
        right, "+" if new is not None else "", "more" if new is not None else "", is_last=True
    )


def marked(old: str | None, new: str | None) -> tuple[str, str]:
    """Both lines as HTML, with what differs in them marked; a line that was added or removed as a whole is not."""
    if old is None or new is None:
        return escape(old or ""), escape(new or "")
    before, after = re.findall(r"\w+|\W", old), re.findall(r"\w+|\W", new)
    left, right = "", ""
    for kind, i1, i2, j1, j2 in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        was, is_now = escape("".join(before[i1:i2])), escape("".join(after[j1:j2]))
        left += was if kind == "equal" or not was else f"<del>{was}</del>"
        right += is_now if kind == "equal" or not is_now else f"<ins>{is_now}</ins>"
    return left, right


def _cells(html: str, sign: str, kind: str, *, is_last: bool = False) -> str:
    start, end = ("", "</tr>") if is_last else ("<tr>", "")
    return f'{start}<td class="sign {kind}">{sign}</td><td class="{kind}">{html}</td>{end}'
