"""Exports of training sheets: what goes out, what stays and why, who may, and that files are of one moment (TS-17)."""

from __future__ import annotations

import json
import threading

import pytest

from tests.core.export_parts import HOSTILE, ExportParts, approved_sheet, close
from tests.core.generation_parts import ANN, BEN
from tests.core.generation_steps import generate, label
from workbench_core import usage
from workbench_core.errors import (
    ChangedByOthers,
    Conflict,
    Invalid,
    InvalidTransition,
    NotFound,
    NotPermitted,
)
from workbench_core.exports import ExportFormat, ExportRequest, PartShares
from workbench_core.exports.preview import EXACT_UP_TO
from workbench_core.exports.reading import PairReading
from workbench_core.pairs import ResponseSource
from workbench_core.permissions import Role
from workbench_core.ports import Message, TableEntry
from workbench_core.prompt_templates import AnswerSource
from workbench_core.runs import RunStatus
from workbench_core.usage import UsageRules, Use

OPENAI = ExportFormat.OPENAI_CHAT
PHI = usage.from_tags(["PHI"])


@pytest.fixture
def parts(tmp_path, clock):
    made = ExportParts(tmp_path, clock=clock)
    yield made
    made.store.close()


def excluded(export) -> dict[str, int]:
    return {each["reason"]: each["pairs"] for each in export.manifest["pairs"]["excluded"]}


def adds_up(export) -> bool:
    counts = export.manifest["pairs"]
    assert sum(counts["parts"].values()) == counts["exported"] == sum(file.pairs for file in export.files)
    return counts["total"] == counts["exported"] + sum(excluded(export).values())


def test_an_approved_training_sheet_becomes_a_file_with_a_manifest(parts):
    sheet = approved_sheet(parts, 12)
    export = parts.export(sheet.id)
    assert [line["messages"][1]["content"][-12:] for line in parts.lines(export)][:2] == [
        "prize no. 0",
        "eeting no. 1",
    ] or (len(parts.lines(export)) == 12)
    assert parts.lines(export)[0] == {
        "messages": [
            {"role": "system", "content": "You sort mails."},
            {"role": "user", "content": "Is this mail spam? You won prize no. 0"},
            {"role": "assistant", "content": "spam"},
        ]
    }
    told = json.loads(parts.exports.file_path(export.id, export.manifest_name, by=ANN).read_text("utf-8"))
    assert told == export.manifest
    assert told["exported_by"] == ANN
    assert told["training_sheet"] == {
        "id": sheet.id, "name": sheet.name, "sheet_id": sheet.sheet_id, "label_type": "mail_class",
    }  # fmt: skip
    assert told["prompt_template"]["version"] == sheet.template_version
    assert told["pairs"] == {"total": 12, "exported": 12, "excluded": [], "parts": {"": 12}}
    assert told["canonical_labels"] == {"pairs": 12, "lowest": 1, "highest": 1}
    assert parts.hashes(export)
    assert parts.training_sheets.get(sheet.id).status == "exported"
    event = parts.history.of("training_sheet", sheet.id)[1]  # the newest is the look at the manifest
    assert (event.action, event.by) in {("export", ANN), ("download export", ANN)}
    assert not list((parts.folder / "exports").glob("*.part"))


def test_acceptance_6_every_pair_that_stays_out_is_counted_with_its_reason(parts):
    sheet_id = parts.make_sheet(14)
    label(parts, sheet_id, range(12))
    sheet = generate(parts, sheet_id)
    both = UsageRules(prohibited=frozenset({Use.TRAINING}))
    for item, values in {
        0: {"usage": both},  # allowed and prohibited at once
        1: {"usage": PHI},
        2: {"usage": UsageRules(allowed=frozenset({Use.EVALUATION}))},
        3: {"review_status": "flagged"},
        4: {"review_status": "rejected"},
        5: {"response_source": "ai_generated"},
        6: {"quality_score": 0.2},
        7: {"quality_score": None},
        8: {"quality_flags": '["pii", "toxic"]'},
        9: {"answer": " \n\u2003"},
        10: {"messages": "[]"},
    }.items():
        if values.get("messages") == "[]":
            parts.store.execute("UPDATE pairs SET messages = '[]' WHERE item_ref = 'm00010'", touches="pairs")
        else:
            parts.change(sheet.id, item, **values)
    close(parts, sheet)
    export = parts.export(sheet.id, minimum_score=0.5)
    assert excluded(export) == {
        "not reviewed yet": 2,
        "training prohibited": 1,
        "training prohibited: source tagged PHI": 1,
        "training not among the allowed uses": 1,
        "flagged": 1,
        "rejected": 1,
        "answer source not chosen: ai generated": 1,
        "quality score below 0.5": 1,
        "no quality score": 1,
        "marked as pii": 1,
        "empty answer": 1,
        "no question": 1,
    }
    assert (export.exported_pairs, adds_up(export)) == (1, True)
    more = parts.export(
        sheet.id, exclude_flagged=False, sources=(*ResponseSource,), intended_use=Use.TRAINING,
        shares=PartShares(50, 25, 25),
    )  # fmt: skip
    assert (more.exported_pairs, adds_up(more)) == (5, True)


