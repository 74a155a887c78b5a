"""HTML as readable text."""

from __future__ import annotations

import re
from html.parser import HTMLParser

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
