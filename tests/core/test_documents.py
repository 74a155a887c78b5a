"""Files that people open: the start of a text, pages of PDFs, and which sounds a browser can play."""

from __future__ import annotations

import io
import struct
import threading
import wave

import pytest
from PIL import Image

from workbench_core import documents
from workbench_core.documents import audio_type, is_pdf, pdf_page, text_start
from workbench_core.errors import Invalid


def pdf(*texts: str, size: str = "200 100") -> bytes:
    """A PDF with one page for each text, written by hand."""
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(texts)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(texts)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, text in enumerate(texts):
        stream = f"BT /F1 40 Tf 10 30 Td ({text}) Tj ET"
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {size}] /Contents {5 + 2 * number} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>",
            f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
        ]
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode()
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    size_of_table = len(objects) + 1
    trailer = f"trailer\n<< /Size {size_of_table} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"
    return out + f"xref\n0 {size_of_table}\n0000000000 65535 f \n{table}".encode() + trailer.encode()


def darkness(png: bytes) -> int:
    with Image.open(io.BytesIO(png)) as picture:
        return sum(value < 128 for value in picture.convert("L").tobytes())


# --- PDF --------------------------------------------------------------------------------------------------------------


def test_a_page_of_a_pdf_is_drawn_as_wide_as_asked():
    content = pdf("I", "WWWW")
    first, second = pdf_page(content, width=400), pdf_page(content, number=2, width=400)
    assert (first.number, first.page_count, first.width, first.height) == (1, 2, 400, 200)
    assert first.png.startswith(b"\x89PNG") and darkness(second.png) > 3 * darkness(first.png) > 0
    assert pdf_page(content, width=1_000_000).width == documents.MAX_WIDTH


@pytest.mark.parametrize("number", [0, -1, 3])
def test_a_page_that_is_not_there_is_told(number):
    with pytest.raises(Invalid, match=f"no page {number}") as refused:
        pdf_page(pdf("a", "b"), number=number)
    assert "1 to 2" in refused.value.hint


@pytest.mark.parametrize("content", [b"", b"no pdf", b"%PDF-1.4", pdf("a")[:60], b"%PDF-1.4\n" + b"\x00\xff" * 5000])
def test_a_damaged_pdf_gives_a_sentence(content):
    with pytest.raises(Invalid, match=r"damaged|no pages"):
        pdf_page(content)


def test_a_pdf_with_a_password_gives_a_sentence():
    locked = pdf("a").replace(
        b"trailer\n<< ",
        b"trailer\n<< /Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <"
        + b"00" * 32
        + b"> /U <"
        + b"11" * 32
        + b"> >> "
        b"/ID [<00> <00>] ",
    )
    with pytest.raises(Invalid, match="password"):
        pdf_page(locked)


@pytest.mark.parametrize("size", ["1000000 1000000", "10 14000", "14000 14401"])
def test_a_huge_page_is_not_drawn(size):
    with pytest.raises(Invalid, match="too large to draw"):
        pdf_page(pdf("a", size=size))


def test_a_pdf_of_too_many_pages_is_refused(monkeypatch):
    monkeypatch.setattr(documents, "MAX_PAGES", 2)
    with pytest.raises(Invalid, match="3 pages"):
        pdf_page(pdf("a", "b", "c"))


def test_many_people_look_at_pdfs_at_once():
    content, drawn = pdf("Hello"), []
    threads = [threading.Thread(target=lambda: drawn.append(pdf_page(content, width=200).png)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(drawn) == 8 and len(set(drawn)) == 1


def test_a_pdf_is_known_by_its_first_bytes():
    assert is_pdf(pdf("a")) and is_pdf(b"\xef\xbb\xbf\n" + pdf("a"))
    assert not is_pdf(b"a text about %PDF" + b"x" * 2000)


# --- text -------------------------------------------------------------------------------------------------------------


def test_a_short_text_is_whole_and_a_long_one_is_cut_between_characters():
    whole = text_start("Grüße".encode())
    assert (whole.text, whole.encoding, whole.is_cut) == ("Grüße", "UTF-8", False)
    cut = text_start(("é" * 200).encode(), limit=101)
    assert cut.text == "é" * 50 and cut.is_cut


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "cp1252", "utf-16-le"])
def test_texts_in_other_encodings_are_read(codec):
    assert text_start("Grüße aus Köln, und noch mehr Text dahinter".encode(codec)).text.startswith("Grüße aus Köln")


def test_a_damaged_byte_in_a_text_does_not_hide_the_rest():
    assert text_start("ää ".encode() + b"\xff ok").text == "ää � ok"


def test_what_is_no_text_is_refused():
    with pytest.raises(Invalid, match="not a text file"):
        text_start(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")


# --- audio ------------------------------------------------------------------------------------------------------------


def sound() -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(8000)
        written.writeframes(struct.pack("<80h", *range(80)))
    return out.getvalue()


@pytest.mark.parametrize(
    ("head", "path", "media_type"),
    [
        (sound(), "a.bin", "audio/wav"),
        (b"ID3\x04\x00rest", "a", "audio/mpeg"),
        (b"\xff\xfb\x90\x64rest", "a", "audio/mpeg"),
        (b"OggS\x00\x02" + b"\x00" * 20 + b"\x01vorbis", "a", "audio/ogg"),
        (b"fLaC\x00\x00", "a", "audio/flac"),
        (b"\x00\x00\x00\x20ftypM4A \x00", "a", "audio/mp4"),
        (b"\x00\x00\x00\x20ftypisom\x00", "a.m4a", "audio/mp4"),
        (b"\x00\x00\x00\x20ftypisom\x00", "film.mp4", ""),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "a.wav", ""),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "a.mp3", ""),
        (b"\xff\xfe" + "text".encode("utf-16-le"), "a.mp3", ""),
        (b"", "a.mp3", ""),
        (b"OggS\x00\x02" + b"\x00" * 20 + b"\x80theora", "a.ogg", ""),
    ],
)
def test_audio_is_known_by_its_first_bytes_and_not_by_its_name(head, path, media_type):
    assert audio_type(head, path) == media_type