def test_acceptance_7_pairs_of_a_phi_source_stay_out_although_they_are_approved(parts):
    sheet_id = parts.make_sheet(6, tags=("PHI",))
    label(parts, sheet_id, range(6))
    sheet = close(parts, generate(parts, sheet_id))
    assert {pair.usage.classification for pair in parts.pairs.find(sheet.id)} == {"restricted"}
    with pytest.raises(Invalid, match="6 training prohibited: source tagged PHI"):
        parts.exports.start(ExportRequest(sheet.id, OPENAI), by=ANN)
    assert parts.exports.find(sheet.id) == []
    export = parts.export(sheet.id, intended_use=Use.EVALUATION)
    assert (export.exported_pairs, export.manifest["classification"]) == (6, "restricted")


def test_acceptance_5_the_same_seed_gives_the_same_files(parts):
    sheet = approved_sheet(parts, 120)
    for format in ExportFormat:
        for is_stratified in (False, True):
            asked = {"shares": PartShares(70, 20, 10), "stratify_by_label": is_stratified}
            first, again = (parts.export(sheet.id, format, **asked) for _ in range(2))
            assert parts.hashes(first) == parts.hashes(again)
            other = parts.export(sheet.id, format, seed=7, **asked)
            assert parts.hashes(first).keys() == parts.hashes(other).keys()
            assert parts.hashes(first) != parts.hashes(other)
            assert adds_up(first)
    by_part = {part: json.dumps(parts.read(parts.export(sheet.id, "csv", shares=PartShares()), part)) for part in
               ("train", "validation", "test")}  # fmt: skip
    for item in range(120):
        assert sum(f"m{item:05d}" in text for text in by_part.values()) == 1


def test_acceptance_5_the_bytes_are_the_same_on_every_machine(parts):
    """The hash of a fixed training sheet: whoever changes it changes what people have on their disks."""
    sheet = approved_sheet(parts, 20)
    found = {format: parts.export(sheet.id, format).files[0].sha256[:12] for format in ("openai_chat", "csv")}
    assert found == {"openai_chat": "1c6944c58006", "csv": "da8f5ec06e90"}


def test_parts_follow_the_uses(parts):
    sheet = approved_sheet(parts, 90, is_open=True)
    no_validation = UsageRules(prohibited=frozenset({Use.VALIDATION}), reason="agreement")
    only_training = UsageRules(allowed=frozenset({Use.TRAINING}))
    for item in range(60):
        parts.change(sheet.id, item, usage=no_validation if item < 30 else only_training)
    close(parts, sheet)
    for is_stratified in (False, True):
        export = parts.export(sheet.id, "csv", shares=PartShares(40, 30, 30), stratify_by_label=is_stratified)
        held = {part: parts.read(export, part) for part in ("train", "validation", "test")}
        assert not [item for item in range(60) if f"m{item:05d}" in held["validation"]]
        assert not [item for item in range(30, 60) if f"m{item:05d}" in held["test"]]
        assert sum(f"m{item:05d}" in held["test"] for item in range(30)) > 0
        assert (export.exported_pairs, adds_up(export)) == (90, True)
    held = parts.export(sheet.id, shares=PartShares(0, 50, 50))
    assert excluded(held) == {"no part permits it": 30}
    assert adds_up(held)


def test_stratified_every_class_has_its_shares(parts):
    sheet = approved_sheet(parts, 90)
    export = parts.export(sheet.id, shares=PartShares(80, 10, 10), stratify_by_label=True)
    answers = {
        part: [line["messages"][-1]["content"] for line in parts.lines(export, part)]
        for part in ("train", "validation", "test")
    }
    assert [(found.count("spam"), found.count("ham")) for found in answers.values()] == [(24, 48), (3, 6), (3, 6)]
    assert parts.exports.preview(export.request).by_part == {"train": 72, "validation": 9, "test": 9}


