"""Archives and folders from outside: names that are damaged, hidden or too long, and what is left out and told."""

from __future__ import annotations

import io
import os
import zipfile

import pytest

from workbench_core.catalog import is_archive
from workbench_core.catalog.archives import collect, unpack
from workbench_core.catalog.import_folders import ImportFolders
from workbench_core.errors import Invalid, NotFound
from workbench_core.text_encodings import check_encodable

DAMAGED = b"bad\xff.csv"


@pytest.fixture
def folder(tmp_path):
    """An import folder with a table, a hidden file, and a file whose name is not UTF-8."""
    place = tmp_path / "imports"
    (place / "sub").mkdir(parents=True)
    (place / "sub" / "a.csv").write_text("a,b\n1,2\n")
    (place / ".env").write_text("SECRET=1")
    (place / "sub" / os.fsdecode(DAMAGED)).write_text("a\n1\n")
    return place


@pytest.mark.parametrize(
    ("name", "expected"), [("a.zip", True), ("PHOTOS.ZIP", True), ("a.zip.csv", False), ("zip", False)]
)
def test_an_archive_is_known_by_its_ending_in_any_case(name, expected):
    assert is_archive(name) is expected


def test_a_file_whose_name_is_not_utf_8_is_left_out_with_a_note(folder):
    gathered = collect(folder)
    assert list(gathered.files) == ["sub/a.csv"]
    assert gathered.notes[0].startswith("2 entries") and "not in UTF-8" in gathered.notes[0]


def test_what_is_hidden_or_damaged_is_not_in_the_list(folder):
    assert [found.path for found in ImportFolders([folder]).find()] == ["sub", "sub/a.csv"]


@pytest.mark.parametrize("path", [".env", "sub/../.env", "sub/.a.csv", "./sub", "..", ""])
def test_what_is_hidden_cannot_be_opened_by_its_path(folder, path):
    (folder / "sub" / ".a.csv").write_text("a\n1\n")
    with pytest.raises(Invalid, match="does not lie in an import folder"):
        ImportFolders([folder]).open(str(folder), path)


@pytest.mark.parametrize("path", ["a" * 300, "ä" * 200, "sub/" + "b/" * 3000 + "c", "bad\udcff.csv", "gone.csv"])
def test_a_path_that_no_file_can_have_is_not_there(folder, path):
    with pytest.raises(NotFound, match="is not there any more") as missing:
        ImportFolders([folder]).open(str(folder), path)
    missing.value.message.encode()


def test_an_archive_with_a_damaged_name_is_refused_in_words(tmp_path):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("e.csv", "x\n1\n")
    content = bytearray(packed.getvalue().replace(b"e.csv", b"\xff.csv"))
    central = content.rfind(b"PK\x01\x02")
    content[central + 9] |= 8  # says that the name is UTF-8
    content[7] |= 8
    file = tmp_path / "z.zip"
    file.write_bytes(bytes(content))
    (tmp_path / "unpacked").mkdir()
    with pytest.raises(Invalid, match="not in UTF-8"):
        unpack(file, tmp_path / "unpacked")


def test_half_a_character_is_refused_where_texts_come_in():
    check_encodable("Grüße 😀", what="The comment")
    with pytest.raises(Invalid, match="The comment has a damaged character"):
        check_encodable("fine", "bad \ud800", what="The comment")
