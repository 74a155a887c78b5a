"""Deciding about many pairs: chosen, previewed, done, undone and done again."""

from __future__ import annotations

import pytest

from tests.pages.conftest import ANN, work
from tests.pages.label_parts import clean, plainly, select, tiles
from tests.review_data import mails, training_sheet
from workbench_core.pairs import Decision, PairFilter, QualityFlag, ReviewStatus

BEN = "ben@example.com"


@pytest.fixture
def sheet(workbench, tmp_path):
    return training_sheet(workbench, mails(workbench, tmp_path))


@pytest.fixture
def desk(open_page, sheet):
    """Open the list of pairs."""

    def open_(**query):
        return open_page("label", **{"sheet": sheet.id, "view": "list", **query})

    return open_


def toasts(page):
    return [clean(toast.value) for toast in page.toast]


def test_selected_pairs_are_approved_after_a_preview_and_undone_in_one_step(desk, workbench, grids, sheet):
    """TS-10"""
    page = select(desk(), grids, *workbench.pairs.queue(sheet.id)[:5])
    assert "**5 selected**" in [text.value for text in page.markdown]
    page.button(key="label_bulk_approve").click().run()
    assert "**5 pairs** of 5 will be approved." in plainly(page.markdown)
    assert ":material/bookmark_added: 5 new canonical labels" in plainly(page.markdown)
    assert tiles(page)["Approved"] == "0", "nothing happens before the second button"
    assert page.button(key="label_do_approve").label == "Approve 5 pairs"
    page.button(key="label_do_approve").click().run()
    assert tiles(page)["Approved"] == "5"
    assert "5 pairs approved." in toasts(page)
    assert page.button(key="label_undo").label == "Undo approve of 5 pairs"
    page.button(key="label_undo").click().run()
    assert tiles(page)["Approved"] == "0"
    assert "Undone: approve of 5 pairs." in toasts(page)
    assert page.button(key="label_redo").label == "Redo approve of 5 pairs"
    page.button(key="label_redo").click().run()
    assert tiles(page)["Approved"] == "5"
    assert "Done again: approve of 5 pairs." in toasts(page)


def test_undo_and_redo_work_after_a_reload_and_are_one_persons_own(desk, workbench, sheet):
    pair = workbench.pairs.queue(sheet.id)[0]
    workbench.pairs.decide([Decision(pair.id, "reject", pair.row_version)], by=ANN)
    page = desk(user=BEN)
    assert page.button(key="label_undo").disabled
    assert page.button(key="label_undo").help == "There is no decision of yours to undo."
    page = desk()
    assert clean(page.button(key="label_undo").label) == f"Undo reject of item {pair.item_ref}"
    page.button(key="label_undo").click().run()
    page = desk()
    assert clean(page.button(key="label_redo").label) == f"Redo reject of item {pair.item_ref}"


def test_undo_is_refused_when_somebody_changed_the_pair_since(desk, workbench, sheet):
    pair = workbench.pairs.queue(sheet.id)[0]
    workbench.pairs.decide([Decision(pair.id, "reject", pair.row_version)], by=ANN)
    page = desk()
    workbench.pairs.decide([Decision(pair.id, "reopen", pair.row_version + 1)], by=BEN)
    page.button(key="label_undo").click().run()
    assert BEN in plainly(page.error)[0]
    assert workbench.pairs.get(pair.id).review_status is ReviewStatus.PENDING


def test_everything_that_matches_is_chosen_on_purpose(desk, workbench, sheet):
    """TS-10: pair ids or “all matching filter”."""
    page = desk(find="prize")
    assert page.button(key="label_bulk_reject").help == "Select pairs first, or choose all that match."
    page.toggle(key=f"label_all_{sheet.id}").set_value(True).run()
    assert "**all 3 selected**" in [text.value for text in page.markdown]
    page.button(key="label_bulk_reject").click().run()
    page.button(key="label_do_reject").click().run()
    rejected = workbench.pairs.find(sheet.id, PairFilter(statuses=(ReviewStatus.REJECTED,)))
    assert len(rejected) == 3 and all("prize" in pair.variables["subject"] for pair in rejected)
    page = desk()
    assert not page.toggle(key=f"label_all_{sheet.id}").value, "the next decision begins with nothing chosen"


def test_the_preview_counts_what_stays_and_says_why(desk, workbench, grids, sheet):
    first, second, third = workbench.pairs.queue(sheet.id)[:3]
    page = select(desk(show="all"), grids, first, second, third)
    workbench.pairs.decide([Decision(first.id, "reject", first.row_version)], by=BEN)
    workbench.pairs.decide([Decision(second.id, "approve", second.row_version)], by=BEN)
    page.button(key="label_bulk_approve").click().run()
    said = "\n".join(plainly(page.markdown))
    assert "**1 pair** of 3 will be approved." in said
    assert "1: The pair is rejected and cannot be approved." in said
    assert "1: The pair is approved already." in said
    page.button(key="label_do_approve").click().run()
    assert "1 pair approved, 2 left as they are." in toasts(page)
    assert "The pair is approved already." in plainly(page.warning)[0]
    assert workbench.pairs.get(first.id).review_status is ReviewStatus.REJECTED


def test_what_somebody_changes_after_the_preview_is_left_alone(desk, workbench, grids, sheet):
    first, second = workbench.pairs.queue(sheet.id)[:2]
    page = select(desk(show="all"), grids, first, second)
    page.button(key="label_bulk_reopen").click().run()
    assert page.button(key="label_do_reopen").disabled
    assert page.button(key="label_do_reopen").help == "Nothing would change."


