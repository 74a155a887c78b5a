"""What points to a person, masked: addresses, telephone numbers, quoted header lines, names."""

from __future__ import annotations

import hashlib
import re

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