def test_free_text_cannot_be_stratified(parts):
    sheet = approved_sheet(parts, 4, label_classes=())
    request = ExportRequest(sheet.id, OPENAI, shares=PartShares(), stratify_by_label=True)
    assert "several classes" in parts.exports.preview(request).problem
    with pytest.raises(Invalid, match="several classes"):
        parts.exports.start(request, by=ANN)


def test_the_preview_says_what_the_files_will_hold(parts):
    sheet = approved_sheet(parts, 60, is_open=True)
    parts.change(sheet.id, 3, usage=PHI)
    close(parts, sheet)
    for shares in (None, PartShares(), PartShares(60, 0, 40)):
        request = ExportRequest(sheet.id, OPENAI, shares=shares)
        told, done = parts.exports.preview(request), parts.export(sheet.id, shares=shares)
        assert told.is_exact
        assert (told.total, told.exported) == (60, done.exported_pairs)
        assert dict(told.by_part) == done.manifest["pairs"]["parts"]
        assert {each.reason: each.count for each in told.excluded} == excluded(done)
    assert EXACT_UP_TO > 60


def test_the_preview_of_very_many_is_in_proportion_and_says_so(parts, monkeypatch):
    monkeypatch.setattr("workbench_core.exports.preview.EXACT_UP_TO", 10)
    sheet = approved_sheet(parts, 60, is_open=True)
    for item in range(10):
        parts.change(sheet.id, item, usage=UsageRules(allowed=frozenset({Use.TRAINING})))
    close(parts, sheet)
    told = parts.exports.preview(ExportRequest(sheet.id, OPENAI, shares=PartShares()))
    assert (told.is_exact, dict(told.by_part)) == (False, {"train": 50, "validation": 5, "test": 5})


def test_hostile_texts_survive_every_format(parts):
    sheet = approved_sheet(parts, 3, is_open=True)
    for item in range(3):
        parts.change(sheet.id, item, answer=HOSTILE, messages=[Message("user", HOSTILE)])
    close(parts, sheet)
    stored = parts.pairs.find(sheet.id)[0].answer
    assert parts.lines(parts.export(sheet.id))[2]["messages"] == [
        {"role": "user", "content": stored}, {"role": "assistant", "content": stored},
    ]  # fmt: skip
    assert parts.lines(parts.export(sheet.id, "gemini"))[0]["contents"][1]["parts"] == [{"text": stored}]


def test_pictures_are_never_dropped_silently(parts):
    sheet = approved_sheet(parts, 4, is_open=True)
    shown = [Message("user", "What is this?", ("demo.acme.pictures/a.png",))]
    parts.change(sheet.id, 0, messages=shown)
    parts.change(sheet.id, 1, messages=[Message("user", 'Not a picture: "attachments": ["x"]')])
    close(parts, sheet)
    export = parts.export(sheet.id)
    assert excluded(export) == {"pictures, which this format cannot hold": 1}
    told = parts.exports.preview(ExportRequest(sheet.id, OPENAI, text_without_pictures=True))
    assert (told.exported, told.pictures) == (4, 1)
    export = parts.export(sheet.id, text_without_pictures=True)
    assert export.exported_pairs == 4
    assert export.manifest["notes"] == ["The pictures of 1 pairs are not in the files: their text stands alone."]


def test_texts_that_a_spreadsheet_would_run_are_told(parts):
    sheet = approved_sheet(parts, 3, is_open=True)
    parts.change(sheet.id, 0, answer="=HYPERLINK(A1)")
    close(parts, sheet)
    exact = parts.export(sheet.id, "csv")
    assert '"=HYPERLINK(A1)"' in parts.read(exact)
    assert "1 texts begin like a formula" in exact.manifest["notes"][0]
    harmless = parts.export(sheet.id, "csv", for_spreadsheets=True)
    assert '"\'=HYPERLINK(A1)"' in parts.read(harmless)


def test_samples_show_every_format(parts):
    sheet = approved_sheet(parts, 2)
    found = parts.exports.samples(sheet.id, with_system=False)
    assert found[OPENAI].startswith('{"messages": [{"role": "user"')
    assert found[ExportFormat.CSV].startswith('"item_ref","system","user"')
    assert len(found) == 6
    empty = generate(parts, parts.make_sheet(1), source=AnswerSource.MANUAL)
    assert parts.exports.samples(empty.id) == {}


# --- who, when, and what is refused ----------------------------------------------------------------------------------


