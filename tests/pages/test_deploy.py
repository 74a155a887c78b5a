"""The Deploy page: deploy, ask and rate, share traffic, roll back, stop; serving is a double that answers at once."""

from __future__ import annotations

import pytest

from tests.core.serving_double import MemoryServing, MemoryTracker, add_version
from tests.pages.conftest import ANN, labels
from workbench_core.feedback import Rating
from workbench_core.permissions import Role
from workbench_core.sheets import SheetDraft

NAME = "mail-classifier"
CLEO = "cleo@example.com"


@pytest.fixture
def served(workbench, tmp_path):
    """A workbench with three versions of one model and a serving that answers at once."""
    workbench.__dict__["serving"] = MemoryServing(workbench.clock)
    workbench.__dict__["tracker"] = MemoryTracker()
    file = tmp_path / "mails.csv"
    file.write_text("mail_id,subject,body\nm1,Win now,Free *money*\nm2,Lunch,At noon?\n")
    workbench.lake.put_table("main.office.mails", file, original_name="mails.csv")
    draft = SheetDraft("Mails", "main.office.mails", "mail_id", metadata_columns=("subject", "body"))
    sheet = workbench.sheets.create(draft, by=ANN)
    for version in (1, 2, 3):
        add_version(workbench.store, workbench.prompt_templates, sheet, version)
    return workbench


@pytest.fixture
def endpoint(served):
    return served.endpoints.deploy("mail-classifier", 1, by=ANN)


def shown(page) -> str:
    kinds = ("markdown", "caption", "text", "warning", "error", "subheader", "title")
    return " ".join(element.value for kind in kinds for element in getattr(page, kind)).replace("\\", "")


def press(page, key):
    page.button(key=key).click().run()
    assert not page.exception and not page.error, [one.value for one in page.error]
    return page


def field(page, kind, label):
    return next(element for element in getattr(page, kind) if element.label == label)


def test_without_models_the_page_points_to_training(workbench, open_page):
    page = open_page("deploy")
    assert "No model version yet" in shown(page)


def test_the_first_deployment_opens_its_endpoint(served, open_page):
    page = press(open_page("deploy"), "deploy_new")
    assert "is not evaluated" in shown(page)
    press(page, "deploy_go")
    assert "mail-classifier" in shown(page)
    made = served.endpoints.get(NAME)
    assert made.served[0].version == 3  # the newest is offered first
    assert served.endpoints.history(NAME)[0].by == ANN


def test_a_link_fills_the_form(served, open_page, endpoint):
    page = open_page("deploy", model="mail-classifier", version="2")
    assert field(page, "selectbox", "Version").value == 2
    field(page, "number_input", "Traffic in percent").set_value(10).run()
    field(page, "text_input", "Reason").set_value("try it").run()
    press(page, "deploy_go")
    assert served.endpoints.get(NAME).traffic == "v1 90 %, v2 10 %"
    assert served.endpoints.history(NAME)[0].reason == "try it"


@pytest.mark.parametrize("version", ["9", "none", "-1"])
def test_a_link_to_nowhere_still_offers_the_form(served, open_page, version):
    page = open_page("deploy", model="mail-classifier", version=version)
    assert field(page, "selectbox", "Version").value == 3


def test_a_deployment_that_fails_says_why_and_the_old_version_stays(served, open_page, endpoint):
    served.serving.broken.add(2)
    page = open_page("deploy", model="mail-classifier", version="2")
    page.button(key="deploy_go").click().run()
    assert "weights are missing" in page.error[0].value
    page = open_page("deploy", endpoint=NAME)
    assert "The last change failed" in shown(page)
    assert served.endpoints.get(NAME).traffic == "v1"


def test_the_list_shows_what_serving_says(served, open_page, endpoint):
    served.serving.forget(NAME)
    line = open_page("deploy").dataframe[0].value.to_dict("records")[0]
    assert (line["Endpoint"], line["State"], line["Serves"]) == (NAME, "Failed", "nothing")


def test_an_endpoint_that_is_getting_ready_says_so(served, open_page, endpoint):
    served.serving.loading.add(NAME)
    assert "Serving is getting ready" in shown(open_page("deploy", endpoint=NAME))
    assert "Serving is getting ready" in shown(open_page("deploy"))