def test_flagging_needs_a_reason_and_adds_flags(desk, workbench, grids, sheet):
    """TS-9: flag needs a reason."""
    chosen = workbench.pairs.queue(sheet.id)[:2]
    page = select(desk(), grids, *chosen)
    page.button(key="label_bulk_flag").click().run()
    button = page.button(key="label_do_flag")
    assert (button.disabled, button.help) == (True, "Say what needs a second look.")
    page.text_input(key=f"label_flag_{sheet.id}_note").input("not a mail").run()
    page.button_group(key=f"label_flag_{sheet.id}_flags").set_value([QualityFlag.INCORRECT]).run()
    page.button(key="label_do_flag").click().run()
    assert tiles(page)["Flagged"] == "2"
    flagged = workbench.pairs.get(chosen[0].id)
    assert (flagged.review_note, flagged.quality_flags) == ("not a mail", (QualityFlag.INCORRECT,))


def test_quality_flags_are_set_without_touching_the_review(desk, workbench, grids, sheet):
    pair = workbench.pairs.queue(sheet.id)[0]
    page = select(desk(), grids, pair)
    page.button(key="label_bulk_set_flags").click().run()
    page.button_group(key=f"label_set_flags_{sheet.id}_flags").set_value([QualityFlag.PII]).run()
    page.button(key="label_do_set_flags").click().run()
    changed = workbench.pairs.get(pair.id)
    assert (changed.quality_flags, changed.review_status) == ((QualityFlag.PII,), ReviewStatus.PENDING)
    assert grids.rows("label_grid").loc[pair.id, "Quality flags"] == "PII"


def test_reopened_pairs_wait_again(desk, workbench, grids, sheet):
    pair = workbench.pairs.queue(sheet.id)[0]
    workbench.pairs.decide([Decision(pair.id, "reject", pair.row_version)], by=BEN)
    page = select(desk(show="rejected"), grids, pair)
    page.button(key="label_bulk_reopen").click().run()
    page.button(key="label_do_reopen").click().run()
    assert tiles(page)["Pending"] == "12"


def test_another_canonical_label_is_replaced_only_on_purpose(desk, open_page, workbench, grids, sheet):
    """TS-9: in bulk, a pair whose item has another label is left out unless the person says so."""
    pair = workbench.pairs.queue(sheet.id)[0]
    other = training_sheet(workbench, sheet.sheet_id, name="Second", user_prompt="{{ subject }}")
    twin = next(one for one in workbench.pairs.queue(other.id) if one.item_ref == pair.item_ref)
    workbench.pairs.decide([Decision(twin.id, "edit", twin.row_version, answer="ham")], by=BEN)
    page = select(desk(), grids, pair)
    page.button(key="label_bulk_approve").click().run()
    assert page.button(key="label_do_approve").disabled
    page.checkbox(key=f"label_approve_{sheet.id}_replace").check().run()
    assert any("1 canonical label replaced" in said for said in plainly(page.markdown))
    page.button(key="label_do_approve").click().run()
    assert tiles(page)["Approved"] == "1"


def test_usage_is_set_with_a_preset_and_keeps_the_review(desk, workbench, grids, sheet):
    """TS-12, INV-5: usage and quality are two gates."""
    pair = workbench.pairs.queue(sheet.id)[0]
    workbench.pairs.decide([Decision(pair.id, "approve", pair.row_version)], by=ANN)
    page = select(desk(show="approved"), grids, pair)
    page.button(key="label_bulk_set_usage").click().run()
    assert page.button(key="label_do_set_usage").help == "Say why these uses."
    page.selectbox(key=f"label_set_usage_{sheet.id}_preset").select("personal_data").run()
    page.text_input(key=f"label_set_usage_{sheet.id}_reason").input("names of customers").run()
    page.button(key="label_do_set_usage").click().run()
    changed = workbench.pairs.get(pair.id)
    assert changed.usage.summary() == "Training prohibited: names of customers"
    assert changed.review_status is ReviewStatus.APPROVED


@pytest.mark.parametrize("role", ["data_consumer", "labeler", "data_producer"])
def test_who_may_not_review_reads_why(desk, workbench, sheet, role):
    workbench.permissions.assign(BEN, role, by=ANN)
    page = desk(user=BEN)
    page.toggle(key=f"label_all_{sheet.id}").set_value(True).run()
    for action in ("approve", "reject", "flag", "reopen", "set_flags"):
        assert (
            page.button(key=f"label_bulk_{action}").help
            == f"Your role, {role.replace('_', ' ')}, may not review pairs."
        )
    assert "may not change usage rules" in page.button(key="label_bulk_set_usage").help


def test_very_many_are_worked_on_by_a_run_that_can_be_stopped_and_resumed(desk, workbench, sheet, monkeypatch):
    """TS-10"""
    for module in ("bulk", "bulk_preview", "bulk_work"):
        monkeypatch.setattr(f"workbench_core.pairs.{module}.LARGE", 4)
    page = desk()
    page.toggle(key=f"label_all_{sheet.id}").set_value(True).run()
    page.button(key="label_bulk_reject").click().run()
    assert any("worked on in the background" in said for said in plainly(page.caption))
    page.button(key="label_do_reject").click().run()
    run = workbench.pairs.bulk_run(sheet.id)
    assert "Reject 12 pairs: it has started." in toasts(page)
    page.button(key=f"label_cancel_{run.id}").click().run()
    work(workbench)
    page.run()
    page.button(key=f"label_resume_{run.id}").click().run()
    work(workbench)
    page.run()
    assert tiles(page)["Rejected"] == "12"
    assert page.button(key="label_undo").label == "Undo reject of 12 pairs"
