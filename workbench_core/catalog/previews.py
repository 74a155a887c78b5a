"""What a person sees of one file of a volume: picture, text, page, sound or table, or a sentence why not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Literal

from workbench_core import documents, pictures
from workbench_core.catalog.model import FilePreview
from workbench_core.errors import Invalid
from workbench_core.ports import TABLE_ENDINGS, Lake

MAX_PICTURE_BYTES = 20_000_000
MAX_DOCUMENT_BYTES = 50_000_000  # PDF and tables; they are read as a whole
PICTURE_SIDE = 1_200


def preview_file(lake: Lake, volume: str, path: str, *, page: int = 1, width: int = 900) -> FilePreview:
    """Show a file by what it is: its first bytes count more than its name. Raises NotFound, Invalid for its path."""
    head = lake.read_start(volume, path, size_bytes=documents.TEXT_BYTES + 1)
    ending = PurePosixPath(path).suffix.lower()
    try:
        if documents.is_pdf(head):
            return _pdf(lake, volume, path, page=page, width=width)
        if audio := documents.audio_type(head, path):
            return FilePreview(path, "audio", media_type=audio)
        if ending in pictures.IMAGE_ENDINGS:
            return _picture(lake, volume, path)
        if ending in TABLE_ENDINGS and ending != ".txt":
            return _table(lake, volume, path, head)
    except Invalid as error:
        return FilePreview(path, _kind(head, ending), problem=error.message)
    return _text(path, head)


def _kind(head: bytes, ending: str) -> Literal["picture", "pdf", "audio", "other"]:
    if documents.is_pdf(head):
        return "pdf"
    if documents.audio_type(head, f"x{ending}"):
        return "audio"
    return "picture" if ending in pictures.IMAGE_ENDINGS else "other"


def _pdf(lake: Lake, volume: str, path: str, *, page: int, width: int) -> FilePreview:
    content = lake.read_file(volume, path, limit_bytes=MAX_DOCUMENT_BYTES)
    drawn = documents.pdf_page(content, number=page, width=width)
    return FilePreview(path, "pdf", drawn.png, "image/png", page=drawn.number, page_count=drawn.page_count)


def _picture(lake: Lake, volume: str, path: str) -> FilePreview:
    content = lake.read_file(volume, path, limit_bytes=MAX_PICTURE_BYTES)
    small = pictures.thumbnail(content, side=PICTURE_SIDE)
    if small is None:
        raise Invalid("The picture is damaged, too large, or no picture at all.")
    return FilePreview(path, "picture", small, "image/jpeg")


def _table(lake: Lake, volume: str, path: str, head: bytes) -> FilePreview:
    """The file as a table; as text with the reason when it is none."""
    try:
        content = lake.read_file(volume, path, limit_bytes=MAX_DOCUMENT_BYTES)
        with TemporaryDirectory(prefix="workbench-preview-") as folder:
            file = Path(folder) / "file"
            file.write_bytes(content)
            return FilePreview(path, "table", table=lake.inspect_file(file, original_name=path))
    except Invalid as error:
        shown = _text(path, head)
        return replace(shown, problem=error.message)


def _text(path: str, head: bytes) -> FilePreview:
    try:
        start = documents.text_start(head)
    except Invalid:
        return FilePreview(path, "other", problem="This kind of file cannot be shown here.")
    return FilePreview(path, "text", text=start.text, is_cut=start.is_cut)
