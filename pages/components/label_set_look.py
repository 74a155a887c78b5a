"""Classes as people see them: coloured dots with names, the buttons of a reviewer, and bars of how often each is given.

Colours of classes are data, so they cannot come from the theme; texts and lines take theirs from the page.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

import streamlit as st

from workbench_core.label_sets import LabelClass, LabelSetStats

MOST_BARS = 40
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_STYLE = """<style>
.classes {display: flex; flex-wrap: wrap; gap: .35rem .4rem; font-size: .86rem; line-height: 1.3}
.classes .chip {display: inline-flex; align-items: center; gap: .38rem; max-width: 100%;
  padding: .08rem .5rem .08rem .4rem;
  border: 1px solid color-mix(in srgb, currentColor 16%, transparent); border-radius: 99px}
.classes .name {overflow: hidden; text-overflow: ellipsis; white-space: nowrap; max-width: 22ch}
.classes .more {align-self: center; opacity: .72}
.classes .dot, .class-bars .dot {flex: none; width: .62rem; height: .62rem; border-radius: 50%}
.class-buttons {display: flex; flex-wrap: wrap; gap: .5rem; max-height: 30rem; overflow-y: auto}
.class-buttons .key {display: inline-flex; align-items: center; gap: .55rem; min-height: 38px; padding: .3rem .8rem;
  border: 1px solid color-mix(in srgb, currentColor 22%, transparent); border-left: 5px solid var(--class);
  border-radius: .5rem; font-size: .93rem; max-width: 100%; overflow-wrap: anywhere}
.class-buttons .key.chosen {background: color-mix(in srgb, var(--class) 20%, transparent); border-color: var(--class);
  font-weight: 600}
.class-buttons kbd {font: 600 .72rem 'JetBrains Mono', monospace; padding: .05rem .3rem; border-radius: 4px;
  border: 1px solid color-mix(in srgb, currentColor 45%, transparent); background: none; color: inherit}
.class-bars {width: 100%; border-collapse: collapse; font-size: .9rem; border: 0}
.class-bars td, .class-bars th {padding: .28rem .5rem .28rem 0; border: 0; vertical-align: middle; font-weight: 400;
  text-align: left}
.class-bars .who {width: 34%; max-width: 0}
.class-bars .who > span {display: flex; align-items: center; gap: .5rem; min-width: 0}
.class-bars .who .name {overflow: hidden; text-overflow: ellipsis; white-space: nowrap}
.class-bars .track {width: auto}
.class-bars .bar {display: block; height: .95rem; border-radius: 3px; min-width: 2px}
.class-bars .bar.none {background: color-mix(in srgb, currentColor 18%, transparent)}
.class-bars .count {width: 7.5rem; text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums;
  padding-right: 0}
.class-bars .count span {opacity: .72}
@media (max-width: 600px) {.class-bars .count {width: 5.6rem} .class-bars .who {width: 38%}}
</style>"""


def safe_colour(colour: str) -> str:
    """A colour that may stand in a style; grey for what is none yet."""
    return colour if _COLOUR.fullmatch(colour) else "#8a94a6"


def class_chips(classes: Sequence[LabelClass], *, most: int = 8) -> None:
    """The classes as coloured dots with their names, the first ones of many."""
    shown = "".join(
        f'<span class="chip"><span class="dot" style="background:{safe_colour(one.colour)}"></span>'
        f'<span class="name">{escape(one.shown)}</span></span>'
        for one in classes[:most]
    )
    more = f'<span class="more">and {len(classes) - most:,} more</span>' if len(classes) > most else ""
    st.html(f'{_STYLE}<div class="classes">{shown}{more}</div>')


def class_buttons(classes: Sequence[LabelClass]) -> None:
    """The buttons that people who label will get, the first one as if it was chosen."""
    buttons = "".join(
        f'<span class="key{"" if number else " chosen"}" style="--class:{safe_colour(one.colour)}" '
        f'title="{escape(one.description)}">{escape(one.shown or "Without a name")}'
        f"{f'<kbd>{escape(one.hotkey.upper())}</kbd>' if one.hotkey else ''}</span>"
        for number, one in enumerate(classes)
    )
    st.html(f'{_STYLE}<div class="class-buttons" tabindex="0">{buttons}</div>')


def class_bars(classes: Sequence[LabelClass], stats: LabelSetStats) -> None:
    """How many labels say each class, as bars in the colours of the classes; at last those that say none of them."""
    counts = {one.name: one.labels for one in stats.classes}
    ranked = sorted(classes, key=lambda one: -counts.get(one.name, 0)) if len(classes) > MOST_BARS else list(classes)
    lines = [(one.shown, safe_colour(one.colour), counts.get(one.name, 0)) for one in ranked[:MOST_BARS]]
    if stats.others:
        lines.append(("Other answers", "", stats.others))
    longest = max((number for *_, number in lines), default=0) or 1
    rows = "".join(_bar(name, colour, number, longest=longest, every=stats.labels) for name, colour, number in lines)
    caption = f'aria-label="Labels of each class, {stats.labels:,} in all"'
    st.html(f'{_STYLE}<table class="class-bars" {caption}><tbody>{rows}</tbody></table>')
    if len(classes) > MOST_BARS:
        st.caption(f"The {MOST_BARS} most frequent of {len(classes)} classes.")


def _bar(name: str, colour: str, number: int, *, longest: int, every: int) -> str:
    dot = f'<span class="dot" style="background:{colour}"></span>' if colour else '<span class="dot"></span>'
    look = f"width:{100 * number / longest:.2f}%" + (f";background:{colour}" if colour else "")
    bar = f'<span class="bar{"" if colour else " none"}" style="{look}"></span>' if number else ""
    share = f"<span>{100 * number / every:.1f} %</span>" if every else ""
    return (
        f'<tr><th scope="row" class="who"><span title="{escape(name)}">{dot}<span class="name">{escape(name)}</span>'
        f'</span></th><td class="track">{bar}</td><td class="count">{number:,} {share}</td></tr>'
    )