def test_only_approved_exported_and_trained_sheets_are_exported(parts):
    sheet = approved_sheet(parts, 3, is_open=True)
    with pytest.raises(Conflict, match="is review: only approved"):
        parts.exports.start(ExportRequest(sheet.id, OPENAI), by=ANN)
    close(parts, sheet)
    parts.export(sheet.id)
    parts.export(sheet.id)
    assert parts.training_sheets.get(sheet.id).status == "exported"
    parts.training_sheets.mark_trained(sheet.id, by=ANN)
    parts.export(sheet.id)
    assert parts.training_sheets.get(sheet.id).status == "trained"
    assert len(parts.exports.find(sheet.id)) == 3
    with pytest.raises(NotFound):
        parts.exports.start(ExportRequest("ts-unknown", OPENAI), by=ANN)


@pytest.mark.parametrize("role", list(Role))
def test_producers_and_those_above_them_export_and_download(parts, role):
    sheet = approved_sheet(parts, 3)
    export = parts.export(sheet.id)
    parts.permissions.assign(ANN, "admin", by=ANN)
    parts.permissions.assign(BEN, role, by=ANN)
    acts = (
        lambda: parts.exports.start(ExportRequest(sheet.id, OPENAI), by=BEN),
        lambda: parts.exports.file_path(export.id, export.files[0].name, by=BEN),
    )
    for act in acts:
        if role in {"admin", "data_steward", "data_producer"}:
            act()
        else:
            with pytest.raises(NotPermitted, match="may not export training sheets"):
                act()


def test_only_files_of_the_export_can_be_taken(parts):
    export = parts.export(approved_sheet(parts, 3).id)
    (parts.folder / "exports" / export.id / "other.txt").write_text("x")
    for name in ("other.txt", "../../store.db", "/etc/passwd", "", ".", f"../{export.id}/{export.files[0].name}"):
        with pytest.raises(NotFound):
            parts.exports.file_path(export.id, name, by=ANN)
    with pytest.raises(NotFound):
        parts.exports.file_path("../exports", export.files[0].name, by=ANN)
    events = parts.history.of("training_sheet", export.training_sheet_id)
    assert [event.action for event in events][:2] == ["export", "close_review"], "a refused look is no download"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"shares": PartShares(80, 10, 20)}, "cannot be the parts"),
        ({"sources": ()}, "No answer source"),
        ({"seed": -1}, "seed"),
        ({"minimum_score": 1.5}, "minimum score"),
        ({"volume": "a.b.c", "folder": "../up"}, "not a folder inside"),
        ({"volume": "a.b.c", "folder": "/etc"}, "not a folder inside"),
        ({"volume": "a.b.c", "folder": "a/./b"}, "not a folder inside"),
        ({"volume": "a.b.c", "folder": "C:\\x"}, "not a folder inside"),
    ],
)
def test_what_cannot_be_asked_is_refused(parts, asked, message):
    sheet = approved_sheet(parts, 3)
    with pytest.raises(Invalid, match=message):
        parts.exports.start(ExportRequest(sheet.id, OPENAI, **asked), by=ANN)


def test_a_reopened_sheet_is_not_exported(parts):
    sheet = approved_sheet(parts, 3)
    made = parts.exports.start(ExportRequest(sheet.id, OPENAI), by=ANN)
    parts.training_sheets.move(sheet.id, "reopen", by=ANN)
    parts.work()
    failed = parts.exports.get(made.id)
    assert (failed.is_done, failed.status) == (False, "failed")
    assert "only approved" in failed.run.error
    assert not (parts.folder / "exports" / made.id).exists()


# --- one moment ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["usage", "reopened", "new", "gone"])
def test_pairs_that_change_meanwhile_end_the_export(parts, change, monkeypatch):
    sheet = approved_sheet(parts, 30, is_open=True)
    parts.change(sheet.id, 20, review_status="pending")
    close(parts, sheet)
    made = parts.exports.start(ExportRequest(sheet.id, OPENAI), by=ANN)
    weigh = PairReading.plan

    def weigh_then_change(reading, *args):
        plan = weigh(reading, *args)
        if change == "usage":
            pair = parts.pairs.find(sheet.id)[25]
            parts.pairs.set_usage([pair.id], UsageRules(reason="now"), by=ANN)
        elif change == "new":
            parts.change(sheet.id, 20, review_status="approved")
        else:
            parts.change(sheet.id, 29, review_status="pending" if change == "gone" else "edited")
        return plan

    monkeypatch.setattr(PairReading, "plan", weigh_then_change)
    parts.work()
    failed = parts.exports.get(made.id)
    assert failed.status == "failed"
    assert failed.run.error == "Pairs changed while they were exported. Start the export again."
    assert list((parts.folder / "exports").iterdir()) == []
    assert parts.training_sheets.get(sheet.id).status == "approved"
    monkeypatch.undo()
    parts.export(sheet.id)


