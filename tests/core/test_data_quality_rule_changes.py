"""Rules changed together by several people: in few statements, never over each other, and nothing is forgotten."""

from __future__ import annotations

import io
import time
from dataclasses import replace

import pandas as pd
import pytest
from PIL import Image

from tests.core.generation_parts import ANN, BEN
from tests.core.quality_parts import RULES, Flights
from workbench_core.data_quality import Criticality, RuleDraft, words_of
from workbench_core.errors import ChangedByOthers, Conflict, Invalid, NotFound
from workbench_core.ports.spreadsheet_cells import harmless_cell
from workbench_core.runs import RunStatus
from workbench_core.sheets import SheetDraft


@pytest.fixture
def flights(tmp_path, clock):
    made = Flights(tmp_path, clock=clock)
    yield made
    made.store.close()


@pytest.fixture
def sheet(flights):
    return flights.make_flights()


@pytest.fixture
def quality(flights):
    return flights.data_quality


def happened(flights, sheet):
    """The last event of a sheet: what, and the changes in words."""
    event = flights.history.of("sheet", sheet.id, limit=1)[0]
    return event.action, words_of(event.details)


# --- many at once ----------------------------------------------------------------------------------------------------


@pytest.fixture
def counted(flights, monkeypatch):
    """Count statements inside of transactions, and forbid the lake there: everybody else waits meanwhile."""
    statements, inside = [], []
    store, transaction = flights.store, flights.store.transaction

    class Counting:
        def __enter__(self):
            inside.append(transaction())
            return inside[-1].__enter__()

        def __exit__(self, *error):
            return inside.pop().__exit__(*error)

    for name in ("query", "execute", "execute_many", "append"):
        original = getattr(store, name)

        def called(*given, original=original, **named):
            statements.extend(given[:1] if inside else [])
            return original(*given, **named)

        monkeypatch.setattr(store, name, called)
    monkeypatch.setattr(store, "transaction", Counting)
    for name in ("check_problems", "columns", "check_rows"):
        original = getattr(flights.lake, name)

        def asked(*given, original=original, **named):
            assert not inside, "the lake is asked while the store is locked"
            return original(*given, **named)

        monkeypatch.setattr(flights.lake, name, asked)
    return statements


def test_two_hundred_rules_are_switched_and_deleted_in_a_few_statements(flights, sheet, quality, counted):
    drafts = [RuleDraft("is_not_less_than", ("distance",), {"limit": n}, name=f"rule {n}") for n in range(200)]
    rules = quality.save_rules(sheet.id, drafts, by=ANN)
    for act in (
        lambda: quality.enable_rules(rules, is_enabled=False, by=ANN),
        lambda: quality.enable_rules(quality.rules(sheet.id), is_enabled=True, by=ANN),
        lambda: quality.delete_rules(quality.rules(sheet.id), by=ANN),
    ):
        counted.clear()
        act()
        assert len(counted) <= 4
    assert quality.rules(sheet.id) == []
    assert len(flights.history.of("sheet", sheet.id, limit=1)[0].details["rules"]) == 200


def test_rules_that_are_so_already_stay_untouched(sheet, quality):
    first, second = quality.save_rules(sheet.id, RULES[:2], by=ANN)
    [off] = quality.enable_rules([first], is_enabled=False, by=ANN)
    assert quality.enable_rules([off], is_enabled=False, by=ANN) == []
    [moved] = quality.enable_rules([off, second], is_enabled=False, by=BEN)
    assert (moved.id, moved.row_version) == (second.id, 2)
    assert {rule.id: rule.row_version for rule in quality.rules(sheet.id)} == {first.id: 2, second.id: 2}


def test_one_rule_that_cannot_run_keeps_all_of_them_disabled(flights, sheet, quality):
    _, bad = quality.save_rules(sheet.id, [replace(draft, is_enabled=False) for draft in RULES[:2]], by=ANN)
    flights.store.execute(
        "UPDATE quality_rules SET columns = '[\"gone\"]' WHERE id = :id", touches="quality_rules", id=bad.id
    )
    with pytest.raises(Invalid, match=f"“{bad.name}”.*no column gone"):
        quality.enable_rules(quality.rules(sheet.id), is_enabled=True, by=ANN)
    assert not any(rule.is_enabled for rule in quality.rules(sheet.id))


def test_rules_of_two_sheets_are_not_changed_together(flights, sheet, quality):
    other = flights.sheets.create(replace(sheet.draft, name="Other"), by=ANN)
    rules = [quality.save_rule(each.id, RULES[0], by=ANN) for each in (sheet, other)]
    for act in (
        lambda: quality.enable_rules(rules, is_enabled=False, by=ANN),
        lambda: quality.delete_rules(rules, by=ANN),
    ):
        with pytest.raises(Invalid, match="several sheets"):
            act()
    assert len(quality.rules(sheet.id)) == len(quality.rules(other.id)) == 1


