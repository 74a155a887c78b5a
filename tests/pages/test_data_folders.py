"""Folders on the Data page: a sheet of one, its files found, paged and played, and the pictures that a table names."""

from __future__ import annotations

import io
import wave

import pytest
from PIL import Image

from tests.pages.conftest import ANN, labels
from tests.pages.data_parts import BEN, PREFIX, captions, spoken, table
from workbench_core import cached, cached_files
from workbench_core.permissions import Role
from workbench_core.ports import TableEntry
from workbench_core.sheets import SheetDraft

PLANT = f"{PREFIX}plant"


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (32, 24), "red").save(out, "PNG")
    return out.getvalue()


def sound() -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(8_000)
        written.writeframes(b"\0\0" * 800)
    return out.getvalue()


@pytest.fixture
def plant(workbench) -> str:
    """A folder with two lines, whose names are as odd as people's are."""
    files = [('l\'été "A"/b1.png', picture()), ('l\'été "A"/deep/b2.png', picture()), ("b/b3.png", picture())]
    return workbench.catalog.upload_files([*files, ("hum.wav", sound())], name="plant", by=ANN).name


# --- a sheet of a folder ---------------------------------------------------------------------------------------------


def test_a_sheet_of_a_folder_is_three_clicks_away_from_its_volume(open_page, workbench, plant):
    page = open_page("data", table=plant)
    page.button(key='data_folder_l\'été "A"').click().run()
    page.button(key="data_make_folder").click().run()
    assert "2 of 4 rows" in captions(page)
    assert page.code[0].value == """STARTS_WITH("path", 'l''été "A"/')"""
    page.button(key="data_create_of_folder").click().run()
    (sheet,) = workbench.sheets.find()
    assert page.query_params["sheet"] == sheet.id
    assert (sheet.source, sheet.source_kind, sheet.item_id_column) == (plant, "volume", "path")
    rows = workbench.sheets.preview(sheet.id)
    assert rows["item_ref"].tolist() == ['l\'été "A"/b1.png', 'l\'été "A"/deep/b2.png']


def test_not_now_leads_back_into_the_folder(open_page, plant):
    page = open_page("data", table=plant, path="b", make="folder")
    page.button(key="data_not_now_folder").click().run()
    assert (page.query_params["path"], "make" in page.query_params) == ("b", False)
    assert "b3.png" in " ".join(map(spoken, labels(page.button)))


def test_the_outermost_folder_has_its_own_button_and_no_second_one(open_page, plant):
    keys = {button.key for button in open_page("data", table=plant, make="folder").button}
    assert "data_make" in keys
    assert not {"data_make_folder", "data_create_of_folder"} & keys


def test_who_may_not_edit_sheets_is_told_so(open_page, workbench, plant):
    workbench.permissions.assign(BEN, Role.REVIEWER, by=ANN)
    page = open_page("data", user=BEN, table=plant, path="b")
    assert page.button(key="data_make_folder").disabled
    page = open_page("data", user=BEN, table=plant, path="b", make="folder")
    assert "may not edit sheets" in captions(page)
    assert "data_create_of_folder" not in {button.key for button in page.button}


# --- found, paged, played --------------------------------------------------------------------------------------------


def test_the_search_of_the_lake_finds_files_and_opens_them(open_page, workbench, plant):
    page = open_page("data", find="b2.PNG")
    page.button(key=f'data_found_{plant}_l\'été "A"/deep/b2.png').click().run()
    assert page.query_params["file"] == 'l\'été "A"/deep/b2.png'
    assert "Picture" in captions(page)
    workbench.catalog.upload_files([(f"more/x{number}.txt", b"x") for number in range(9)], name="plant", by=ANN)
    page = open_page("data", find="more/x")
    page.button(key=f"data_found_more_{plant}").click().run()
    assert page.query_params["find"] == "more/x"
    assert "9 files" in captions(page)


def test_every_file_of_a_large_folder_is_on_one_of_its_pages(open_page, workbench):
    files = [(f"{number:04d}.txt", b"x") for number in range(1_201)]
    name = workbench.catalog.upload_files(files, name="many", by=ANN).name
    assert "0000.txt" in tiles(open_page("data", table=name))
    last = open_page("data", table=name, page="51")
    assert tiles(last) == ["1200.txt"]
    assert tiles(open_page("data", table=name, page="9" * 5_000))[0] == "0000.txt"


