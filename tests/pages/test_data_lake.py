"""The lake on the Data page as a person meets it: browse, look into tables and files, add data, make a sheet."""

from __future__ import annotations

import io
import wave
import zipfile

import pandas as pd
import pytest
from PIL import Image

from tests.pages.conftest import ANN, labels
from tests.workbooks import xlsx
from workbench_core.permissions import Role
from workbench_core.sheets import SheetDraft

BEN = "ben@example.com"
ORDERS = "main.uploads.orders"
DRAFT = SheetDraft("Big orders", ORDERS, "order_id", text_columns=("note",))
HOSTILE = "x](javascript:alert(1)) :red[x] <b> {{7*7}} ::JSCODE:: '; --"


def spoken(text: str) -> str:
    """Text without the marks that keep it plain."""
    return text.replace("\\", "").replace("\u2060", "")


def warnings(page) -> str:
    return " ".join(spoken(element.value) for element in (*page.warning, *page.error))


def words_of(page) -> str:
    """Everything that stands on the page as text or on a button."""
    texts = [element.value for element in (*page.caption, *page.markdown, *page.subheader, *page.title)]
    return " ".join(spoken(text) for text in (*texts, *labels(page.button)))


def nodes(page) -> list[str]:
    """The nodes of the tree with their counts, as they are read."""
    marks = ("**", ":blue[", ":gray[", "]")
    found = []
    for button in page.button:
        if button.key and button.key.startswith(("data_all", "data_catalog_", "data_schema_")):
            text = spoken(button.label)
            for mark in marks:
                text = text.replace(mark, "")
            found.append(text)
    return found


def cards(page) -> list[str]:
    return [
        button.key.removeprefix("data_open_") for button in page.button if (button.key or "").startswith("data_open_")
    ]


def picture(color: str = "red") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), color).save(out, "PNG")
    return out.getvalue()


def pdf(pages: int) -> bytes:
    out = io.BytesIO()
    drawn = [Image.new("RGB", (200, 280), color) for color in ("white", "gray", "black")[:pages]]
    drawn[0].save(out, "PDF", save_all=True, append_images=drawn[1:])
    return out.getvalue()


def sound() -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(8_000)
        written.writeframes(b"\0\0" * 800)
    return out.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


@pytest.fixture
def orders(workbench, tmp_path) -> str:
    """A table of thirty orders."""
    file = tmp_path / "orders.csv"
    lines = [f"{number:05d},{number * 1.5},2026-01-{number % 28 + 1:02d},Call first" for number in range(30)]
    file.write_text("order_id,total,placed_on,note\n" + "\n".join(lines))
    return workbench.catalog.upload_table(file, file_name="orders.csv", by=ANN).name


@pytest.fixture
def patients(workbench, tmp_path) -> str:
    """A table that is tagged as health data."""
    file = tmp_path / "patients.csv"
    file.write_text("patient_id,diagnosis\np1,J10\np2,J11\n")
    return workbench.catalog.upload_table(file, file_name="patients.csv", by=ANN, tags=["PHI"]).name


@pytest.fixture
def inspection(workbench) -> str:
    """A folder with sub-folders and files of every kind."""
    files = [
        ("boards/line_a/b1.png", picture("red")), ("boards/line_a/b2.png", picture("blue")),
        ("boards/b3.png", picture("green")), ("manual.pdf", pdf(3)), ("notes.txt", b"Line A runs hot.\n"),
        ("hum.wav", sound()), ("readings.csv", b"sensor,value\ns1,2.5\ns2,3.5\n"),
        ("firmware.bin", bytes(range(256)) * 9),
    ]  # fmt: skip
    return workbench.catalog.upload_files(files, name="inspection", by=ANN).name


@pytest.fixture
def ben(workbench) -> str:
    """Somebody who may look at everything and change nothing of the data."""
    workbench.permissions.assign(BEN, Role.REVIEWER, by=ANN)
    return BEN


# --- browse ---------------------------------------------------------------------------------------------------------


def test_an_empty_lake_says_what_to_do_and_loads_the_demo_data(open_page, workbench):
    page = open_page("data")
    assert "The lake is empty" in words_of(page)
    page.button(key="data_demo_lake").click().run()
    assert workbench.demo.is_loaded()
    assert "demo.mail.messages" in cards(page)