def test_a_pair_that_is_approved_during_the_weighing_ends_the_export(parts):
    sheet = approved_sheet(parts, 5, is_open=True)
    parts.change(sheet.id, 0, review_status="pending")
    close(parts, sheet)
    reading = PairReading(parts.store, ExportRequest(sheet.id, OPENAI), label_type="x")
    with pytest.raises(ChangedByOthers):
        reading.plan(lambda done, total: parts.change(sheet.id, 0, review_status="approved"))


def test_another_sheet_may_change_meanwhile(parts, monkeypatch):
    sheet, other = approved_sheet(parts, 5), approved_sheet(parts, 5, is_open=True, name="Other")
    weigh = PairReading.plan
    monkeypatch.setattr(PairReading, "plan", lambda *args: (weigh(*args), parts.change(other.id, 1, answer="ham"))[0])
    assert parts.export(sheet.id).exported_pairs == 5


# --- long work -------------------------------------------------------------------------------------------------------


def test_a_cancelled_export_leaves_nothing(parts, monkeypatch):
    sheet = approved_sheet(parts, 50)
    reached, go_on = threading.Event(), threading.Event()
    whole = PairReading._whole_page

    def slow(*args):
        reached.set()
        go_on.wait(10)
        return whole(*args)

    monkeypatch.setattr(PairReading, "_whole_page", slow)
    made = parts.exports.start(ExportRequest(sheet.id, OPENAI), by=ANN)
    working = threading.Thread(target=parts.work)
    working.start()
    assert reached.wait(10)
    parts.permissions.assign(ANN, "admin", by=ANN)
    parts.permissions.assign(BEN, "data_producer", by=ANN)
    with pytest.raises(NotPermitted, match="began this export"):
        parts.exports.cancel(made.id, by=BEN)
    parts.exports.cancel(made.id, by=ANN)
    go_on.set()
    working.join()
    assert parts.exports.get(made.id).run.status is RunStatus.CANCELLED
    assert list((parts.folder / "exports").iterdir()) == []
    with pytest.raises(InvalidTransition):
        parts.exports.cancel(made.id, by=ANN)


def test_leftovers_are_swept_and_files_of_others_stay(parts):
    sheet = approved_sheet(parts, 3)
    kept = parts.export(sheet.id)
    home = parts.folder / "exports"
    cancelled = parts.exports.start(ExportRequest(sheet.id, OPENAI), by=ANN)
    parts.exports.cancel(cancelled.id, by=ANN)
    for name in ("export-dead.part", "export-gone", f"{cancelled.id}.part"):
        (home / name).mkdir()
        (home / name / "half.jsonl").write_text("{")
    newer = parts.export(sheet.id)
    assert {path.name for path in home.iterdir()} == {kept.id, newer.id}
    parts.training_sheets.delete(sheet.id, by=ANN)
    other = parts.export(approved_sheet(parts, 3, name="Other").id)
    assert {path.name for path in home.iterdir()} == {other.id}


def test_the_files_also_go_to_a_folder_of_the_catalog(parts):
    parts.lake.put_files("demo.acme.exchange", {"readme.txt": b"x"})
    sheet_id = parts.make_sheet(5, tags=("CONFIDENTIAL",))
    label(parts, sheet_id, range(5))
    sheet = close(parts, generate(parts, sheet_id))
    export = parts.export(sheet.id, volume="demo.acme.exchange", folder="tuning/mails")
    found = [path for path in parts.lake.file_paths("demo.acme.exchange") if path != "readme.txt"]
    names = sorted([export.files[0].name, export.manifest_name])
    assert found == [f"tuning/mails/{export.id}/{name}" for name in names]
    assert parts.lake.read_file("demo.acme.exchange", found[0]).decode() == parts.read(export) or "manifest" in found[0]
    assert "CONFIDENTIAL" in parts.lake.entry("demo.acme.exchange").tags
    for volume, entry in (
        ("demo.acme.mails", None),
        ("demo.acme.shown", TableEntry("demo.acme.shown", "volume", is_demo=True)),
    ):
        if entry:
            parts.lake.put_files(volume, {"a.txt": b"x"}, entry=entry)
        with pytest.raises(Invalid, match=r"table|demo data"):
            parts.exports.start(ExportRequest(sheet.id, OPENAI, volume=volume), by=ANN)
    with pytest.raises(NotFound):
        parts.exports.start(ExportRequest(sheet.id, OPENAI, volume="demo.acme.missing"), by=ANN)
