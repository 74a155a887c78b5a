"""Questions and answers of the Python FAQ."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

from demo_sources.html_text import BLOCKS, tidy
from demo_sources.packages import read_package


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