def test_the_tree_counts_and_narrows_the_list(open_page, workbench, orders, inspection):
    workbench.demo.load(by=ANN)
    page = open_page("data")
    every = workbench.catalog.find()
    assert nodes(page)[0] == f"Everything {len(every)}"
    assert "main 2" in nodes(page)
    assert "uploads 2" in nodes(page)
    page.button(key="data_schema_main.uploads").click().run()
    assert cards(page) == [inspection, orders]
    assert (page.query_params["catalog"], page.query_params["schema"]) == ("main", "uploads")
    assert "1 table and 1 folder in main.uploads" in words_of(page)
    page.button(key="data_all").click().run()
    assert len(cards(page)) == min(12, len(every))
    assert "catalog" not in page.query_params


def test_a_place_in_a_link_that_is_not_there_shows_everything(open_page, orders):
    for query in ({"catalog": HOSTILE}, {"catalog": "main", "schema": HOSTILE}, {"schema": "uploads"}):
        assert cards(open_page("data", **query)) == [orders]


def test_the_search_finds_columns_comments_and_tags_and_says_where(open_page, workbench, orders, patients):
    workbench.catalog.describe(orders, comment="Everything the shop sold", by=ANN)
    assert cards(open_page("data", find="shop sold")) == [orders]
    assert cards(open_page("data", find="PHI")) == [patients]
    page = open_page("data", find="diagn")
    assert cards(page) == [patients]
    assert "diagnosis" in words_of(page)
    page = open_page("data", find=HOSTILE)
    assert cards(page) == []
    assert "Nothing in the lake matches" in words_of(page)
    page.button(key="data_show_all").click().run()
    assert cards(page) == [orders, patients]


def test_the_search_keeps_the_chosen_place(open_page, orders, patients):
    page = open_page("data", find="order", catalog="main")
    assert nodes(page) == ["Everything 1", "main 1", "uploads 1"]
    page.button(key="data_schema_main.uploads").click().run()
    assert page.query_params["find"] == "order"
    assert cards(page) == [orders]


# --- a table --------------------------------------------------------------------------------------------------------


def test_a_table_shows_where_it_comes_from_its_rows_and_its_sheets(open_page, workbench, orders):
    sheet = workbench.sheets.create(DRAFT, by=ANN)
    page = open_page("data", table=orders)
    assert "30 rows · 4 columns" in words_of(page)
    assert "Upload of orders.csv" in words_of(page)
    assert page.dataframe[0].value["order_id"].tolist()[:2] == ["00000", "00001"]
    page.button(key=f"data_sheet_{sheet.id}").click().run()
    assert page.query_params["sheet"] == sheet.id


def test_a_comment_on_a_column_is_kept_once_and_found_again(open_page, workbench, grids, orders):
    page = open_page("data", table=orders)
    grids.edit("data_columns", "note", "Comment", "What the driver should know")
    page.run()
    assert grids.rows("data_columns").loc["note", "Comment"] == "What the driver should know"
    page.run()
    events = [event.action for event in workbench.history.of("table", orders)]
    assert events.count("describe") == 1
    assert cards(open_page("data", find="driver should")) == [orders]


def test_a_sheet_is_three_clicks_away_from_a_table(open_page, workbench, orders):
    page = open_page("data")
    page.button(key=f"data_open_{orders}").click().run()
    page.button(key="data_make").click().run()
    page.button(key="data_create").click().run()
    (sheet,) = workbench.sheets.find()
    assert (sheet.source, sheet.item_id_column) == (orders, "order_id")
    assert page.query_params["sheet"] == sheet.id


def test_comment_and_tags_are_changed_and_what_tags_impose_is_said_before(open_page, workbench, orders):
    page = open_page("data", table=orders)
    assert page.button(key="data_describe").disabled
    page.text_area(key=f"data_comment_{orders}").input("All orders of January").run()
    page.pills(key=f"data_tags_{orders}").select("PII").run()
    assert "Prohibits training, validation; restricted." in words_of(page)
    page.button(key="data_describe").click().run()
    entry = workbench.catalog.get(orders)
    assert (entry.comment, entry.tags) == ("All orders of January", ("PII",))
    assert "All orders of January" in words_of(page)
    assert "Prohibited uses of everything made from it: training, validation" in warnings(page)