# --- two people ------------------------------------------------------------------------------------------------------


def test_what_a_colleague_has_just_changed_is_not_deleted_nor_replaced_nor_switched(sheet, quality):
    seen = quality.save_rules(sheet.id, RULES[:3], by=ANN)
    bens = quality.update_rule(seen[1].id, replace(seen[1].draft, filter="distance > 5"), by=BEN, row_version=1)
    text = quality.export_rules(sheet.id).text
    for act in (
        lambda: quality.delete_rules(seen, by=ANN),
        lambda: quality.enable_rules(seen, is_enabled=False, by=ANN),
        lambda: quality.import_rules(sheet.id, text, by=ANN, replacing=seen),
    ):
        with pytest.raises(ChangedByOthers, match=f"“{bens.name}” was just changed by {BEN}"):
            act()
    now = quality.rules(sheet.id)
    assert [rule.row_version for rule in now] == [1, 2, 1], "all or none"
    assert now[1].draft.filter == "distance > 5"


def test_what_a_colleague_has_just_deleted_is_said(sheet, quality):
    seen = quality.save_rules(sheet.id, RULES[:2], by=ANN)
    quality.delete_rules(seen[:1], by=BEN)
    for act in (
        lambda: quality.delete_rules(seen, by=ANN),
        lambda: quality.enable_rules(seen, is_enabled=False, by=ANN),
    ):
        with pytest.raises(NotFound, match=f"“{seen[0].name}” was just deleted"):
            act()
    assert [rule.id for rule in quality.rules(sheet.id)] == [seen[1].id]


def test_an_import_replaces_only_what_the_person_agreed_to(flights, sheet, quality):
    text = """
- name: carrier
  criticality: warn
  check: {function: is_not_null, arguments: {column: dest}}
- name: new
  check: {function: is_not_null, arguments: {column: origin}}
"""
    old = quality.save_rule(sheet.id, RuleDraft("is_not_null", ("carrier",), name="carrier"), by=BEN)
    kept = quality.import_rules(sheet.id, text, by=ANN)
    assert [rule.name for rule in kept.accepted] == ["new"] and "name is taken" in kept.refused[0].sentence
    quality.delete_rules([rule for rule in quality.rules(sheet.id) if rule.name == "new"], by=ANN)
    assert [draft.name for draft in quality.preview_import(sheet.id, text, replacing=[old]).accepted] == [
        "carrier", "new",
    ]  # fmt: skip
    done = quality.import_rules(sheet.id, text, by=ANN, replacing=[old])
    assert ([rule.name for rule in done.accepted], done.refused) == (["carrier", "new"], ())
    now = {rule.name: rule for rule in quality.rules(sheet.id)}
    assert (now["carrier"].id, now["carrier"].row_version, now["carrier"].created_by) == (old.id, 2, BEN)
    assert (now["carrier"].draft.columns, now["carrier"].draft.criticality) == (("dest",), "warn")
    action, words = happened(flights, sheet)
    assert action == "import quality rules"
    assert words == (
        "“new” added: origin has a value",
        "“carrier”: carrier has a value → dest has a value; a failure is an error → a warning",
    )


def test_a_name_that_is_taken_is_refused_when_a_rule_is_renamed(sheet, quality):
    first, second = quality.save_rules(sheet.id, RULES[:2], by=ANN)
    with pytest.raises(Conflict, match="of this name"):
        quality.update_rule(second.id, replace(second.draft, name=first.name), by=ANN, row_version=1)


# --- nothing is forgotten --------------------------------------------------------------------------------------------


def test_the_history_keeps_every_rule_before_and_after_and_says_it_in_words(flights, sheet, quality):
    draft = RuleDraft("is_in_range", ("distance",), {"min_limit": 0, "max_limit": 100}, name="near")
    rule = quality.save_rule(sheet.id, draft, by=ANN)
    assert happened(flights, sheet) == (
        "add quality rules", ("“near” added: distance lies between 0 and 100",),
    )  # fmt: skip
    wider = replace(
        draft, arguments={"min_limit": 0, "max_limit": 500}, filter="month = 1", criticality=Criticality.WARN
    )
    changed = quality.update_rule(rule.id, wider, by=BEN, row_version=1)
    assert happened(flights, sheet)[1] == (
        "“near”: distance lies between 0 and 100 → distance lies between 0 and 500; "
        "a failure is an error → a warning; only rows where none → month = 1",
    )
    [kept] = flights.history.of("sheet", sheet.id, limit=1)[0].details["changes"]
    assert kept["before"]["arguments"] == {"min_limit": 0, "max_limit": 100}
    assert (kept["before"]["row_version"], kept["after"]["row_version"]) == (1, 2)
    [off] = quality.enable_rules([changed], is_enabled=False, by=ANN)
    assert happened(flights, sheet) == ("disable quality rules", ("“near”: enabled → disabled",))
    quality.delete_rules([off], by=ANN)
    assert happened(flights, sheet)[1] == ("“near” deleted: distance lies between 0 and 500",)
    assert words_of({"rows": 5}) == ()


