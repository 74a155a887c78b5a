"""Records as people read them: a source row, the messages of a pair, an answer."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from html import escape

import pandas as pd
import streamlit as st

from pages.components.sheet_pictures import address_of
from pages.components.words import plain
from workbench_core.pairs import Message
from workbench_core.pictures import PicturePlace, place_of

LONG = 80  # characters above which a value gets its own block
LONGEST = 900  # characters above which the rest of a value has to be opened; a box that scrolls cannot be focused
_THUMBNAIL = "max-width: min(100%, 20rem); max-height: 15rem; margin: 0 0.5rem 0.5rem 0; border-radius: 0.5rem"
_ROLES = {"system": ":material/tune:", "user": ":material/person:", "assistant": ":material/smart_toy:"}


def show_row(values: Mapping[str, object], *, images: Mapping[str, bytes] | None = None) -> None:
    """Show one source row: pictures first, long texts in full, the short values as a table.

    `images` holds the bytes of image columns by column name.
    """
    pictures = images or {}
    for name, content in pictures.items():
        st.image(content, caption=name, alt=f"Picture of column {name}", width="content")
    texts = {name: cell_text(value) for name, value in values.items() if name not in pictures}
    for name, text in texts.items():
        if len(text) > LONG or "\n" in text:
            st.caption(plain(name))
            with st.container(border=True):
                _long_text(text)
    short = [(name, text) for name, text in texts.items() if len(text) <= LONG and "\n" not in text]
    if short:
        frame = pd.DataFrame(short, columns=["Column", "Value"])
        st.dataframe(frame, hide_index=True, height="content", alt="Values of the row")


def _long_text(text: str) -> None:
    if len(text) <= LONGEST:
        st.text(text)
        return
    st.text(f"{text[:LONGEST]} …")
    with st.expander(f"All {len(text):,} characters"):
        st.text(text)


def show_messages(messages: Sequence[Message], answer: str = "") -> None:
    """Show the messages of a pair as a conversation, the answer last."""
    turns = [*messages, Message("assistant", answer)] if answer else list(messages)
    for message in turns:
        with st.chat_message(message.role, avatar=_ROLES.get(message.role)):
            show_answer(message.content)
            _show_attachments(message.attachments)


def _show_attachments(attachments: Sequence[str]) -> None:
    """The pictures of a message, small and in their order."""
    if attachments:
        st.html("".join(_thumbnail(place_of(attachment)) for attachment in attachments))


def _thumbnail(place: PicturePlace) -> str:
    name, address = escape(place.path.rpartition("/")[2]), escape(address_of(place))
    return f'<img src="{address}" alt="Picture {name}" title="{name}" loading="lazy" style="{_THUMBNAIL}">'


def show_answer(answer: str) -> None:
    """Show an answer or message as it stands: JSON objects and lists laid out, everything else as plain text."""
    value = parsed(answer)
    if value is None:
        st.text(answer) if answer else st.caption("No answer yet.")
    else:
        st.json(value, expanded=2)


def pretty(answer: str) -> str:
    """JSON objects and lists with line breaks and indents; any other text unchanged."""
    value = parsed(answer)
    return answer if value is None else json.dumps(value, ensure_ascii=False, indent=2)


def parsed(answer: str) -> dict[str, object] | list[object] | None:
    """The object or list that a text holds as JSON, else None."""
    if answer.lstrip()[:1] not in {"{", "["}:
        return None
    try:
        value = json.loads(answer)
    except ValueError:
        return None
    return value if isinstance(value, dict | list) else None


def cell_text(value: object) -> str:
    """A value as a person reads it; nothing for NULL, JSON for nested ones."""
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    if is_missing(value):
        return ""
    return f"{value:,.6g}" if isinstance(value, float) else str(value)


def is_missing(value: object) -> bool:
    """Whether a value of a data frame stands for nothing: None, NA, NaT or NaN."""
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value))