def test_everybody_who_edits_sheets_adds_a_tag_and_a_steward_takes_it_away(open_page, workbench, patients):
    workbench.permissions.assign(BEN, Role.DATA_PRODUCER, by=ANN)
    page = open_page("data", user=BEN, table=patients)
    page.pills(key=f"data_tags_{patients}").select("CONFIDENTIAL").run()
    page.button(key="data_describe").click().run()
    assert workbench.catalog.get(patients).tags == ("PHI", "CONFIDENTIAL")
    page = open_page("data", user=BEN, table=patients)
    page.pills(key=f"data_tags_{patients}").unselect("PHI").run()
    assert "Your role, data producer, may not change usage rules. You can add a tag" in words_of(page)
    assert page.button(key="data_describe").disabled
    page = open_page("data", table=patients)
    page.pills(key=f"data_tags_{patients}").unselect("PHI").run()
    page.button(key="data_describe").click().run()
    assert workbench.catalog.get(patients).tags == ("CONFIDENTIAL",)


def test_a_table_that_a_sheet_stands_on_is_not_removed(open_page, workbench, orders):
    page = open_page("data", table=orders)
    workbench.sheets.create(DRAFT, by=ANN)  # by somebody else meanwhile
    page.button(key="data_drop").click().run()
    assert "is used by “Big orders”" in warnings(page)
    page = open_page("data", table=orders)
    assert page.button(key="data_drop").disabled
    assert "Used by 1 sheet; delete them first" in words_of(page)


def test_what_was_not_uploaded_is_not_removed_here(open_page, workbench):
    workbench.demo.load(by=ANN)
    page = open_page("data", table="demo.mail.messages")
    assert page.button(key="data_drop").disabled
    assert "Only what is in main.uploads and main.exports can be removed here" in words_of(page)


def test_a_reader_sees_everything_and_is_told_why_nothing_can_be_changed(open_page, grids, orders, ben):
    page = open_page("data", user=ben, table=orders)
    assert len(page.dataframe[0].value) == 20
    assert grids.rows("data_columns")["Kind"].tolist() == ["String", "Number", "Time", "String"]
    assert page.text_area(key=f"data_comment_{orders}").disabled
    for key in ("data_make", "data_describe", "data_drop"):
        assert page.button(key=key).disabled
    assert "Your role, reviewer, may not edit sheets" in page.button(key="data_make").help
    assert "Create sheet" not in labels(open_page("data", user=ben, table=orders, make="sheet").button)
    page = open_page("data", user=ben)
    assert page.button(key="data_add_header").disabled
    page = open_page("data", user=ben, view="add")
    assert "Your role, reviewer, may not edit sheets" in words_of(page)
    assert not page.file_uploader


def test_a_table_is_removed_and_the_list_comes_back(open_page, workbench, orders, patients):
    page = open_page("data", table=orders)
    page.button(key="data_drop").click().run()
    assert cards(page) == [patients]
    assert "no table or folder" in warnings(open_page("data", table=orders))


def test_hostile_names_comments_and_rows_stay_text(open_page, workbench, tmp_path):
    file = tmp_path / "odd.csv"
    pd.DataFrame({HOSTILE: [HOSTILE], "<b>b</b>": ["=1+1"]}).to_csv(file, index=False)
    name = workbench.catalog.upload_table(file, file_name=f"{HOSTILE[:60]}.csv", name="odd", by=ANN).name
    workbench.catalog.describe(name, comment=HOSTILE, by=ANN)
    for page in (open_page("data"), open_page("data", table=name), open_page("data", table=name, make="sheet")):
        for element in (*page.markdown, *page.caption, *page.button):
            text = element.label if hasattr(element, "on_click") or element.type == "button" else element.value
            assert "](javascript" not in text
            assert " <b>" not in text


# --- a folder -------------------------------------------------------------------------------------------------------


def test_a_folder_is_walked_through_down_and_up(open_page, inspection):
    page = open_page("data", table=inspection)
    assert "8 files" in words_of(page)
    page.button(key="data_folder_boards").click().run()
    assert "b3.png" in words_of(page)
    page.button(key="data_folder_boards/line_a").click().run()
    assert page.query_params["path"] == "boards/line_a"
    assert {"b1.png", "b2.png"} <= set(labels_plain(page))
    page.button(key="data_crumb_1").click().run()
    assert page.query_params["path"] == "boards"
    page.button(key="data_crumb_0").click().run()
    assert "path" not in page.query_params
    assert "manual.pdf" in words_of(page)


def labels_plain(page) -> list[str]:
    return [spoken(label) for label in labels(page.button)]


def test_files_are_searched_below_the_open_folder(open_page, inspection):
    page = open_page("data", table=inspection)
    page.text_input(key="find_in_url").input("b2").run()
    assert "b2.png" in labels_plain(page)
    assert "manual.pdf" not in labels_plain(page)
    page.text_input(key="find_in_url").input(HOSTILE).run()
    assert "No file matches" in words_of(page)


