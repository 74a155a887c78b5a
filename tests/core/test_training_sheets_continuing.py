"""Going on with a training sheet whose sheet, source or model changed meanwhile: refused before anything is lost."""

from __future__ import annotations

import csv
import threading

import pytest

from tests.core.generation_parts import ANN, SOURCE, Parts, RuleModel, subject
from tests.core.generation_steps import AI, approve_all, generate, request, wait_for
from workbench_core.errors import BackendError, Conflict, NotFound
from workbench_core.ports import TableEntry
from workbench_core.sheets import SheetDraft
from workbench_core.training_sheets import LIFECYCLE, TrainingSheetStatus


@pytest.fixture
def parts(tmp_path, clock):
    made = Parts(tmp_path, clock=clock)
    yield made
    made.store.close()


def stopped(parts, count=200, *, how="pause"):
    """A generation that somebody paused or cancelled after its first pairs; its sheet and itself."""
    parts.model.seconds = 0.005
    sheet_id = parts.make_sheet(count)
    made = parts.training_sheets.generate(request(parts, sheet_id, source=AI), by=ANN)
    working = threading.Thread(target=parts.work)
    working.start()
    wait_for(lambda: parts.pairs.count(made.id) > 0)
    getattr(parts.training_sheets, how)(made.id, by=ANN)
    working.join()
    parts.model.seconds = 0.0
    return sheet_id, made.id


def change(parts, sheet_id, **changes):
    """Take a sheet out of use, change it, and publish it again: it cannot be unpublished while a generation waits."""
    parts.sheets.move(sheet_id, "archive", by=ANN)
    parts.sheets.move(sheet_id, "restore", by=ANN)
    sheet = parts.sheets.get(sheet_id)
    values = {
        "name": "Mails", "source": SOURCE, "item_id_column": "mail_id", "metadata_columns": ("subject", "verdict"),
    }  # fmt: skip
    parts.sheets.update(
        sheet_id, SheetDraft(**(values | changes)), by=ANN, row_version=sheet.row_version, confirmed=True
    )
    parts.sheets.move(sheet_id, "publish", by=ANN)


def put_table(parts, columns, count):
    """Another table in the place of the mails."""
    file = parts.folder / "other.csv"
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows([f"m{item:05d}", subject(item)] for item in range(count))
    parts.lake.drop(SOURCE)
    parts.lake.put_table(SOURCE, file, original_name="other.csv", entry=TableEntry(SOURCE, "table"))


# --- resuming --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["pause", "cancel"])
@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"filter": "verdict = 'spam'"}, "The filter of the sheet “Mails” changed"),
        ({"sample_size": 100}, "The sampling of the sheet “Mails” changed"),
        ({"filter": "verdict = 'ham'", "sample_size": 50}, "The filter and sampling of the sheet “Mails” changed"),
    ],
)
def test_a_generation_is_not_resumed_over_other_items_than_it_was_begun_with(parts, how, changes, what):
    """INV-4: what pairs depend on is frozen."""
    sheet_id, made = stopped(parts, how=how)
    stage, kept = parts.training_sheets.get(made).stage, parts.pairs.count(made)
    change(parts, sheet_id, **changes)
    with pytest.raises(Conflict, match=what):
        parts.training_sheets.resume(made, by=ANN)
    assert (parts.training_sheets.get(made).stage, parts.pairs.count(made)) == (stage, kept)
    assert not parts.runs.find(active_only=True)
    change(parts, sheet_id)
    parts.training_sheets.resume(made, by=ANN)
    parts.work()
    assert parts.training_sheets.get(made).counts.total == 200


def test_a_sheet_that_changed_only_its_name_or_roles_does_not_keep_a_generation_from_going_on(parts):
    sheet_id, made = stopped(parts)
    change(parts, sheet_id, name="Post", metadata_columns=("subject",), text_columns=("verdict",))
    parts.training_sheets.resume(made, by=ANN)
    parts.work()
    assert parts.training_sheets.get(made).counts.total == 200


@pytest.mark.parametrize(
    ("how", "action", "sentence"),
    [
        ("cancel", "unpublish", "“Mails” is draft: nothing is generated from it"),
        ("cancel", "archive", "“Mails” is archived: nothing is generated from it"),
        ("pause", "archive", "“Mails” is archived: nothing is generated from it"),
    ],
)
def test_nothing_is_generated_from_a_sheet_that_is_no_longer_published(parts, how, action, sentence):
    sheet_id, made = stopped(parts, how=how)
    stage = parts.training_sheets.get(made).stage
    parts.sheets.move(sheet_id, action, by=ANN)
    with pytest.raises(Conflict, match=sentence):
        parts.training_sheets.resume(made, by=ANN)
    assert parts.training_sheets.get(made).stage == stage


def test_a_generation_that_waits_for_a_worker_fails_when_its_sheet_is_archived_meanwhile(parts):
    sheet_id = parts.make_sheet(5)
    made = parts.training_sheets.generate(request(parts, sheet_id), by=ANN)
    parts.sheets.move(sheet_id, "archive", by=ANN)
    parts.work()
    failed = parts.training_sheets.get(made.id)
    assert (failed.status, failed.counts.total) == (TrainingSheetStatus.FAILED, 0)
    assert failed.error == (
        "The sheet “Mails” is archived: nothing is generated from it. First restore and publish it."
    )
    for action in ("restore", "publish"):
        parts.sheets.move(sheet_id, action, by=ANN)
    parts.training_sheets.resume(made.id, by=ANN)
    parts.work()
    assert parts.training_sheets.get(made.id).counts.total == 5