# --- long profiles ---------------------------------------------------------------------------------------------------


def test_a_long_profile_is_cancelled_and_leaves_the_former_one(flights, sheet, quality, monkeypatch):
    former = quality.profile(sheet.id, by=ANN)
    monkeypatch.setattr("workbench_core.data_quality.service.INLINE_CELLS", 10)
    assert quality.profile(sheet.id, by=ANN) is None
    profile = flights.lake.profile

    def cancelled_on_the_way(selection, *, watch):
        quality.cancel_profile(sheet.id, by=BEN)
        time.sleep(0.6)  # a run asks twice a second whether it must end
        return profile(selection, watch=watch)

    monkeypatch.setattr(flights.lake, "profile", cancelled_on_the_way)
    flights.work()
    assert quality.profiling(sheet.id).status is RunStatus.CANCELLED
    assert quality.kept_profile(sheet.id) == former
    with pytest.raises(Conflict, match="No profile is being made"):
        quality.cancel_profile(sheet.id, by=ANN)


def test_the_progress_of_a_profile_is_told_in_parts_of_a_hundred(flights, sheet, quality, monkeypatch):
    monkeypatch.setattr("workbench_core.data_quality.service.INLINE_CELLS", 10)
    monkeypatch.setattr("workbench_core.data_quality.progress._REPORT_SECONDS", 0.0)
    told = []
    report = flights.runs.report
    monkeypatch.setattr(flights.runs, "report", lambda run, **given: told.append(given["done"]) or report(run, **given))
    quality.profile(sheet.id, by=ANN)
    flights.work()
    assert told == sorted(told) and told[-1] == 100 and len(set(told)) > 4


def test_whether_a_person_waits_depends_on_rows_and_columns(flights, sheet, quality, monkeypatch):
    cells = 27_004 * len(flights.lake.columns(sheet.relation))
    monkeypatch.setattr("workbench_core.data_quality.service.INLINE_CELLS", cells)
    assert quality.profile(sheet.id, by=ANN) is not None
    monkeypatch.setattr("workbench_core.data_quality.service.INLINE_CELLS", cells - 1)
    assert quality.profile(sheet.id, by=ANN) is None


# --- files and cells -------------------------------------------------------------------------------------------------


def encoded(image):
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def test_files_are_found_where_thumbnails_find_them_and_large_images_count_as_readable(flights, quality):
    large = encoded(Image.new("1", (9_000, 9_000)))  # 81 megapixels
    monster = encoded(Image.new("1", (40_000, 40_000)))
    good = encoded(Image.new("RGB", (20, 20)))
    flights.lake.put_files("main.air.pics", {"a/x.png": good, "c/d.png": large, "m.png": monster, "t.png": b"no"})
    values = ["/Volumes/main/air/pics/a/x.png", "./c/d.png", "m.png", "t.png", "/Volumes/main/air/other/a/x.png",
              "a/x.png", None, "", "../x.png", "https://evil.example/x.png"]  # fmt: skip
    frame = pd.DataFrame({"id": [f"i{n}" for n in range(len(values))], "file": values})
    flights.put_frame("main.air.files", frame)
    sheet = flights.sheets.create(SheetDraft("Files", "main.air.files", "id", metadata_columns=("file",)), by=ANN)
    for function in ("file_exists", "image_readable"):
        quality.save_rule(sheet.id, RuleDraft(function, ("file",), {"volume": "main.air.pics"}), by=ANN)
    found = {
        outcome.function: {one.item_ref for one in outcome.samples} for outcome in flights.check(sheet.id).outcomes
    }
    assert found == {"file_exists": {"i4", "i7", "i8", "i9"}, "image_readable": {"i3", "i4", "i7", "i8", "i9"}}


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("-5", "-5"), ("+1.5e3", "+1.5e3"), ("5", "5"), ("a=1", "a=1"), ("", ""), ("=1+1", "'=1+1"),
        ("-5+cmd|x", "'-5+cmd|x"), ("@SUM(A1)", "'@SUM(A1)"), ("\t=1", "'\t=1"), ("\r=1", "'\r=1"), ("-", "'-"),
        ("-5\n=1", "'-5\n=1"), ("-٣", "'-٣"), ("--5", "'--5"),
        (" =1", "' =1"), ("\u200b=1", "'\u200b=1"), ("＝1", "'＝1"), (" a", " a"),
    ],
)  # fmt: skip
def test_a_cell_that_a_spreadsheet_would_run_is_defused_and_a_number_is_not(text, written):
    assert harmless_cell(text) == written