def tiles(page) -> list[str]:
    return [spoken(button.label) for button in page.button if (button.key or "").startswith("data_files_")]


def test_sound_is_played_from_its_address_and_not_kept_in_memory(open_page, workbench, plant):
    page = open_page("data", table=plant, file="hum.wav")
    assert f'src="/sounds/{plant}/hum.wav"' in page.get("html")[0].proto.body
    assert cached_files.file_preview(plant, "hum.wav").content == b""


def test_a_hostile_file_name_stays_text_in_the_player(open_page, workbench):
    name = '"><img src=x onerror=alert(1)>.wav'
    folder = workbench.catalog.upload_files([(name, sound())], name="odd", by=ANN).name
    (player,) = open_page("data", table=folder, file=name).get("html")
    assert "<img" not in player.proto.body


# --- pictures that a table names -------------------------------------------------------------------------------------


@pytest.fixture
def boards(workbench, tmp_path) -> str:
    """A table whose rows name pictures of the folder beside it."""
    rows = [{"id": 1, "image_path": "./b/b3.png"}, {"id": 2, "image_path": "none.png"}, {"id": 3, "image_path": None}]
    return table(workbench, tmp_path, "boards", rows)


def test_pictures_are_found_in_the_folder_beside_the_table(open_page, workbench, plant, boards, grids):
    workbench.lake.put_files("main.other.more", {"b/b3.png": picture()})
    sheet = workbench.sheets.create(SheetDraft("Boards", boards, "id", image_columns=("image_path",)), by=ANN)
    open_page("data", sheet=sheet.id)
    shown = grids.rows("data_rows")["image_path"].tolist()
    assert shown[0] == f"/pictures/{plant}/b/b3.png"


def test_without_a_folder_that_has_them_paths_stay_text(open_page, workbench, boards, grids):
    workbench.lake.put_files(f"{PREFIX}others", {"x.png": picture()}, entry=TableEntry("x", "volume"))
    sheet = workbench.sheets.create(SheetDraft("Boards", boards, "id", image_columns=("image_path",)), by=ANN)
    open_page("data", sheet=sheet.id)
    assert grids.rows("data_rows")["image_path"].tolist()[:2] == ["./b/b3.png", "none.png"]


def test_a_page_of_rows_lists_the_files_of_a_folder_once(open_page, workbench, plant, boards, grids, monkeypatch):
    sheet = workbench.sheets.create(SheetDraft("Boards", boards, "id", image_columns=("image_path",)), by=ANN)
    listed = []
    paths = workbench.lake.file_paths
    monkeypatch.setattr(workbench.lake, "file_paths", lambda volume: listed.append(volume) or paths(volume))
    for _ in range(2):
        open_page("data", sheet=sheet.id)
    assert listed == [plant]


# --- what is kept ----------------------------------------------------------------------------------------------------


def test_a_decision_about_labels_leaves_what_is_known_of_the_lake_alone(workbench, boards, tmp_path, monkeypatch):
    sheet = workbench.sheets.create(SheetDraft("Boards", boards, "id"), by=ANN)
    counted = []
    count = workbench.lake.count
    monkeypatch.setattr(workbench.lake, "count", lambda selection: counted.append(1) or count(selection))

    def look() -> int:
        before = len(counted)
        cached.sheet_check(sheet.id)
        cached.table_preview(boards)
        cached.catalog_tree()
        return len(counted) - before

    assert look() > 0
    workbench.history.add("canonical_label", "l1", "create", by=ANN)
    assert look() == 0, "what anybody does elsewhere makes no open sheet count again"
    table(workbench, tmp_path, "more", [{"id": 1}])
    assert look() > 0
    assert f"{PREFIX}more" in {entry.name for entry in cached.catalog_entries()}


def test_refresh_reads_the_lake_again(open_page, workbench, plant):
    open_page("data", table=plant)
    folder = workbench.settings.home / "lake/main/uploads/plant/b"
    (folder / "deep").mkdir()
    open_page("data", table=plant, path="b")
    (folder / "deep" / "new.txt").write_text("x")  # deep in a folder: nothing tells
    assert "deep" not in " ".join(labels(open_page("data", table=plant, path="b").button))
    open_page("data").button(key="data_refresh").click().run()
    assert "deep" in " ".join(labels(open_page("data", table=plant, path="b").button))