def test_each_kind_of_file_is_shown_as_it_is_best_looked_at(open_page, inspection):
    show = lambda file: open_page("data", table=inspection, file=file)  # noqa: E731
    assert "Picture" in words_of(show("boards/b3.png"))
    page = show("manual.pdf")
    assert "PDF · 3 pages" in words_of(page)
    assert "Text" in words_of(page := show("notes.txt"))
    assert page.text[0].value == "Line A runs hot."
    assert "Sound" in words_of(show("hum.wav"))
    assert show("readings.csv").dataframe[0].value["value"].tolist() == [2.5, 3.5]
    assert "cannot be shown here" in words_of(show("firmware.bin"))


@pytest.mark.parametrize(
    ("asked", "shown"), [("3", 3), ("4", 3), ("0", 1), ("-1", 1), ("²", 1), ("9" * 30, 1), ("x", 1)]
)
def test_a_page_of_a_document_is_opened_by_its_address(open_page, workbench, inspection, asked, shown):
    page = open_page("data", table=inspection, file="manual.pdf", page=asked)
    assert page.session_state["page_in_url"] == shown


def test_one_steps_from_file_to_file_of_a_folder(open_page, inspection):
    page = open_page("data", table=inspection, file="boards/line_a/b1.png")
    assert page.button(key="data_file_previous").disabled
    page.button(key="data_file_next").click().run()
    assert page.query_params["file"] == "boards/line_a/b2.png"
    assert page.button(key="data_file_next").disabled


@pytest.mark.parametrize("path", ["gone.png", "../../../etc/passwd", "/etc/passwd", "boards", "a\x00b", HOSTILE])
def test_a_file_in_a_link_that_is_not_there_is_a_calm_sentence(open_page, inspection, path):
    page = open_page("data", table=inspection, file=path)
    assert warnings(page)
    assert "unexpected" not in warnings(page)


@pytest.mark.parametrize("path", ["gone", "../..", "/etc", "notes.txt", HOSTILE])
def test_a_path_in_a_link_that_is_not_there_is_calm_too(open_page, inspection, path):
    page = open_page("data", table=inspection, path=path)
    assert "unexpected" not in warnings(page)
    assert warnings(page) or "empty" in words_of(page)


def test_damaged_files_are_shown_by_name(open_page, workbench):
    files = [("broken.png", b"no picture"), ("broken.pdf", b"%PDF-1.7 nothing"), ("odd [x](y).wav", b"RIFF")]
    name = workbench.catalog.upload_files(files, name="odd", by=ANN).name
    assert "broken.png" in words_of(open_page("data", table=name))
    for file, _ in files:
        page = open_page("data", table=name, file=file)
        assert "unexpected" not in warnings(page)
        assert "[x](y)" not in " ".join(element.value for element in (*page.caption, *page.markdown))


# --- add data -------------------------------------------------------------------------------------------------------


def choose(page, *files: tuple[str, bytes]):
    """Choose files in the field for uploads."""
    for name, content in files:
        page.file_uploader[0].upload(name, content, "application/octet-stream")
    return page.run()


def named(page, name: str):
    """Type a name."""
    return next(field for field in page.text_input if field.label.startswith("Name")).input(name).run()


def keep(page):
    return page.button(key="intake_keep").click().run()


CSV = b"order_id,total,code\n1,2.5,007\n2,3.5,008\n"


def test_a_file_shows_what_it_becomes_before_anything_is_kept(open_page, workbench, grids):
    page = choose(open_page("data", view="add"), ("Q3 orders (final).csv", CSV))
    assert "A table of **2 rows** and **3 columns**" in words_of(page)
    assert "It will be main.uploads.q3_orders_final" in words_of(page)
    types = grids.rows("intake_types")
    assert types["Kind"].to_dict() == {"order_id": "Number", "total": "Number", "code": "String"}
    assert types.loc["total", "First value"] == "2.5"
    assert workbench.catalog.find() == []
    keep(page)
    assert page.query_params["table"] == "main.uploads.q3_orders_final"
    assert "2 rows · 3 columns" in words_of(page)
    assert "Make a sheet of it" in labels(page.button)


