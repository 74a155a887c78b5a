"""Which encoding the text of a file has, and files of any encoding as UTF-8."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from workbench_core.errors import Invalid

UTF_8 = "utf-8"
UTF_8_WITH_MARK = "utf-8-sig"
WESTERN = "cp1252"
CHUNK = 1_000_000
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")  # what no text has
SAMPLE = 64_000  # bytes from which an encoding is recognised; more only takes longer
BYTE_ORDER_MARKS = (  # the longer ones first: that of UTF-16 is how that of UTF-32 begins
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, UTF_8_WITH_MARK),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
TITLES = {
    UTF_8: "UTF-8",
    UTF_8_WITH_MARK: "UTF-8 with a byte order mark",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "utf-32": "UTF-32",
    WESTERN: "Windows-1252 (Western European)",
    "latin-1": "Latin-1",
    "cp1250": "Windows-1250 (Central European)",
    "cp1251": "Windows-1251 (Cyrillic)",
    "cp1253": "Windows-1253 (Greek)",
    "cp1254": "Windows-1254 (Turkish)",
    "cp1255": "Windows-1255 (Hebrew)",
    "cp1256": "Windows-1256 (Arabic)",
    "koi8_r": "KOI8-R (Cyrillic)",
    "cp932": "Shift JIS (Japanese)",
    "euc_jp": "EUC-JP (Japanese)",
    "gb18030": "GB 18030 (Chinese)",
    "big5": "Big5 (Chinese)",
    "cp949": "EUC-KR (Korean)",
}
OTHER_SCRIPTS = ("cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "cp932", "euc_jp", "gb18030", "big5", "cp949")
SAVE_AS_UTF8 = "Save the file as UTF-8 (in a spreadsheet program: Save as, “CSV UTF-8”) and try again."


def is_encodable(text: str) -> bool:
    """Whether a text can be written: half of a pair of surrogates, which a damaged file name gives, cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_encodable(*texts: str, what: str) -> None:
    """Raise Invalid when one of these texts cannot be stored; `what` is what they are to a person, as in “The name”."""
    if not all(map(is_encodable, texts)):
        raise Invalid(f"{what} has a damaged character, which cannot be stored.", hint="Type it again without it.")


def title(codec: str) -> str:
    """The name of an encoding as people know it."""
    return TITLES.get(codec, codec.upper())


def recognise(file: Path) -> str:
    """The codec of a text file: by its byte order mark, UTF-8 when it is, else what fits best.

    Raises Invalid for a file that is no text, and for UTF-8 with damaged bytes, naming the line.
    """
    with file.open("rb") as handle:
        head = handle.read(SAMPLE)
    marked = _marked(head)
    if marked:
        return marked
    if b"\x00" in head:
        return _without_mark(head)
    bad = _first_bad_byte(file)
    if bad is None:
        return UTF_8
    with file.open("rb") as handle:
        handle.seek(max(bad - SAMPLE // 2, 0))
        sample = handle.read(SAMPLE)
    if _is_damaged_utf8(sample):
        raise Invalid(f"Line {_line_of(file, bad)} has bytes that are not UTF-8.", hint=SAVE_AS_UTF8)
    return _legacy(sample)


def recognise_start(content: bytes) -> str:
    """The codec of the beginning of a text file; its last character may be cut. Raises Invalid for what is no text."""
    marked = _marked(content)
    if marked:
        return marked
    if b"\x00" in content:
        return _without_mark(content)
    try:
        codecs.getincrementaldecoder(UTF_8)().decode(content)
    except UnicodeDecodeError as error:
        return UTF_8 if _is_damaged_utf8(content) else _legacy(content[max(error.start - SAMPLE // 2, 0) :][:SAMPLE])
    return UTF_8


def decoded(content: bytes, *, codec: str, is_cut: bool = False) -> str:
    """Text out of bytes for a person to look at: what cannot be decoded becomes �; a cut last character is left out."""
    return codecs.getincrementaldecoder(codec)("replace").decode(content, final=not is_cut)


def write_as_utf8(file: Path, target: Path, *, codec: str) -> None:
    """Write a text file as UTF-8 without a byte order mark, in pieces. Raises Invalid naming the line that is none.

    `codec` is one of `TITLES`.
    """
    line = 1
    decoder = _decoder(codec)
    with file.open("rb") as source, target.open("w", encoding=UTF_8, newline="") as written:
        while True:
            chunk = source.read(CHUNK)
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                line += error.object[: error.start].count(b"\n")
                raise Invalid(
                    f"The file is not {title(codec)}: line {line} has other bytes.", hint=SAVE_AS_UTF8
                ) from error
            line += text.count("\n")
            written.write(text)
            if not chunk:
                return


def _decoder(codec: str) -> codecs.IncrementalDecoder:
    if codec not in TITLES:  # some codecs of Python unpack or encrypt
        raise Invalid(f"There is no encoding “{codec}”.", hint=f"Encodings: {', '.join(TITLES)}.")
    return codecs.getincrementaldecoder(codec)()


def _marked(head: bytes) -> str:
    return next((codec for mark, codec in BYTE_ORDER_MARKS if head.startswith(mark)), "")


def _without_mark(head: bytes) -> str:
    """UTF-16 by its zeros: in text of Latin letters every other byte is one."""
    pairs = max(len(head) // 2, 1)
    first, second = head[0::2].count(0) / pairs, head[1::2].count(0) / pairs
    for codec, zeros, others in (("utf-16-le", second, first), ("utf-16-be", first, second)):
        if zeros > 0.4 and others < 0.05 and not CONTROL.search(decoded(head, codec=codec, is_cut=True)):
            return codec
    raise Invalid("The file is not a text file.", hint="Choose a text file, or give the file its right ending.")


def _first_bad_byte(file: Path) -> int | None:
    decoder = codecs.getincrementaldecoder(UTF_8)()
    offset = 0
    with file.open("rb") as handle:
        while chunk := handle.read(CHUNK):
            held = len(decoder.getstate()[0])
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                return offset - held + error.start
            offset += len(chunk)
    held = len(decoder.getstate()[0])
    return offset - held if held else None


def _is_damaged_utf8(sample: bytes) -> bool:
    """Whether most characters beyond ASCII are valid UTF-8: then another encoding would spoil all of them."""
    text = sample.decode(UTF_8, "replace")
    damaged = text.count("�")
    return sum(character > "\x7f" for character in text) - damaged > damaged


def _legacy(sample: bytes) -> str:
    """An encoding from before UTF-8.

    In Western texts single letters are beyond ASCII, in other scripts whole words. Detectors mix up the encodings of
    the former on short texts (measured: “Müller” became Hungarian, Baltic and Icelandic), so that only the latter are
    told apart.
    """
    if _mean_run(sample) >= 2.5:
        from charset_normalizer import from_bytes

        best = from_bytes(sample, cp_isolation=list(OTHER_SCRIPTS)).best()
        if best is not None:
            return best.encoding
    try:
        sample.decode(WESTERN)
    except UnicodeDecodeError:  # five bytes mean nothing there
        return "latin-1"
    return WESTERN


def _mean_run(sample: bytes) -> float:
    """How many bytes beyond ASCII follow each other on average."""
    marks = bytes(byte > 0x7F for byte in sample)
    runs = [len(run) for run in marks.split(b"\x00") if run]
    return sum(runs) / len(runs) if runs else 0.0


def _line_of(file: Path, offset: int) -> int:
    with file.open("rb") as handle:
        return 1 + sum(handle.read(min(CHUNK, offset - start)).count(b"\n") for start in range(0, offset, CHUNK))
