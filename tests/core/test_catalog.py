"""The catalog: what the lake holds, previews of it, and uploads that come in whole or not at all."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from tests.core.conftest import ANN
from tests.core.test_documents import pdf, sound
from workbench_core import pictures
from workbench_core.catalog import Catalog, FilePreview, table_name
from workbench_core.errors import AlreadyExists, Conflict, Invalid, NotFound, NotPermitted
from workbench_core.permissions import Role
from workbench_core.ports import ColumnRef, Join, JoinKey, JoinSource, SourceRole, TableEntry
from workbench_core.sheets.join_config import join_json

BEN = "ben@example.com"


@pytest.fixture
def inbox(tmp_path):
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


@pytest.fixture
def catalog(lake, history, permissions, store, inbox):
    return Catalog(lake, history, permissions, store=store, import_folders=[inbox])


@pytest.fixture
def upload(catalog, tmp_path):
    """Upload bytes under a file name, as the page does: from a temporary file of another name."""

    def upload_(content: bytes, file_name: str = "mails.csv", *, by: str = ANN, **more: object) -> TableEntry:
        file = tmp_path / "temporary"
        file.write_bytes(content)
        return catalog.upload_table(file, file_name=file_name, by=by, **more)

    return upload_


@pytest.fixture
def lake_files(tmp_path):
    """Every file below the lake, to see that nothing is left behind."""
    return lambda: sorted(path.name for path in (tmp_path / "lake").rglob("*") if path.is_file())


def picture(*, size: tuple[int, int] = (64, 48), mode: str = "RGB", form: str = "PNG", color: str = "red") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, color).convert(mode).save(out, form)
    return out.getvalue()


# --- browse -----------------------------------------------------------------------------------------------------------


def test_tables_are_found_by_name_and_comment(catalog, lake, upload):
    upload(b"a,b\n1,2\n")
    lake.put_files("demo.plant.boards", {"1.png": b"x"}, entry=TableEntry("x", "volume", comment="Printed CIRCUITS"))
    assert [entry.name for entry in catalog.find()] == ["demo.plant.boards", "main.uploads.mails"]
    assert [entry.name for entry in catalog.find(search=" circuits ")] == ["demo.plant.boards"]
    assert [entry.name for entry in catalog.find(search="UPLOADS.mails")] == ["main.uploads.mails"]
    assert catalog.find(search="%") == []


def test_a_preview_shows_columns_first_rows_and_how_many_there_are(catalog, upload):
    upload(b"id,text\n" + b"".join(b"%d,mail %d\n" % (number, number) for number in range(150)))
    preview = catalog.preview("main.uploads.mails", limit=5)
    assert [(column.name, column.kind) for column in preview.columns] == [("id", "number"), ("text", "string")]
    assert (len(preview.rows), preview.row_count) == (5, 150)
    assert preview.rows["id"].tolist() == [0, 1, 2, 3, 4]
    assert len(catalog.preview("main.uploads.mails", limit=10_000).rows) == 100


def test_a_preview_shows_rows_whose_first_column_is_empty(catalog, upload):
    upload(b"id,text\n,first\n2,second\n")
    preview = catalog.preview("main.uploads.mails")
    assert preview.row_count == 2
    assert preview.rows["text"].tolist() == ["first", "second"]


def test_a_preview_shows_a_column_called_item_ref(catalog, upload):
    upload(b"text,item_ref\nhello,r1\n")
    preview = catalog.preview("main.uploads.mails")
    assert preview.rows.to_dict("records") == [{"text": "hello", "item_ref": "r1"}]


def test_a_table_that_does_not_exist_is_not_found(catalog):
    for look in (catalog.get, catalog.columns, catalog.preview, catalog.files):
        with pytest.raises(NotFound):
            look("main.uploads.nothing")
    with pytest.raises((NotFound, Invalid)):
        catalog.preview("../../etc/passwd")


def test_the_tree_shows_catalogs_and_schemas_with_their_counts(catalog, lake, upload):
    upload(b"a,b\n1,2\n")
    lake.put_files("demo.plant.boards", {"1.png": b"x"})
    lake.put_files("demo.flights.photos", {"1.png": b"x"})
    demo, main = catalog.tree()
    assert (demo.name, demo.table_count, demo.volume_count) == ("demo", 0, 2)
    assert [(schema.name, schema.volume_count) for schema in demo.schemas] == [("demo.flights", 1), ("demo.plant", 1)]
    assert [each.entry.name for each in main.schemas[0].entries] == ["main.uploads.mails"]


def test_tables_are_found_by_tag_column_and_comment_of_a_column(catalog, lake, upload):
    upload(b"id,customer\n1,2\n", tags=["PII"])
    upload(b"id,part\n1,2\n", "parts.csv")
    catalog.describe("main.uploads.parts", column_comments={"part": "Serial number"}, by=ANN)
    for search, name, columns in (
        ("pii", "main.uploads.mails", ()),
        ("CUSTOM", "main.uploads.mails", ("customer",)),
        ("serial", "main.uploads.parts", ("part",)),
    ):
        (node,) = catalog.tree(search=search)
        (found,) = node.schemas[0].entries
        assert (found.entry.name, found.matched_columns) == (name, columns)
    assert catalog.tree(search="nothing like it") == []


def test_a_damaged_table_does_not_break_the_search(catalog, upload, tmp_path):
    upload(b"id,customer\n1,2\n")
    (tmp_path / "lake/main/uploads/broken.parquet").write_bytes(b"PAR1")
    assert [entry.name for entry in catalog.find(search="customer")] == ["main.uploads.mails"]


# --- describe and remove ----------------------------------------------------------------------------------------------


def test_comments_are_changed_and_recorded(catalog, upload, history):
    name = upload(b"id,text\n1,a\n").name
    entry = catalog.describe(name, comment="All mails", column_comments={"text": "What was written"}, by=ANN)
    assert entry.comment == "All mails"
    assert [column.comment for column in catalog.columns(name)] == ["", "What was written"]
    event = history.of("table", name)[0]
    assert (event.action, event.details["new_comment"], event.details["columns"]) == ("describe", "All mails", ["text"])
    catalog.describe(name, by=ANN)
    assert len(history.of("table", name)) == 2, "what changes nothing leaves no line"
    with pytest.raises(Invalid, match="no column “txt”"):
        catalog.describe(name, column_comments={"txt": "x"}, by=ANN)
    with pytest.raises(NotFound):
        catalog.describe("main.uploads.nothing", comment="x", by=ANN)


def test_a_tag_may_be_added_by_everybody_who_edits_and_taken_away_by_who_governs(catalog, upload, permissions, history):
    permissions.assign(BEN, Role.DATA_PRODUCER, by=ANN)
    name = upload(b"id\n1\n", tags=["PII"]).name
    assert catalog.describe(name, tags=["CONFIDENTIAL", "PII"], by=BEN).tags == ("PII", "CONFIDENTIAL")
    with pytest.raises(NotPermitted):
        catalog.describe(name, tags=["CONFIDENTIAL"], by=BEN)
    assert catalog.get(name).tags == ("PII", "CONFIDENTIAL")
    assert catalog.describe(name, tags=[], by=ANN).tags == ()
    event = history.of("table", name)[0]
    assert (event.by, event.details["old_tags"], event.details["new_tags"]) == (ANN, ["PII", "CONFIDENTIAL"], [])
    with pytest.raises(Invalid, match="no tag"):
        catalog.describe(name, tags=["SECRET"], by=ANN)
    permissions.assign(BEN, Role.REVIEWER, by=ANN)
    with pytest.raises(NotPermitted):
        catalog.describe(name, comment="x", by=BEN)


def sheet_on(store, clock, source: str, *, name: str, join_config: str = "", status: str = "draft") -> None:
    store.append(
        "sheets",
        [
            {
                "id": name, "name": name, "source": source, "source_kind": "table", "item_id_column": "id",
                "join_config": join_config, "status": status, "created_by": ANN, "created_at": clock(),
                "updated_by": ANN, "updated_at": clock(),
            }
        ],
    )  # fmt: skip


def test_an_upload_that_sheets_read_is_not_removed(catalog, upload, store, clock, history):
    first, second = upload(b"id\n1\n").name, upload(b"id\n1\n", "parts.csv").name
    join = Join(
        (JoinSource(first, "mails", SourceRole.PRIMARY), JoinSource(second, "parts")),
        (JoinKey(ColumnRef("mails", "id"), ColumnRef("parts", "id")),),
    )
    sheet_on(store, clock, first, name="Joined", join_config=join_json(join))
    sheet_on(store, clock, first, name="Plain")
    with pytest.raises(Conflict, match="“Joined”, “Plain”"):
        catalog.drop(first, by=ANN)
    with pytest.raises(Conflict, match="“Joined”"):
        catalog.drop(second, by=ANN)
    assert [sheet.name for sheet in catalog.sheets_on(second)] == ["Joined"]
    store.execute("UPDATE sheets SET status = 'deleted'", touches="sheets")
    catalog.drop(second, by=ANN)
    assert [entry.name for entry in catalog.find()] == [first]
    assert [event.action for event in history.of("table", second)] == ["remove", "upload"]


def test_only_uploads_are_removed_and_only_by_who_may(catalog, lake, upload, permissions):
    lake.put_files("demo.plant.boards", {"1.png": b"x"})
    with pytest.raises(Conflict, match="neither uploaded nor exported") as refused:
        catalog.drop("demo.plant.boards", by=ANN)
    assert "main.uploads and main.exports" in refused.value.hint
    name = upload(b"id\n1\n").name
    permissions.assign(BEN, Role.REVIEWER, by=ANN)
    with pytest.raises(NotPermitted):
        catalog.drop(name, by=BEN)
    with pytest.raises(NotFound):
        catalog.drop("main.uploads.nothing", by=ANN)


# --- folders and previews of files ------------------------------------------------------------------------------------


def test_a_volume_is_browsed_folder_by_folder(catalog):
    files = [
        ("top.txt", b"1"),
        ("2026/01/a.png", b"22"),
        ("2026/01/b.png", b"333"),
        ("2026/02/a.png", b"4"),
        ("20.txt", b"5"),
    ]
    name = catalog.upload_files(files, name="boards", by=ANN).name
    top = catalog.folder(name)
    assert [(folder.path, folder.file_count, folder.size_bytes) for folder in top.folders] == [("2026", 3, 6)]
    assert [file.path for file in top.files] == ["20.txt", "top.txt"] and (top.file_count, top.size_bytes) == (5, 8)
    below = catalog.folder(name, "2026/01")
    assert [file.path for file in below.files] == ["2026/01/a.png", "2026/01/b.png"] and below.folders == ()
    assert [folder.name for folder in catalog.folder(name, "2026/").folders] == ["01", "02"]
    found = catalog.folder(name, "2026", search="A.PNG")
    assert [file.path for file in found.files] == ["2026/01/a.png", "2026/02/a.png"] and found.folders == ()
    for missing in ("2027", "../secret", "2026/01/a.png"):
        with pytest.raises(NotFound):
            catalog.folder(name, missing)


@pytest.fixture
def show(catalog):
    """Put one file into a volume and preview it."""

    def show_(content: bytes, path: str, **more: int) -> FilePreview:
        volume = f"v{len(catalog.find())}"
        return catalog.preview_file(catalog.upload_files([(path, content)], name=volume, by=ANN).name, path, **more)

    return show_


def test_every_kind_of_file_has_its_preview(show):
    shown = show(picture(size=(3000, 30)), "a/1.png")
    with Image.open(io.BytesIO(shown.content)) as small:
        assert (shown.kind, shown.media_type, small.size) == ("picture", "image/jpeg", (1200, 12))
    shown = show("Grüße\n".encode("cp1252"), "readme.txt")
    assert (shown.kind, shown.text, shown.is_cut) == ("text", "Grüße\n", False)
    shown = show(b"x" * 300_000, "app.log")
    assert (shown.kind, len(shown.text), shown.is_cut) == ("text", 200_000, True)
    shown = show(pdf("one", "two"), "report", page=2, width=300)
    assert (shown.kind, shown.page, shown.page_count) == ("pdf", 2, 2) and shown.content.startswith(b"\x89PNG")
    shown = show(sound(), "voice.wav")
    assert (shown.kind, shown.media_type, shown.content) == ("audio", "audio/wav", b""), "it is played in parts"
    shown = show(b"id;text\n1;a\n2;b\n", "list.csv")
    assert shown.kind == "table" and shown.table.row_count == 2 and list(shown.table.rows["text"]) == ["a", "b"]
    assert show(b'{"a": 1}\n{"a": 2}\n', "list.jsonl").table.row_count == 2
    shown = show(b"\x00\x01\x02", "model.bin")
    assert shown.kind == "other" and "cannot be shown" in shown.problem


@pytest.mark.parametrize(
    ("content", "path", "kind", "problem"),
    [
        (b"%PDF-1.4 and nothing more", "a.pdf", "pdf", "damaged"),
        (b"no picture", "a.png", "picture", "damaged"),
        (b"id,text\n1,a,b\n", "a.csv", "text", "Line 2"),
        (b"PAR1 or not\x00", "a.parquet", "other", "Parquet"),
    ],
)
def test_a_damaged_file_shows_a_sentence(show, content, path, kind, problem):
    shown = show(content, path)
    assert shown.kind == kind and problem in shown.problem


def test_a_preview_stays_in_the_volume(catalog):
    name = catalog.upload_files([("a.txt", b"x")], name="boards", by=ANN).name
    with pytest.raises(Invalid):
        catalog.preview_file(name, "../../../../secret")
    with pytest.raises(NotFound):
        catalog.preview_file(name, "b.txt")


# --- upload of tables -------------------------------------------------------------------------------------------------


def test_an_uploaded_csv_is_a_table_with_types_tags_and_a_line_in_the_history(catalog, upload, history):
    entry = upload("id;name;born\n1;Zoë;2001-02-03\n2;“x”;2002-02-03\n".encode(), "Q3 Mails (final).CSV", tags=["PII"])
    assert (entry.name, entry.kind, entry.tags) == ("main.uploads.q3_mails_final", "table", ("PII",))
    assert entry.source == "Upload of Q3 Mails (final).CSV"
    assert [column.kind for column in catalog.columns(entry.name)] == ["number", "string", "time"]
    assert catalog.preview(entry.name).rows["name"].tolist() == ["Zoë", "“x”"]
    assert [event.action for event in history.of("table", entry.name)] == ["upload"]


def test_an_uploaded_parquet_file_is_a_table(catalog, upload, tmp_path):
    pd.DataFrame({"id": [1, 2]}).to_parquet(tmp_path / "x.parquet", index=False)
    entry = upload((tmp_path / "x.parquet").read_bytes(), "numbers.parquet", name="My numbers")
    assert entry.name == "main.uploads.my_numbers"
    assert catalog.preview(entry.name).row_count == 2


@pytest.mark.parametrize(
    ("content", "file_name", "sentence"),
    [
        (b"", "a.csv", "empty"),
        (b"a,b\n", "a.csv", "no rows"),
        (b"a,b\n1,2\n1,2,3\n", "a.csv", "Line 3 has 3 values"),
        (b'a,b\n1,"2\n', "a.csv", "quote"),
        ("a,b\n1,éé\n2,".encode() + b"\xff\n", "a.csv", "Line 3 has bytes that are not UTF-8"),
        (b"PK\x03\x04\x00\x00", "a.csv", "not a text file"),
        (b"a,b\n1,2\n", "a.parquet", "not a Parquet file"),
        (b"a,b\n1,2\n", "a.xlsx", "not an Excel or OpenDocument workbook"),
        (b"a,b\n1,2\n", "a.docx", "not a file that becomes a table"),
        (b"a,b\n1,2\n", "???.csv", "letter or digit"),
    ],
)
def test_a_malformed_file_is_refused_in_one_sentence_and_leaves_nothing(
    catalog, upload, history, lake_files, content, file_name, sentence
):
    with pytest.raises(Invalid) as refused:
        upload(content, file_name)
    assert sentence in refused.value.message
    assert refused.value.hint
    assert catalog.find() == []
    assert lake_files() == []
    assert history.recent() == []


def test_a_taken_name_is_refused_and_the_first_table_stays(catalog, upload):
    upload(b"a\n1\n")
    with pytest.raises(AlreadyExists):
        upload(b"b\n2\n3\n")
    assert catalog.preview("main.uploads.mails").row_count == 1


def test_uploads_need_the_right_and_a_known_tag(catalog, upload, permissions, lake_files):
    permissions.assign(BEN, Role.REVIEWER, by=ANN)
    with pytest.raises(NotPermitted):
        upload(b"a\n1\n", by=BEN)
    with pytest.raises(NotPermitted):
        catalog.upload_files([("1.png", b"x")], name="boards", by=BEN)
    with pytest.raises(Invalid, match="tag"):
        upload(b"a\n1\n", tags=["SECRET"])
    assert lake_files() == []


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Q3 mails (final)", "q3_mails_final"),
        ("../../etc/passwd", "etc_passwd"),
        ("Größe", "gr_e"),
        ("x" * 200, "x" * 80),
    ],
)
def test_any_title_becomes_a_legal_table_name(title, name):
    assert table_name(title) == name


@pytest.mark.parametrize("title", ["", "…", "../..", "日本"])
def test_a_title_without_letters_needs_a_name(title):
    with pytest.raises(Invalid):
        table_name(title)


# --- upload of files --------------------------------------------------------------------------------------------------


def test_uploaded_pictures_lie_in_a_folder_that_can_grow(catalog):
    entry = catalog.upload_files([("1.png", picture()), ("2.png", picture())], name="Boards", by=ANN, tags=["PHI"])
    assert (entry.name, entry.kind, entry.tags) == ("main.uploads.boards", "volume", ("PHI",))
    entry = catalog.upload_files([("3.png", picture())], name="boards", by=ANN)
    assert entry.tags == ("PHI",)
    assert [file.path for file in catalog.files(entry.name)] == ["1.png", "2.png", "3.png"]
    assert catalog.read_file(entry.name, "3.png") == picture()


def test_a_file_that_is_there_is_never_replaced(catalog):
    catalog.upload_files([("1.png", b"old"), ("2.png", b"old")], name="boards", by=ANN)
    with pytest.raises(AlreadyExists, match=r"“1\.png” and 1 more"):
        catalog.upload_files([("3.png", b"new"), ("1.png", b"new"), ("2.png", b"new")], name="boards", by=ANN)
    assert [file.path for file in catalog.files("main.uploads.boards")] == ["1.png", "2.png"]
    assert catalog.read_file("main.uploads.boards", "1.png") == b"old"


@pytest.mark.parametrize(
    "files", [[], [("1.png", b"a"), ("1.png", b"b")], [("../1.png", b"a")], [("ok.png", b"a"), ("/etc/x", b"a")]]
)
def test_files_that_cannot_be_kept_are_refused_and_nothing_is_left(catalog, lake_files, files):
    with pytest.raises(Invalid):
        catalog.upload_files(files, name="boards", by=ANN)
    assert lake_files() == []
    assert catalog.find() == []


def test_files_do_not_go_into_a_table(catalog, upload):
    upload(b"a\n1\n", "boards.csv")
    with pytest.raises(AlreadyExists):
        catalog.upload_files([("1.png", b"x")], name="boards", by=ANN)
    assert catalog.get("main.uploads.boards").kind == "table"


# --- pictures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "form"), [("RGB", "JPEG"), ("RGBA", "PNG"), ("P", "GIF"), ("CMYK", "TIFF"), ("1", "BMP")]
)
def test_every_usual_picture_becomes_a_small_jpeg(catalog, mode, form):
    entry = catalog.upload_files([("x", picture(size=(900, 600), mode=mode, form=form))], name="boards", by=ANN)
    small = catalog.thumbnail(entry.name, "x", side=90)
    with Image.open(io.BytesIO(small)) as shown:
        assert (shown.format, shown.size) == ("JPEG", (90, 60))


def test_a_sixteen_bit_picture_shows_its_whole_range():
    deep = Image.new("I;16", (2, 1))
    deep.putpixel((0, 0), 40_000)
    deep.putpixel((1, 0), 60_000)
    out = io.BytesIO()
    deep.save(out, "PNG")
    with Image.open(io.BytesIO(pictures.thumbnail(out.getvalue(), side=8))) as shown:
        assert (shown.convert("L").getpixel((0, 0)), shown.convert("L").getpixel((1, 0))) == (0, 255)


def test_transparency_becomes_white():
    out = io.BytesIO()
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(out, "PNG")
    with Image.open(io.BytesIO(pictures.thumbnail(out.getvalue(), side=8))) as shown:
        assert shown.getpixel((4, 4)) == (255, 255, 255)


@pytest.mark.parametrize(
    "content",
    [b"", b"no picture", picture()[:70], b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.4", b"GIF89a"],
)
def test_what_is_no_picture_gives_none(catalog, content):
    entry = catalog.upload_files([("x.png", content)], name="boards", by=ANN)
    assert catalog.thumbnail(entry.name, "x.png") is None


def test_a_picture_that_unpacks_to_too_much_gives_none(monkeypatch):
    monkeypatch.setattr(pictures, "MAX_PIXELS", 1_000)
    assert pictures.thumbnail(picture(size=(100, 100)), side=8) is None
    assert pictures.thumbnail(picture(size=(10, 10)), side=8) is not None


def test_a_file_outside_the_volume_gives_no_picture(catalog, tmp_path):
    (tmp_path / "secret.png").write_bytes(picture())
    entry = catalog.upload_files([("x.png", picture())], name="boards", by=ANN)
    assert catalog.thumbnail(entry.name, "../../../../secret.png") is None
    with pytest.raises(Invalid):
        catalog.read_file(entry.name, "../../../../secret.png")
    assert Path(tmp_path / "secret.png").exists()