def test_a_column_is_kept_as_text_and_the_name_and_tags_are_taken(open_page, workbench, grids):
    page = choose(open_page("data", view="add"), ("orders.csv", CSV))
    grids.edit("intake_types", "order_id", "As text", True)
    page.run()
    assert grids.rows("intake_types").loc["order_id", "Kind"] == "String"
    named(page, "March")
    page.pills[0].select("PII").run()
    assert "Prohibits training, validation; restricted" in words_of(page)
    keep(page)
    entry = workbench.catalog.get("main.uploads.march")
    assert entry.tags == ("PII",)
    assert {one.name: one.kind for one in workbench.catalog.columns(entry.name)}["order_id"] == "string"


def test_a_malformed_file_is_one_clear_sentence_and_leaves_nothing(open_page, workbench):
    page = choose(open_page("data", view="add"), ("orders.csv", b"order_id,total\n1,2.5\n2,3,4\n"))
    assert "Line 3 has 3 values, but the first line names 2 columns." in warnings(page)
    assert "Nothing was kept" in words_of(page)
    assert "intake_keep" not in {button.key for button in page.button}
    assert workbench.catalog.find() == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.csv", b""), ("head.csv", b"a,b\n"), ("bad.parquet", b"PAR1"), ("bad.xlsx", b"PK"),
        ("bad.zip", b"PK\3\4"), ("bad.json", b'{"a": ['), ("bad.jsonl", b'{"a": 1}\n{"a": \n'),
        ("noise.csv", bytes(range(256)) * 40),
        ("empty.zip", None), ("outside.zip", None),
    ],
)  # fmt: skip
def test_whatever_cannot_be_read_is_a_calm_sentence(open_page, workbench, name, content):
    if content is None:
        content = zipped({} if name == "empty.zip" else {"../../evil.csv": CSV})
    page = choose(open_page("data", view="add"), (name, content))
    assert warnings(page)
    assert "unexpected" not in warnings(page)
    assert workbench.catalog.find() == []


def test_a_name_that_is_taken_or_empty_cannot_be_kept(open_page, workbench, inspection, orders):
    page = named(choose(open_page("data", view="add"), ("orders.csv", CSV)), "inspection")
    assert "main.uploads.inspection is there already. Choose another name." in words_of(page)
    assert page.button(key="intake_keep").disabled
    named(page, "???")
    assert "A name needs a letter or digit" in words_of(page)
    assert page.button(key="intake_keep").disabled
    named(page, "orders 2")
    assert not page.button(key="intake_keep").disabled


def test_the_worksheet_of_a_workbook_is_chosen(open_page, workbench, grids):
    book = xlsx({"Plants": [["plant"], ["Ulm"]], "Lines": [["line", "speed"], ["A", 3], ["B", 4]]})
    page = choose(open_page("data", view="add"), ("plants.xlsx", book))
    assert "A table of **1 row** and **1 column**" in words_of(page)
    next(field for field in page.selectbox if field.label == "Worksheet").select("Lines").run()
    assert "A table of **2 rows** and **2 columns**" in words_of(page)
    keep(page)
    assert [one.name for one in workbench.catalog.columns("main.uploads.plants")] == ["line", "speed"]


def test_an_encoding_that_was_recognised_wrongly_is_corrected(open_page, grids):
    page = choose(open_page("data", view="add"), ("plants.csv", "id,name\n1,Łódź\n".encode("cp1250")))
    next(field for field in page.selectbox if field.label == "Encoding").select("cp1250").run()
    assert grids.rows("intake_types").loc["name", "First value"] == "Łódź"


def test_a_choice_that_cannot_be_read_is_taken_back(open_page, workbench, grids):
    files = {f"part_{number:02d}.csv": CSV for number in range(21)} | {"part_99.csv": b"a,b\n1,2,3\n"}
    page = choose(open_page("data", view="add"), ("many.zip", zipped(files)))
    assert "22 files could be tables; that many stay files" in words_of(page)
    grids.edit("intake_able", "part_99.csv", "Table", True)
    page.run()
    assert "part_99.csv" in warnings(page)
    page.button(key="intake_undo").click().run()
    assert "A folder of **22 files**" in words_of(page)


def test_what_was_repaired_is_told(open_page, grids):
    page = choose(open_page("data", view="add"), ("odd.csv", "id;Name;Name;\n1;Müller;x;2\n".encode("cp1252")))
    assert "separated by semicolons" in words_of(page)
    assert "Windows-1252" in words_of(page)
    assert grids.rows("intake_types")["In the file"].to_dict()["Name_2"] == "Name"


