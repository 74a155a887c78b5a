"""Files that people open: the beginning of a text, a page of a PDF, and which audio a browser can play."""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from workbench_core import text_encodings
from workbench_core.errors import Invalid

if TYPE_CHECKING:
    from PIL import Image
    from pypdfium2 import PdfDocument

TEXT_BYTES = 200_000
MAX_PAGES = 5_000
MAX_PAGE_PIXELS = 12_000_000
MAX_WIDTH = 2_000
MAX_POINTS = 14_400  # side of a page in points, what the PDF standard allows: 200 inches
ANOTHER_PDF = "Open it in a PDF viewer and save it again."
ISO_AUDIO = (b"M4A ", b"M4B ", b"mp42", b"isom", b"iso2", b"dash")

_pdfium = threading.Lock()  # PDFium keeps its state in globals: two threads at once crash the process


@dataclass(frozen=True, slots=True)
class TextStart:
    """The beginning of a text file, its encoding, and whether there is more."""

    text: str
    encoding: str
    is_cut: bool


@dataclass(frozen=True, slots=True)
class PdfPage:
    """One page of a PDF as a PNG of so many pixels, its number from 1, and how many pages there are."""

    png: bytes
    number: int
    page_count: int
    width: int
    height: int


def text_start(content: bytes, *, limit: int = TEXT_BYTES) -> TextStart:
    """Decode at most `limit` bytes of a text file. Raises Invalid for what is no text."""
    head = content[:limit]
    codec = text_encodings.recognise_start(head)
    is_cut = len(content) > limit
    text = text_encodings.decoded(head, codec=codec, is_cut=is_cut)
    return TextStart(text, text_encodings.title(codec), is_cut)


def audio_type(head: bytes, path: str = "") -> str:
    """The media type of audio that browsers play, by the first bytes of a file; empty for anything else.

    Knows WAV, MP3, Ogg, FLAC and M4A. Of MP4, which may hold video, only what is called .m4a or .m4b or says so counts.
    """
    if head.startswith(b"RIFF") and head[8:12] == b"WAVE":
        return "audio/wav"
    if head.startswith(b"fLaC"):
        return "audio/flac"
    if head.startswith(b"OggS"):
        return "" if b"theora" in head[:200] else "audio/ogg"
    if head[4:8] == b"ftyp" and head[8:12] in ISO_AUDIO:
        named_audio = PurePosixPath(path).suffix.lower() in (".m4a", ".m4b")
        return "audio/mp4" if head[8:12] in ISO_AUDIO[:2] or named_audio else ""
    return "audio/mpeg" if head.startswith(b"ID3") or _is_mpeg_frame(head) else ""


def _is_mpeg_frame(head: bytes) -> bool:
    """Whether bytes begin with the header of an MPEG audio frame of layer III: its reserved values are unused."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bit_rate, sampling = head[2] >> 4, head[2] >> 2 & 3
    return version != 1 and layer == 1 and bit_rate not in (0, 15) and sampling != 3


def is_pdf(head: bytes) -> bool:
    """Whether the first bytes are those of a PDF; a few others may stand in front."""
    return b"%PDF-" in head[:1024]


def pdf_page(content: bytes, *, number: int = 1, width: int = 900) -> PdfPage:
    """Draw one page of a PDF, `width` pixels wide.

    Raises Invalid for a PDF that is damaged, protected or too large to draw, and for a page that it does not have.
    """
    import pypdfium2

    wide = max(min(width, MAX_WIDTH), 1)
    with _pdfium:
        try:
            document = pypdfium2.PdfDocument(content)
        except pypdfium2.PdfiumError as error:
            raise _unreadable(error) from error
        try:
            count = len(document)
            picture = _drawn(document, _checked_number(number, count), wide)
        except pypdfium2.PdfiumError as error:
            raise Invalid(f"Page {number} of the PDF is damaged.", hint=ANOTHER_PDF) from error
        finally:
            document.close()
    out = io.BytesIO()
    picture.save(out, "PNG")
    return PdfPage(out.getvalue(), number, count, picture.width, picture.height)


def _drawn(document: PdfDocument, number: int, width: int) -> Image.Image:
    """A page as a picture that no longer needs the document."""
    page = document[number - 1]
    try:
        across, down = page.get_size()
        if not (0 < across <= MAX_POINTS and 0 < down <= MAX_POINTS) or width * width * down / across > MAX_PAGE_PIXELS:
            raise Invalid(
                f"Page {number} measures {across:,.0f} by {down:,.0f} points; that is too large to draw.",
                hint="Open the file in a PDF viewer.",
            )
        picture: Image.Image = page.render(scale=width / across).to_pil().convert("RGB")
        return picture.copy()
    finally:
        page.close()


def _checked_number(number: int, count: int) -> int:
    if not count:
        raise Invalid("The PDF has no pages.", hint=ANOTHER_PDF)
    if count > MAX_PAGES:
        raise Invalid(f"The PDF has {count:,} pages; at most {MAX_PAGES:,} can be shown.", hint="Split it.")
    if not 1 <= number <= count:
        raise Invalid(f"The PDF has no page {number}.", hint=f"Pages: 1 to {count}.")
    return number


def _unreadable(error: Exception) -> Invalid:
    if "assword" in str(error) or "ecurity" in str(error):
        return Invalid("The PDF is protected by a password.", hint="Save it without a password.")
    return Invalid("The PDF is damaged or no PDF at all.", hint=ANOTHER_PDF)
