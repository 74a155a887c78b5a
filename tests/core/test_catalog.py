"""The catalog: what the lake holds, previews of it, and uploads that come in whole or not at all."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from tests.core.conftest import ANN
from workbench_core import pictures
from workbench_core.catalog import Catalog, table_name
from workbench_core.errors import AlreadyExists, Invalid, NotFound, NotPermitted
from workbench_core.permissions import Role
from workbench_core.ports import TableEntry

BEN = "ben@example.com"


@pytest.fixture
def catalog(lake, history, permissions):
    return Catalog(lake, history, permissions)


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
        (b"a,a\n1,2\n", "a.csv", "same name"),
        (b"a,b\n1,\xff\n", "a.csv", "UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "a.csv", "UTF-16"),
        (b"PK\x03\x04\x00\x00", "a.csv", "not a text file"),
        (b"a,b\n1,2\n", "a.parquet", "not a Parquet file"),
        (b"a,b\n1,2\n", "a.xlsx", "neither CSV nor Parquet"),
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