def test_one_file_may_stay_a_file(open_page, workbench):
    page = choose(open_page("data", view="add"), ("readings.csv", CSV))
    next(one for one in page.segmented_control if one.label == "It becomes").set_value("file").run()
    assert "A folder of **1 file**" in words_of(page)
    keep(page)
    assert [file.path for file in workbench.catalog.files("main.uploads.readings")] == ["readings.csv"]


def test_pictures_become_a_folder_and_more_are_added_to_it(open_page, workbench):
    page = choose(open_page("data", view="add"), ("a.png", picture()), ("b.png", picture()))
    assert "A folder of **2 files**" in words_of(page)
    keep(named(page, "Boards"))
    assert page.query_params["table"] == "main.uploads.boards"
    page = named(choose(open_page("data", view="add"), ("c.png", picture())), "boards")
    assert "The files are added to the folder main.uploads.boards" in words_of(page)
    keep(page)
    assert [file.path for file in workbench.catalog.files("main.uploads.boards")] == ["a.png", "b.png", "c.png"]
    page = keep(named(choose(open_page("data", view="add"), ("c.png", picture())), "boards"))
    assert "“c.png” is in “main.uploads.boards” already" in warnings(page)


def test_what_operating_systems_add_is_left_out(open_page, workbench):
    page = choose(open_page("data", view="add"), ("boards/a.png", picture()), ("boards/.DS_Store", b"\0"))
    assert "One entry that holds no data was left out" in words_of(page)
    keep(page)
    assert [file.path for file in workbench.catalog.files("main.uploads.boards")] == ["boards/a.png"]


def test_a_zip_becomes_tables_and_a_folder_and_each_table_can_stay_a_file(open_page, workbench, grids):
    files = {"plant/orders.csv": CSV, "plant/parts.csv": b"part,price\np1,2\n", "plant/photos/a.png": picture()}
    page = choose(open_page("data", view="add"), ("Plant.zip", zipped(files)))
    assert "**2 tables** and a folder of **1 file**" in words_of(page)
    grids.edit("intake_able", "plant/parts.csv", "Table", False)
    page.run()
    assert "**1 table** and a folder of **2 files**" in words_of(page)
    assert not grids.rows("intake_able").loc["plant/parts.csv", "Table"]
    keep(page)
    assert cards(page) == ["main.uploads.orders", "main.uploads.plant"]


def test_several_tables_come_in_at_once(open_page, workbench, grids):
    page = choose(open_page("data", view="add"), ("orders.csv", CSV), ("parts.csv", b"part,price\np1,2\n"))
    assert "**2 tables**" in words_of(page)
    keep(page)
    assert cards(page) == ["main.uploads.orders", "main.uploads.parts"]


def test_hostile_file_names_stay_text(open_page, workbench, grids):
    page = choose(open_page("data", view="add"), (f"{HOSTILE}.csv", CSV))
    assert "unexpected" not in warnings(page)
    for element in (*page.markdown, *page.caption, *page.subheader):
        assert "](javascript" not in element.value
        assert "<b>" not in element.value


def test_the_import_folders_are_listed_searched_and_imported_from(open_page, workbench, grids):
    page = open_page("data", **{"view": "add", "from": "server"})
    assert "The import folders are empty" in words_of(page)
    (inbox,) = workbench.settings.import_folders
    assert str(inbox) in words_of(page)
    inbox.mkdir(exist_ok=True)
    (inbox / "plant").mkdir()
    (inbox / "plant" / "orders.csv").write_bytes(CSV)
    page = open_page("data", **{"view": "add", "from": "server"})
    assert page.dataframe[0].value["Name"].tolist() == ["plant", "plant/orders.csv"]
    page = open_page("data", **{"view": "add", "from": "server", "find": "xyz"})
    assert "No file matches" in words_of(page)
    link = {"view": "add", "from": "server", "in": str(inbox), "import": "plant/orders.csv"}
    page = open_page("data", **link)
    assert "A table of **2 rows** and **3 columns**" in words_of(page)
    keep(page)
    assert page.query_params["table"] == "main.uploads.orders"


@pytest.mark.parametrize("path", ["../store.db", "/etc/passwd", "gone.csv", "a\x00b", HOSTILE])
def test_nothing_outside_the_import_folders_is_opened(open_page, workbench, path):
    for folder in (str(workbench.settings.import_folders[0]), "/etc", ""):
        page = open_page("data", **{"view": "add", "from": "server", "in": folder, "import": path})
        assert warnings(page)
        assert "unexpected" not in warnings(page)
        assert "intake_keep" not in {button.key for button in page.button}