def test_a_sheet_row_is_asked_and_rated_with_its_item(served, open_page, endpoint):
    page = open_page("deploy", endpoint=NAME)
    page.button(key=f"deploy_{NAME}_ask").click().run()
    assert "The request is empty" in page.error[0].value
    press(page, f"deploy_{NAME}_fill")
    assert [area.value for area in page.text_area] == ["Win now", "Free *money*"]
    press(page, f"deploy_{NAME}_ask")
    assert "ham" in shown(page) and "v1 · confidence 90.0 %" in shown(page)
    field(page, "selectbox", "Right answer").set_value("spam").run()
    press(page, f"deploy_{NAME}_bad")
    item = served.feedback.find()[0]
    assert (item.rating, item.correction, item.item_ref, item.created_by) == (Rating.NEGATIVE, "spam", "m1", ANN)
    assert "the right answer is “spam”" in shown(page)
    press(page, f"deploy_{NAME}_good")
    assert [one.rating for one in served.feedback.find()] == [Rating.POSITIVE]


def test_a_changed_row_is_no_longer_that_item(served, open_page, endpoint):
    page = press(open_page("deploy", endpoint=NAME), f"deploy_{NAME}_fill")
    page.text_area[0].set_value("Something else").run()
    press(page, f"deploy_{NAME}_ask")
    press(page, f"deploy_{NAME}_good")
    assert served.feedback.find()[0].item_ref == ""


def test_a_row_behind_the_last_one_is_told(served, open_page, endpoint):
    page = open_page("deploy", endpoint=NAME)
    field(page, "number_input", "Sheet row").set_value(3).run()
    page.button(key=f"deploy_{NAME}_fill").click().run()
    assert "no row 3" in page.warning[0].value


def test_traffic_is_shared_only_when_it_adds_up(served, open_page, endpoint):
    page = open_page("deploy", endpoint=NAME, tab="traffic")
    field(page, "number_input", "v1 in percent").set_value(70).run()
    assert "must add up to 100" in shown(page)
    page.button(key="deploy_traffic").click().run()
    assert "The shares add up to 70 %" in page.error[0].value
    field(page, "number_input", "v2 in percent").set_value(30).run()
    press(page, "deploy_traffic")
    assert served.endpoints.get(NAME).traffic == "v1 70 %, v2 30 %"


def test_one_click_rolls_back_and_the_history_shows_it(served, open_page, endpoint):
    served.endpoints.deploy("mail-classifier", 2, by=ANN)
    page = open_page("deploy", endpoint=NAME, tab="history")
    assert "Roll back to v1" in labels(page.button)
    page.text_input(key="deploy_rollback_reason").set_value("more errors").run()
    press(page, "deploy_rollback")
    assert served.endpoints.get(NAME).traffic == "v1"
    change = served.endpoints.history(NAME)[0]
    assert (change.action, change.reason) == ("rollback", "more errors")
    assert "**Rollback**" in shown(page) and "v2 → v1" in shown(page)


def test_every_earlier_version_can_be_chosen_once(served, open_page, endpoint):
    for version in (2, 3):
        served.endpoints.deploy("mail-classifier", version, by=ANN)
    page = open_page("deploy", endpoint=NAME, tab="history")
    assert sorted(label for label in labels(page.button) if label.startswith("Roll back")) == [
        "Roll back to v1", "Roll back to v2", "Roll back to v2",
    ]  # fmt: skip
    first = served.endpoints.history(NAME)[-1]
    press(page, f"deploy_back_to_{first.id}")
    assert served.endpoints.get(NAME).traffic == "v1"


def test_stopping_asks_for_the_name(served, open_page, endpoint):
    page = open_page("deploy", endpoint=NAME)
    assert page.button(key="deploy_stop").disabled
    field(page, "text_input", f"Type {NAME.replace('-', chr(92) + '-')} to confirm").set_value(NAME).run()
    press(page, "deploy_stop")
    assert served.endpoints.get(NAME).is_stopped
    assert "Deploy a version to start it again" in shown(open_page("deploy", endpoint=NAME))


def test_an_unknown_endpoint_is_a_calm_sentence(served, open_page):
    assert "no endpoint “nothing”" in open_page("deploy", endpoint="nothing").warning[0].value


def test_a_consumer_may_ask_but_not_change(served, open_page, endpoint):
    served.permissions.assign(CLEO, Role.DATA_CONSUMER, by=ANN)
    served.endpoints.deploy("mail-classifier", 2, by=ANN)
    page = open_page("deploy", user=CLEO, endpoint=NAME)
    assert page.button(key="deploy_another").disabled
    press(page, f"deploy_{NAME}_fill")
    assert not page.button(key=f"deploy_{NAME}_ask").disabled
    assert open_page("deploy", user=CLEO, endpoint=NAME, tab="history").button(key="deploy_rollback").disabled
    assert open_page("deploy", user=CLEO).button(key="deploy_new").disabled


def test_a_labeler_may_not_ask(served, open_page, endpoint):
    served.permissions.assign(CLEO, Role.LABELER, by=ANN)
    page = press(open_page("deploy", user=CLEO, endpoint=NAME), f"deploy_{NAME}_fill")
    assert page.button(key=f"deploy_{NAME}_ask").disabled
