"""The demo data are what they claim to be: complete, unharmed, licensed, balanced and without private addresses."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import duckdb
import pytest

from workbench_core.demo.sources import PARQUET_SHA256, SOURCES, DemoSource, data_folder

ADDRESS = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}")
MAIL = data_folder() / "mail_messages.parquet"
QUESTIONS = data_folder() / "python_faq_questions.parquet"
PICTURES = data_folder() / "pictures.parquet"


def rows_of(statement: str) -> list[tuple[object, ...]]:
    with duckdb.connect() as connection:
        return connection.execute(statement).fetchall()


def counts(statement: str) -> dict[object, int]:
    return {key: int(str(number)) for key, number in rows_of(statement)}


def test_every_parquet_file_is_the_one_that_was_built() -> None:
    built = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in data_folder().glob("*.parquet")}
    assert built == dict(PARQUET_SHA256)


def test_the_demo_data_stay_small() -> None:
    sizes = [path.stat().st_size for path in data_folder().rglob("*") if path.is_file()]
    assert sum(sizes) <= 5_000_000
    assert max(path.stat().st_size for path in (data_folder() / "images").iterdir()) <= 60_000


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_every_source_has_its_rows_and_names_its_licence(source: DemoSource) -> None:
    first = data_folder() / source.files[0]
    assert rows_of(f"SELECT count(*) FROM '{first}'") == [(source.rows,)]
    assert all((data_folder() / name).exists() for name in source.files)
    assert source.licence
    assert source.licence_url.startswith("https://")
    notice = (data_folder() / "LICENCES.md").read_text(encoding="utf-8")
    assert source.name in notice
    assert source.licence_url in notice


@pytest.mark.parametrize(("file", "key"), [(MAIL, "mail_id"), (QUESTIONS, "faq_id"), (PICTURES, "file_name")])
def test_identifiers_are_unique_and_present(file: Path, key: str) -> None:
    assert rows_of(f"SELECT count(*) - count(DISTINCT {key}) FROM '{file}'") == [(0,)]


def test_required_columns_hold_text() -> None:
    empty = "SELECT count(*) FROM '{}' WHERE {}"
    missing = (
        "coalesce(sender, '') = '' OR coalesce(body, '') = '' OR subject IS NULL OR format IS NULL OR label IS NULL"
    )
    assert rows_of(empty.format(MAIL, missing)) == [(0,)]
    missing = "coalesce(question, '') = '' OR coalesce(answer, '') = '' OR coalesce(topic, '') = ''"
    assert rows_of(empty.format(QUESTIONS, missing)) == [(0,)]


def test_no_mail_shows_a_real_address() -> None:
    texts = rows_of(f"SELECT subject, sender, coalesce(list_name, ''), body FROM '{MAIL}'")
    found = {address for row in texts for text in row for address in ADDRESS.findall(str(text))}
    assert found
    assert {address for address in found if not address.endswith("@example.invalid")} == set()


def test_the_questions_show_no_address_of_a_person() -> None:
    texts = rows_of(f"SELECT question, answer FROM '{QUESTIONS}'")
    found = {address for row in texts for text in row for address in ADDRESS.findall(str(text))}
    assert found == {"receiver@example.com", "34A04430.CF9@ohioee.com"}  # a code example and a message number


def test_no_mail_shows_a_telephone_number_of_the_common_form() -> None:
    number = r"(?:^|[^\w./=-])(?:1[- ])?\(?\d{3}\)?[- ]\d{3}-\d{4}(?:[^\w-]|$)"
    assert rows_of(f"SELECT mail_id FROM '{MAIL}' WHERE regexp_matches(body, '{number}')") == []


def test_a_mail_is_at_most_four_thousand_characters_and_its_time_is_of_the_corpus() -> None:
    assert rows_of(f"SELECT max(length(body)) <= 4000, min(year(sent_at)), max(year(sent_at)) FROM '{MAIL}'") == [
        (True, 1999, 2003)
    ]


def test_spam_and_ham_are_both_well_represented_in_every_format() -> None:
    by_label = counts(f"SELECT label, count(*) FROM '{MAIL}' GROUP BY label")
    assert set(by_label) == {"spam", "ham"}
    assert 0.3 <= by_label["spam"] / sum(by_label.values()) <= 0.45
    ham = counts(f"SELECT format, count(*) FROM '{MAIL}' WHERE label = 'ham' GROUP BY format")
    spam = counts(f"SELECT format, count(*) FROM '{MAIL}' WHERE label = 'spam' GROUP BY format")
    assert set(ham) == set(spam) == {"plain", "html", "multipart"}
    assert ham["html"] + spam["html"] >= 250
    assert ham["html"] >= spam["html"]


def test_the_identifier_of_a_mail_says_nothing_about_its_label() -> None:
    order = [label for (label,) in rows_of(f"SELECT label FROM '{MAIL}' ORDER BY mail_id")]
    half = len(order) // 2
    assert abs(order[:half].count("spam") / half - order[half:].count("spam") / (len(order) - half)) < 0.1
    assert all(re.fullmatch("mail-[0-9a-f]{8}", str(key)) for (key,) in rows_of(f"SELECT mail_id FROM '{MAIL}'"))


def test_every_picture_is_there_with_a_free_licence() -> None:
    named = counts(f"SELECT file_name, 1 FROM '{PICTURES}'")
    assert set(named) == {path.name for path in (data_folder() / "images").iterdir()}
    licences = rows_of(f"SELECT DISTINCT licence FROM '{PICTURES}' ORDER BY licence")
    assert licences == [("CC BY 2.0",), ("CC0 1.0",), ("Public domain",)]


def test_the_python_licence_is_shipped() -> None:
    text = (data_folder() / "PYTHON-LICENCE.txt").read_text(encoding="utf-8")
    assert "PYTHON SOFTWARE FOUNDATION LICENSE" in text.upper()
    assert "retained in Python alone" in " ".join(text.split())
