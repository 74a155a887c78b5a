"""What comes in: archives, folders and files by path, shown beforehand, whole or not at all, and never a way out."""

from __future__ import annotations

import io
import os
import stat
import zipfile

import pytest

from tests.core.conftest import ANN
from tests.core.test_catalog import BEN
from tests.workbooks import xlsx
from workbench_core.catalog import Catalog, IntakePlan, Wishes, archives, intake
from workbench_core.errors import AlreadyExists, Invalid, NotFound, NotPermitted
from workbench_core.permissions import Role

CSV = b"id,text\n1,a\n2,b\n"


@pytest.fixture
def inbox(tmp_path):
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


@pytest.fixture
def catalog(lake, history, permissions, store, inbox):
    return Catalog(lake, history, permissions, store=store, import_folders=[inbox])


@pytest.fixture
def archive(tmp_path):
    """A .zip file with these entries, as an upload leaves it."""

    def make(entries):
        file = tmp_path / "upload"
        file.write_bytes(zipped(entries))
        return file

    return make


@pytest.fixture
def lake_files(tmp_path):
    """What stands in the lake's folder but the place for what is being written, unless something was left there."""
    root = tmp_path / "lake"
    return lambda: sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.name != ".scratch")


def zipped(entries):
    """The bytes of a .zip file; a key may be a ZipInfo."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as written:
        for name, content in entries.items() if isinstance(entries, dict) else entries:
            written.writestr(name, content, compress_type=zipfile.ZIP_DEFLATED)
    return out.getvalue()


def names(entries):
    return [(entry.name.removeprefix("main.uploads."), entry.kind) for entry in entries]


# --- what an archive becomes ------------------------------------------------------------------------------------------


def test_an_archive_with_one_table_is_that_table(catalog, archive, history):
    file = archive({"export/Q3 Mails.csv": CSV})
    shown = catalog.inspect_upload(file, file_name="export.zip")
    (table,) = shown.tables
    assert (table.path, table.name, table.inspection.row_count) == ("export/Q3 Mails.csv", "main.uploads.q3_mails", 2)
    assert shown.files == () and shown.volume == "" and catalog.find() == [], "nothing is written yet"
    (entry,) = catalog.upload_archive(file, file_name="export.zip", by=ANN, tags=["PII"])
    assert (entry.name, entry.kind, entry.tags) == ("main.uploads.q3_mails", "table", ("PII",))
    assert entry.source == "Upload of export.zip"
    assert [event.details["file"] for event in history.of("table", entry.name)] == ["export.zip"]
    catalog.drop(entry.name, by=ANN)
    (entry,) = catalog.upload_archive(file, file_name="x.zip", by=ANN, wishes=Wishes(name="My mails"))
    assert entry.name == "main.uploads.my_mails"


def test_several_tables_become_several_tables_named_by_their_files(catalog, archive):
    file = archive({
        "a/rows.csv": CSV, "b/rows.jsonl": b'{"n": 1}\n', "lines.xlsx": xlsx({"S": [["id"], [1]], "T": [["x"], ["y"]]}),
    })  # fmt: skip
    shown = catalog.inspect_upload(file, file_name="all.zip")
    assert [table.name for table in shown.tables] == [
        "main.uploads.a_rows",
        "main.uploads.b_rows",
        "main.uploads.lines",
    ]
    wishes = Wishes(plans={"lines.xlsx": IntakePlan(part="T"), "a/rows.csv": IntakePlan(text_columns=("id",))})
    made = catalog.upload_archive(file, file_name="all.zip", by=ANN, wishes=wishes)
    assert names(made) == [("a_rows", "table"), ("b_rows", "table"), ("lines", "table")]
    assert [column.name for column in catalog.columns("main.uploads.lines")] == ["x"]
    assert [column.kind for column in catalog.columns("main.uploads.a_rows")] == ["string", "string"]


def test_anything_else_becomes_a_folder_with_its_folders_kept(catalog, archive):
    file = archive(
        {"ok/1.png": b"1", "ok/deep/2.png": b"22", "notes.txt": b"text", "doc.pdf": b"%PDF", "in.zip": zipped({})}
    )
    shown = catalog.inspect_upload(file, file_name="Boards 2026.zip")
    assert shown.tables == () and shown.volume == "main.uploads.boards_2026"
    assert [(kept.path, kept.size_bytes) for kept in shown.files][:2] == [("doc.pdf", 4), ("in.zip", 22)]
    (entry,) = catalog.upload_archive(file, file_name="Boards 2026.zip", by=ANN)
    assert (entry.name, entry.kind) == ("main.uploads.boards_2026", "volume")
    assert [kept.path for kept in catalog.files(entry.name)] == [
        "doc.pdf", "in.zip", "notes.txt", "ok/1.png", "ok/deep/2.png",
    ]  # fmt: skip
    assert catalog.read_file(entry.name, "ok/deep/2.png") == b"22"


def test_a_mixture_becomes_tables_and_a_folder(catalog, archive):
    file = archive(
        {"labels.csv": CSV, "images/1.png": b"1", "annotations.json": b'{"version": [1, 2', "readme.txt": b"x"}
    )
    shown = catalog.inspect_upload(file, file_name="labels.zip")
    assert [table.name for table in shown.tables] == ["main.uploads.labels"]
    assert shown.volume == "main.uploads.labels_files", "the name of the archive is taken by the table"
    assert [kept.path for kept in shown.files] == ["annotations.json", "images/1.png", "readme.txt"]
    assert "“annotations.json” stays a file" in " ".join(shown.notes)
    made = catalog.upload_archive(file, file_name="labels.zip", by=ANN)
    assert names(made) == [("labels", "table"), ("labels_files", "volume")]
    assert len(catalog.files("main.uploads.labels_files")) == 3


def test_a_person_can_choose_which_files_become_tables(catalog, archive, monkeypatch):
    file = archive({f"{number}.csv": CSV for number in range(5)})
    monkeypatch.setattr(intake, "MAX_TABLES", 4)
    shown = catalog.inspect_upload(file, file_name="many.zip")
    assert shown.tables == () and len(shown.files) == 5 and "5 files could be tables" in " ".join(shown.notes)
    made = catalog.upload_archive(file, file_name="many.zip", by=ANN, wishes=Wishes(tables=["1.csv", "3.csv"]))
    assert names(made) == [("1", "table"), ("3", "table"), ("many", "volume")]


def test_what_operating_systems_add_is_left_out_and_told(catalog, archive):
    file = archive({"a.png": b"1", "__MACOSX/._a.png": b"x", ".DS_Store": b"x", "x/Thumbs.db": b"x", "x/b.png": b"2"})
    shown = catalog.inspect_upload(file, file_name="a.zip")
    assert [kept.path for kept in shown.files] == ["a.png", "x/b.png"] and "3 entries" in shown.notes[0]


def test_names_without_latin_letters_still_become_names(catalog, archive):
    shown = catalog.inspect_upload(
        archive({"日本.csv": CSV, "東京.csv": CSV, "写真/1.png": b"1"}), file_name="日本.zip"
    )
    assert [table.name for table in shown.tables] == ["main.uploads.table_1", "main.uploads.table_2"]
    assert shown.volume == "main.uploads.files"


def test_names_that_are_utf8_without_saying_so_are_read(catalog, archive, tmp_path):
    content = zipped({"gruesse.png": b"1"}).replace(b"gruesse.png", "grüße.png".encode())
    file = tmp_path / "upload"
    file.write_bytes(content)
    assert [kept.path for kept in catalog.inspect_upload(file, file_name="a.zip").files] == ["grüße.png"]


# --- archives that are refused ----------------------------------------------------------------------------------------


def link(name):
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


def encrypted(content):
    """The flag of encryption, set in the header and in the directory of a one-file archive."""
    changed = bytearray(content)
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        changed[content.index(mark) + place] |= 1
    return bytes(changed)


HOSTILE = {
    "up": ({"ok.png": b"1", "../evil.png": b"x"}, "not a path inside"),
    "up inside": ({"a/../../evil.png": b"x"}, "not a path inside"),
    "up inside, harmless": ({"a/../evil.png": b"x"}, "not a path inside"),
    "absolute": ({"/etc/cron.d/evil": b"x"}, "not a path inside"),
    "drive": ({"C:/evil.png": b"x"}, "not a path inside"),
    "backslash": ({"..\\evil.png": b"x"}, "not a path inside"),
    "backslash folder": ({"a\\b.png": b"x"}, "not a path inside"),
    "folder up": ({"../evil/": b"", "a.png": b"1"}, "not a path inside"),
    "line break": ({"a\nb.png": b"x"}, "not a path inside"),
    "link": ([("a.png", b"1"), (link("b.png"), b"/etc/passwd")], "is a link"),
    "twice": ([("a.png", b"1"), ("a.png", b"2")], "twice"),
    "file and folder": ({"a": b"1", "a/b": b"2"}, "cannot be a file and a folder"),
    "nothing": ({}, "no file in it"),
    "nothing but a folder": ({"a/": b""}, "no file in it"),
    "malformed table": ({"good.csv": CSV, "bad.csv": b"id,text\n1,a,b\n"}, "“bad.csv”: Line 2 has 3 values"),
    "malformed json": ({"good.csv": CSV, "bad.json": b"[1]"}, "“bad.json”: Record 1"),
    "two tables of one name": ({"x.csv": CSV, "x.tsv": CSV}, "Two files would become"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(("entries", "sentence"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_or_broken_archive_is_refused_and_leaves_nothing(
    catalog, archive, lake_files, tmp_path, monkeypatch, entries, sentence
):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    file, before = archive(entries), sorted(tmp_path.iterdir())
    with pytest.raises(Invalid) as refused:
        catalog.upload_archive(file, file_name="a.zip", by=ANN)
    assert sentence in refused.value.message and refused.value.hint
    assert lake_files() == [] and list(temporary.iterdir()) == [] and sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"PK\x03\x04 and no more", "no .zip file"),
        (zipped({"a.png": b"x" * 1000})[:-10], "no .zip file"),
        (encrypted(zipped({"a.png": b"x"})), "“a.png” is encrypted"),
        (
            zipped({"a.png": b"some text " * 9})[:40] + b"\xff\xff" + zipped({"a.png": b"some text " * 9})[42:],
            "damaged",
        ),
    ],
)
def test_a_damaged_or_protected_archive_says_so(catalog, tmp_path, content, sentence):
    (tmp_path / "upload").write_bytes(content)
    with pytest.raises(Invalid, match=sentence):
        catalog.inspect_upload(tmp_path / "upload", file_name="a.zip")


def test_a_zip_bomb_is_noticed_while_it_is_unpacked(catalog, archive, lake_files, tmp_path):
    bomb = zipped({"a.txt": b"\x00" * 20_000_000})
    assert len(bomb) < 50_000
    for lies in (False, True):
        content = bomb.replace((20_000_000).to_bytes(4, "little"), (1000).to_bytes(4, "little")) if lies else bomb
        (tmp_path / "upload").write_bytes(content)
        with pytest.raises(Invalid, match=r"zip bomb|damaged"):
            catalog.upload_archive(tmp_path / "upload", file_name="a.zip", by=ANN)
    assert lake_files() == []


def test_many_small_bombs_are_one(catalog, archive):
    file = archive({f"{number}.txt": b"\x00" * 9_000_000 for number in range(3)})
    with pytest.raises(Invalid, match="zip bomb"):
        catalog.inspect_upload(file, file_name="a.zip")


def test_limits_of_an_archive(catalog, archive, monkeypatch):
    noise = {f"{number}.png": os.urandom(1000) for number in range(5)}
    for limit, value, sentence in (
        ("MAX_FILES", 4, "5 entries; at most 4"),
        ("MAX_UNPACKED_BYTES", 4000, "unpacks to more than"),
        ("MAX_FILE_BYTES", 900, "“0.png” unpacks to more than"),
    ):
        with monkeypatch.context() as patched, pytest.raises(Invalid, match=sentence):
            patched.setattr(archives, limit, value)
            catalog.inspect_upload(archive(noise), file_name="a.zip")
    assert (archives.MAX_FILES, archives.MAX_UNPACKED_BYTES, archives.MAX_RATIO) == (20_000, 1_000_000_000, 200)


def test_a_taken_name_is_told_before_anything_is_written(catalog, archive, lake_files):
    file = archive({"one.csv": CSV, "two.csv": CSV, "a.png": b"1"})
    catalog.upload_archive(archive({"two.csv": CSV}), file_name="x.zip", by=ANN)
    before = lake_files()
    file = archive({"one.csv": CSV, "two.csv": CSV, "a.png": b"1"})
    with pytest.raises(AlreadyExists, match=r"main\.uploads\.two"):
        catalog.upload_archive(file, file_name="all.zip", by=ANN)
    assert lake_files() == before


def test_uploading_and_importing_need_the_right(catalog, archive, permissions, inbox):
    permissions.assign(BEN, Role.REVIEWER, by=ANN)
    (inbox / "a.csv").write_bytes(CSV)
    with pytest.raises(NotPermitted):
        catalog.upload_archive(archive({"a.csv": CSV}), file_name="a.zip", by=BEN)
    with pytest.raises(NotPermitted):
        catalog.import_path(str(inbox), "a.csv", by=BEN)


# --- import by path ---------------------------------------------------------------------------------------------------


def test_what_lies_in_the_inbox_is_listed_and_imported(catalog, inbox, history):
    (inbox / "boards/line 1").mkdir(parents=True)
    (inbox / "mails.csv").write_bytes(CSV)
    (inbox / "all.zip").write_bytes(zipped({"x.csv": CSV}))
    (inbox / "boards/line 1/1.png").write_bytes(b"11")
    (inbox / "boards/2.png").write_bytes(b"2")
    (inbox / "boards/.hidden").write_bytes(b"2")
    listed = catalog.importable(by=ANN)
    assert [(each.path, each.kind, each.size_bytes, each.file_count) for each in listed] == [
        ("all.zip", "archive", len(zipped({"x.csv": CSV})), 1), ("boards", "folder", 3, 2),
        ("boards/2.png", "file", 1, 1),
        ("boards/line 1", "folder", 2, 1), ("boards/line 1/1.png", "file", 2, 1), ("mails.csv", "file", 16, 1),
    ]  # fmt: skip
    assert [each.path for each in catalog.importable(search="MAIL", by=ANN)] == ["mails.csv"]
    folder = listed[0].folder
    assert catalog.inspect_path(folder, "mails.csv", by=ANN).tables[0].inspection.row_count == 2
    assert names(catalog.import_path(folder, "mails.csv", by=ANN, tags=["PII"])) == [("mails", "table")]
    assert names(catalog.import_path(folder, "all.zip", by=ANN)) == [("x", "table")]
    assert names(catalog.import_path(folder, "boards", by=ANN)) == [("boards", "volume")]
    assert [file.path for file in catalog.files("main.uploads.boards")] == ["2.png", "line 1/1.png"]
    assert catalog.get("main.uploads.mails").source == "Import of mails.csv"
    assert history.of("table", "main.uploads.mails")[0].action == "import"
    assert (inbox / "mails.csv").exists(), "an import copies"


OUTSIDE = ["../secret.csv", "a/../../secret.csv", "/etc/passwd", "..", "", "a//b", "link.csv", "folder/secret.csv",
           "folder", "a\x00b", "..\\secret.csv"]  # fmt: skip


@pytest.mark.parametrize("path", OUTSIDE, ids=range(len(OUTSIDE)))
def test_nothing_outside_the_import_folders_is_read(catalog, inbox, tmp_path, path, lake_files):
    (tmp_path / "outside").mkdir()
    for secret in (tmp_path / "secret.csv", tmp_path / "outside/secret.csv"):
        secret.write_bytes(CSV)
    (inbox / "link.csv").symlink_to(tmp_path / "secret.csv")
    (inbox / "folder").symlink_to(tmp_path / "outside")
    assert catalog.importable(by=ANN) == [], "links are not listed"
    for attempt in (
        lambda: catalog.inspect_path(str(inbox), path, by=ANN),
        lambda: catalog.import_path(str(inbox), path, by=ANN),
    ):
        with pytest.raises(Invalid, match="does not lie in an import folder"):
            attempt()
    assert lake_files() == []


def test_a_folder_that_nobody_allowed_and_a_file_that_is_gone_are_told(catalog, inbox, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other/a.csv").write_bytes(CSV)
    with pytest.raises(Invalid, match="not an import folder"):
        catalog.inspect_path(str(tmp_path / "other"), "a.csv", by=ANN)
    with pytest.raises(NotFound):
        catalog.inspect_path(str(inbox), "gone.csv", by=ANN)


def test_links_in_an_imported_folder_are_left_out_and_told(catalog, inbox, tmp_path):
    (tmp_path / "secret.png").write_bytes(b"secret")
    (inbox / "boards").mkdir()
    (inbox / "boards/1.png").write_bytes(b"1")
    (inbox / "boards/2.png").symlink_to(tmp_path / "secret.png")
    shown = catalog.inspect_path(str(inbox), "boards", by=ANN)
    assert [kept.path for kept in shown.files] == ["1.png"] and "links" in shown.notes[0]


def test_limits_of_a_folder(catalog, inbox, monkeypatch):
    (inbox / "boards").mkdir()
    for number in range(3):
        (inbox / f"boards/{number}.png").write_bytes(b"123")
    for limit, value in (("MAX_FILES", 2), ("MAX_FOLDER_BYTES", 8)):
        with monkeypatch.context() as patched, pytest.raises(Invalid, match="The folder has more than"):
            patched.setattr(archives, limit, value)
            catalog.inspect_path(str(inbox), "boards", by=ANN)


def test_nobody_looks_into_import_folders_who_may_not_bring_their_files_in(catalog, tmp_path, permissions):
    permissions.assign("eve@example.com", "data_consumer", by=ANN)
    for look in (
        lambda: catalog.importable(by="eve@example.com"),
        lambda: catalog.inspect_path(str(tmp_path / "inbox"), "salaries.csv", by="eve@example.com"),
        lambda: catalog.preview_path_change(
            str(tmp_path / "inbox"), "salaries.csv", wishes=Wishes(), by="eve@example.com"
        ),
    ):
        with pytest.raises(NotPermitted):
            look()
