"""The values of placeholders in rows of a sheet: texts, and pictures that go along with the message as attachments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from workbench_core.pictures import place_of
from workbench_core.ports import Message
from workbench_core.prompt_rendering import texts_of
from workbench_core.sheets.picture_files import PictureCell, PictureFiles, picture_text

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class RowValues:
    """The texts of each placeholder by row, and the pictures of those that stand for pictures.

    The text of a picture is its file name in brackets, `[picture: board-17.png]`; an empty cell is an empty text.
    """

    texts: Mapping[str, Sequence[str]]
    pictures: Mapping[str, Sequence[PictureCell]]

    def attachments(self, row: int, names: Iterable[str]) -> tuple[str, ...]:
        """The pictures of a row, in the order of these placeholders."""
        cells = (self.pictures[name][row] for name in names if name in self.pictures)
        return tuple(cell.attachment for cell in cells if cell.attachment)

    def error(self, row: int, names: Iterable[str]) -> str:
        """Why a picture of these placeholders is not there; empty when all are."""
        cells = (self.pictures[name][row] for name in names if name in self.pictures)
        return next((cell.error for cell in cells if cell.error), "")


def row_values(frame: pd.DataFrame, mapping: Mapping[str, str], pictures: PictureFiles | None = None) -> RowValues:
    """The values of placeholders, each mapped to a column of the frame; with `pictures` also those of its columns."""
    cells = {
        name: pictures.cells(column, frame[column].tolist())
        for name, column in mapping.items()
        if pictures is not None and column in pictures.columns
    }
    texts = {
        name: [cell.text for cell in cells[name]] if name in cells else texts_of(frame[column].tolist())
        for name, column in mapping.items()
    }
    return RowValues(texts, cells)


def with_pictures(messages: tuple[Message, ...], attachments: tuple[str, ...]) -> tuple[Message, ...]:
    """The messages with pictures at the last one, the user's: only there do models take them."""
    return (*messages[:-1], replace(messages[-1], attachments=attachments)) if attachments else messages


def kept_pictures(variables: Mapping[str, str], attachments: Sequence[str], names: Iterable[str]) -> tuple[str, ...]:
    """The pictures of a question that was asked with `variables`, in the order of these placeholders.

    `variables` stand in the order in which their pictures were attached; one is a picture when its text is that of
    the next attachment.
    """
    waiting = list(attachments)
    found: dict[str, str] = {}
    for name, text in variables.items():
        if waiting and text == picture_text(place_of(waiting[0]).path):
            found[name] = waiting.pop(0)
    return tuple(attachments) if waiting else tuple(found[name] for name in names if name in found)


def lacks_picture(variables: Mapping[str, str], names: Iterable[str]) -> bool:
    """Whether one of these placeholders stands for a picture, as its text says."""
    texts = (variables.get(name, "") for name in names)
    return any(text.startswith("[picture: ") and text.endswith("]") for text in texts)
