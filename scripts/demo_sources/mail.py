"""E-mails of the SpamAssassin corpus, which of them are taken and how they become rows."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import getaddresses, parseaddr, parsedate_to_datetime
from pathlib import Path

from demo_sources.html_text import text_of_html, tidy
from demo_sources.masking import NAME, NOT_A_NAME, masked, masked_address
from demo_sources.packages import read_package

BODY_LIMIT = 4_000

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
