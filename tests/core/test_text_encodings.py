"""Encodings of text files: recognised by mark, by validity, by script, and converted in pieces."""

from __future__ import annotations

import pytest

from workbench_core import text_encodings
from workbench_core.errors import Invalid
from workbench_core.text_encodings import recognise, recognise_start, write_as_utf8


@pytest.mark.parametrize(
    ("content", "codec"),
    [
        (b"plain", "utf-8"),
        ("é".encode(), "utf-8"),
        ("é".encode("utf-8-sig"), "utf-8-sig"),
        ("é, a".encode("utf-16"), "utf-16"),
        ("é, a".encode("utf-32"), "utf-32"),
        ("id,name and more".encode("utf-16-le"), "utf-16-le"),
        ("id,name and more".encode("utf-16-be"), "utf-16-be"),
        ("Müller".encode("latin-1"), "cp1252"),
        (b"caf\xe9 \x81", "latin-1"),
        ("Иванов Сергей Петрович".encode("cp1251"), "cp1251"),
    ],
)
def test_an_encoding_is_recognised(tmp_path, content, codec):
    (tmp_path / "a").write_bytes(content)
    assert recognise(tmp_path / "a") == codec
    assert recognise_start(content) == codec


def test_a_character_across_two_pieces_is_one(tmp_path, monkeypatch):
    monkeypatch.setattr(text_encodings, "CHUNK", 3)
    (tmp_path / "a").write_bytes("aéé😀é".encode())
    assert recognise(tmp_path / "a") == "utf-8"
    (tmp_path / "b").write_bytes("aéé😀é\r\nb\n".encode("utf-16"))
    write_as_utf8(tmp_path / "b", tmp_path / "c", codec="utf-16")
    assert (tmp_path / "c").read_bytes() == "aéé😀é\r\nb\n".encode()


def test_a_file_that_ends_inside_a_character_is_damaged(tmp_path):
    (tmp_path / "a").write_bytes("ééé\né".encode()[:-1])
    with pytest.raises(Invalid, match="Line 2"):
        recognise(tmp_path / "a")
    (tmp_path / "b").write_bytes("a\nb".encode("utf-16")[:-1])
    with pytest.raises(Invalid, match="line 2"):
        write_as_utf8(tmp_path / "b", tmp_path / "c", codec="utf-16")


def test_what_is_no_text_is_refused(tmp_path):
    (tmp_path / "a").write_bytes(b"\x00\x01\x02\x00\x00\x00")
    with pytest.raises(Invalid, match="not a text file"):
        recognise(tmp_path / "a")
