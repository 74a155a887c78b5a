"""Search over the lake, folders of volumes, and the folder that goes with a table."""

from __future__ import annotations

import pytest

from tests.core.conftest import ANN
from workbench_core.catalog import Catalog, browsing
from workbench_core.ports import Selection, TableEntry
from workbench_core.sheets.picture_files import volume_beside

MANY = "demo.plant.many"


@pytest.fixture
def catalog(lake, history, permissions, store):
    return Catalog(lake, history, permissions, store=store)


def found(catalog: Catalog, search: str) -> dict[str, tuple[str, ...]]:
    nodes = catalog.tree(search=search)
    return {
        entry.entry.name: entry.matched_files for node in nodes for schema in node.schemas for entry in schema.entries
    }


def test_files_are_found_by_a_part_of_their_path_and_counted(catalog, lake):
    lake.put_files(MANY, {f"line_a/board_{number}.png": b"x" for number in range(8)} | {"manual.PDF": b"x"})
    lake.put_files("demo.plant.other", {"readme.txt": b"x"})
    assert found(catalog, "manual.pdf") == {MANY: ("manual.PDF",)}
    assert found(catalog, "LINE_A/board_7") == {MANY: ("line_a/board_7.png",)}
    ((node,),) = [node.schemas for node in catalog.tree(search="board_")]
    (entry,) = node.entries
    assert entry.matched_files == tuple(f"line_a/board_{number}.png" for number in range(5))
    assert entry.matched_file_count == 8
    assert found(catalog, "nothing like it") == {}


def test_one_letter_finds_no_files_and_a_named_folder_is_found_without_them(catalog, lake):
    lake.put_files(MANY, {"x.png": b"x"})
    assert found(catalog, "x") == {}
    assert found(catalog, "many") == {MANY: ()}


def test_a_search_by_column_reads_no_rows_of_a_file_in_place(catalog, lake, tmp_path):
    file = tmp_path / "lake/demo/plant/orders.csv"
    file.parent.mkdir(parents=True)
    file.write_text("id,volts\na,1\nb,2,3,4\n")  # reading its rows would fail
    assert list(found(catalog, "volt")) == ["demo.plant.orders"]


def test_a_folder_shows_all_its_files(catalog, lake):
    lake.put_files(MANY, {f"{number:04d}.txt": b"x" for number in range(1_200)})
    listing = catalog.folder(MANY)
    assert (len(listing.files), listing.file_count) == (1_200, 1_200)


@pytest.mark.parametrize("name", ["line a", "o'brien", 'the "new" ones', "ü{{x}}", "100%_", "A", "a"])
def test_the_filter_of_a_folder_keeps_its_files_and_no_others(lake, name):
    other = "a" if name == "A" else "A"
    files = {f"{name}/1.png": b"x", f"{name}/deep/2.png": b"x", f"{other}/3.png": b"x", f"{name}x/4.png": b"x"}
    files[f"deep/{name}/5.png"] = b"x"
    lake.put_files(MANY, files)
    accepted = lake.check_filter(MANY, browsing.below(name, dialect=lake.dialect))
    kept = lake.page(Selection(MANY, "path", where=accepted), columns=["path"])["path"].tolist()
    assert kept == sorted(path for path in files if path.startswith(f"{name}/"))


def test_a_folder_that_no_volume_can_have_is_only_text_in_the_filter(lake):
    lake.put_files(MANY, {"a/1.png": b"x"})
    for name in ("a\\", "' OR true OR path = '", "a/1.png') --"):
        accepted = lake.check_filter(MANY, browsing.below(name, dialect=lake.dialect))
        assert lake.count(Selection(MANY, "path", where=accepted)) == 0


def test_the_folder_that_goes_with_a_table_is_the_nearest_that_has_its_files():
    entries = [
        TableEntry(name, kind)
        for name, kind in {
            "demo.acme.inspections": "table", "demo.acme.empty": "volume", "demo.acme.images": "volume",
            "demo.other.images": "volume", "main.acme.images": "volume",
        }.items()
    ]  # fmt: skip

    def beside(**held: int) -> str:
        names = {name.replace("__", "."): count for name, count in held.items()}
        return volume_beside(entries, "demo.acme.inspections", held=lambda one: names.get(one, 0))

    assert beside(demo__acme__images=2, demo__other__images=5) == "demo.acme.images"
    assert beside(demo__other__images=1) == "demo.other.images"
    assert beside(main__acme__images=9) == ""


def test_who_uploads_owns(catalog, tmp_path):
    file = tmp_path / "orders.csv"
    file.write_text("id,v\na,1\n")
    assert catalog.upload_table(file, file_name="orders.csv", by=ANN).owner == ANN
    assert catalog.upload_files([("a.png", b"x")], name="pictures", by=ANN).owner == ANN
    assert catalog.upload_archive(file, file_name="more.csv", by=ANN)[0].owner == ANN