# --- appending -------------------------------------------------------------------------------------------------------


def reviewed(parts, count=5, **changes):
    """A training sheet in review whose source has gained three items."""
    sheet_id = parts.make_sheet(count)
    made = generate(parts, sheet_id, **changes)
    approve_all(parts, made.id)
    parts.put_mails(range(count + 3))
    return sheet_id, made.id


def is_as_reviewed(parts, training_sheet_id, count=5):
    """Whether it is in review as before, and can be closed."""
    training_sheet = parts.training_sheets.get(training_sheet_id)
    assert (training_sheet.status, training_sheet.counts.labelled) == (TrainingSheetStatus.REVIEW, count)
    assert "close_review" in training_sheet.actions
    return training_sheet


def test_appending_is_refused_before_the_review_is_touched_when_a_column_is_gone(parts):
    _, made = reviewed(parts)
    put_table(parts, ["mail_id", "title"], 9)
    with pytest.raises(Conflict, match="“Mails” has no column subject any more"):
        parts.training_sheets.append_new(made, by=ANN)
    is_as_reviewed(parts, made)


def test_appending_is_refused_before_the_review_is_touched_when_the_sheet_is_archived(parts):
    sheet_id, made = reviewed(parts)
    parts.sheets.move(sheet_id, "archive", by=ANN)
    with pytest.raises(Conflict, match="“Mails” is archived: nothing is generated from it"):
        parts.training_sheets.append_new(made, by=ANN)
    is_as_reviewed(parts, made)


def test_appending_is_refused_before_the_review_is_touched_when_the_limit_or_the_model_is_gone(parts):
    _, made = reviewed(parts, source=AI, call_limit=5)
    with pytest.raises(Conflict, match="The limit of 5 calls is used up"):
        parts.training_sheets.append_new(made, by=ANN)
    parts.store.execute("UPDATE training_sheets SET call_limit = NULL", touches="training_sheets")
    models, parts.chat_models._models = parts.chat_models._models, [RuleModel(name="another")]
    with pytest.raises(NotFound, match="rule-model"):
        parts.training_sheets.append_new(made, by=ANN)
    parts.chat_models._models = models
    is_as_reviewed(parts, made)


def test_appending_takes_the_items_that_the_sheet_has_now(parts):
    sheet_id, made = reviewed(parts)
    change(parts, sheet_id, filter="mail_id <> 'm00006'")
    parts.training_sheets.append_new(made, by=ANN)
    parts.training_sheets.pause(made, by=ANN)
    parts.training_sheets.resume(made, by=ANN)  # the items are those that the appending began with
    parts.work()
    assert [pair.item_ref for pair in parts.pairs.find(made)][5:] == ["m00005", "m00007"]


def test_cancelling_an_appending_leads_back_to_the_review(parts):
    _, made = reviewed(parts)
    parts.training_sheets.append_new(made, by=ANN)
    cancelled = parts.training_sheets.cancel(made, by=ANN)
    assert cancelled.error == f"Cancelled by {ANN}; 0 of 3 new items were added"
    assert cancelled.selected_items == 5
    is_as_reviewed(parts, made)
    assert parts.training_sheets.new_items(made) == 3
    parts.training_sheets.append_new(made, by=ANN)
    assert parts.training_sheets.get(made).error == ""
    parts.training_sheets.pause(made, by=ANN)
    parts.training_sheets.cancel(made, by=ANN)
    is_as_reviewed(parts, made)
    parts.training_sheets.append_new(made, by=ANN)
    parts.work()
    assert parts.training_sheets.get(made).counts.total == 8
    actions = [event.action for event in parts.history.of("training_sheet", made)]
    assert actions.count("cancel_append") == 2


def test_an_appending_that_fails_keeps_what_it_added_and_leads_back_to_the_review_with_its_error(parts):
    parts.model.unreachable, parts.model.after = BackendError("The model is gone.", hint=""), 6
    _, made = reviewed(parts, source=AI)
    parts.training_sheets.append_new(made, by=ANN)
    parts.work()
    failed = is_as_reviewed(parts, made)
    assert failed.error == "The model is gone."
    assert failed.counts.total == failed.selected_items
    assert 5 <= failed.counts.total < 8
    parts.model.unreachable = None
    parts.training_sheets.append_new(made, by=ANN)
    parts.work()
    grown = parts.training_sheets.get(made)
    assert (grown.counts.total, grown.error) == (8, "")


def test_the_ends_of_an_appending_stand_in_the_table_of_states_and_are_no_buttons(parts):
    assert LIFECYCLE.table["cancel_append"][1] == LIFECYCLE.table["fail_append"][1] == TrainingSheetStatus.REVIEW
    made = parts.training_sheets.generate(request(parts, parts.make_sheet(2)), by=ANN)
    assert made.actions == ("pause", "cancel")
    assert parts.training_sheets.cancel(made.id, by=ANN).status is TrainingSheetStatus.FAILED
