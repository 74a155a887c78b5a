"""Numbers, times and texts of data as people read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_SHORTCODE = re.compile(r":(?=[A-Za-z+\-][\w+\-/]*:)")  # what Streamlit draws as an icon, or as a picture sign


def words(name: str) -> str:
    """A status or action as people read it: `task_created` becomes `Task created`."""
    return name.replace("_", " ").capitalize()


def duration(seconds: float) -> str:
    """Seconds in words: 8 s, 3 min, 1.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def counted(number: int, name: str) -> str:
    """A number with the name of what is counted: 1 table, 2 tables."""
    return f"{number:,} {name}{'' if number == 1 else 's'}"


def file_size(size_bytes: int) -> str:
    """A number of bytes in words: 812 bytes, 12.4 kB, 3.1 MB."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size_bytes >= size:
            return f"{size_bytes / size:,.1f} {unit}"
    return f"{size_bytes:,} bytes"


def ago(moment: datetime | None) -> str:
    """How long ago, in words."""
    if moment is None:
        return "never"
    seconds = (datetime.now(UTC) - moment).total_seconds()
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min ago"
    if seconds < 86_400:
        return f"{seconds // 3600:.0f} h ago"
    return f"{moment:%d %b %Y}"


def percent(share: float | None, *, digits: int = 1) -> str:
    """A share as percent; a dash when it is not known."""
    return "–" if share is None else f"{100 * share:.{digits}f} %"


def without_shortcodes(text: str) -> str:
    """Text in which `:material/home:` and `:tada:` stay text: an invisible word joiner keeps them from being icons."""
    return _SHORTCODE.sub(":\u2060", text)


def plain(text: str) -> str:
    """Text from data on one line as it stands: no markdown, no link, no icon, no directive of Streamlit."""
    text = without_shortcodes(text)
    for mark in "\\&`*_{}[]()#+-.!|~<>$:":
        text = text.replace(mark, f"\\{mark}")
    # addresses become links even when escaped; an invisible word joiner keeps them text
    text = text.replace("@", "@\u2060").replace("//", "/\u2060/").replace("www", "www\u2060")
    return " ".join(text.split("\n")).strip()
