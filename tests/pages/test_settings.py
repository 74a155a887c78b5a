"""The Settings page: demo data in one click, readiness of the parts, roles, configuration without secrets."""

from __future__ import annotations

import pytest

from tests.core.generation_parts import RuleModel
from tests.pages.conftest import ANN, labels
from workbench_core.permissions import Role
from workbench_core.ports import Availability, TokenPrice

LEA = "lea@example.com"


def shown(page) -> str:
    kinds = ("markdown", "caption", "text", "warning", "error", "subheader", "title")
    parts = [str(element.value) for kind in kinds for element in getattr(page, kind)]
    return " ".join(parts).replace("\\", "").replace("\u2060", "")


def press(page, key):
    page.button(key=key).click().run()
    assert not page.exception, page.exception[0].message
    return page


def table(page, column):
    return next(list(frame.value[column]) for frame in page.dataframe if column in frame.value)


# --- demo data -------------------------------------------------------------------------------------------------------


def test_the_demo_data_is_loaded_and_removed_in_one_click(workbench, open_page):
    page = open_page("settings")
    assert "The demo data is not loaded" in shown(page)
    press(page, "settings_load")
    assert "The demo data is loaded" in shown(page)
    assert "5 sheets, 3 prompt templates, 3 label sets, 14 quality rules" in shown(page)
    assert len(workbench.sheets.find()) == 5
    press(page, "settings_remove")
    assert "The demo data is not loaded" in shown(page)
    assert workbench.sheets.find() == []


def test_before_a_removal_the_page_says_what_goes(workbench, open_page):
    workbench.demo.load(by=ANN)
    text = shown(open_page("settings"))
    assert "- 5 sheets\n- 3 prompt templates\n- 3 label sets\n- 14 quality rules" in text
    assert "Your own tables, sheets, labels and models stay" in text


def test_every_source_is_named_with_its_licence(workbench, open_page):
    page = open_page("settings")
    text = shown(page)
    links = {element.proto.url for element in page.get("link_button")}
    for source in workbench.demo.sources():
        assert source.title in text
        assert source.source in text
        assert source.licence_url in links


def test_without_the_right_the_demo_buttons_are_disabled_with_the_reason(workbench, open_page):
    workbench.permissions.assign(LEA, "labeler", by=ANN)
    button = open_page("settings", user=LEA).button(key="settings_load")
    assert button.disabled
    assert "may not change settings" in button.help


# --- parts -----------------------------------------------------------------------------------------------------------


def with_models(workbench, *models):
    """These language models in place of the installed one."""
    workbench.__dict__["language_models"] = models
    return models[0]


@pytest.fixture
def model(workbench):
    """A language model that answers at once."""
    return with_models(workbench, RuleModel(rule=lambda question: "Paris"))


def test_every_part_shows_whether_it_is_ready(workbench, model, open_page):
    text = shown(open_page("settings", view="parts"))
    for part in workbench.installation.parts():
        assert part.title in text
    assert str(workbench.settings.home / "lake") in text


def test_a_part_that_is_not_ready_says_why_and_what_to_do(workbench, open_page):
    with_models(workbench, RuleModel(reason="The weights are not installed."))
    page = open_page("settings", view="parts")
    assert "The weights are not installed." in shown(page)
    assert page.button(key="settings_ask_rule-model").disabled


def test_the_language_model_is_asked_a_real_question(model, open_page):
    page = press(open_page("settings", view="parts"), "settings_ask_rule-model")
    assert "Paris" in [element.value for element in page.text]
    assert model.asked == ["test"]


def test_every_model_is_listed_and_asked_by_its_own_button(workbench, open_page):
    """The answer comes from that model, each time anew."""
    price = TokenPrice(0.15, 0.6, "EUR")
    first = RuleModel(rule=lambda question: "Paris", name="big", title="Big one")
    second = RuleModel(rule=lambda question: "Rome", name="small", title="Small one", price=price)
    with_models(workbench, first, second)
    page = open_page("settings", view="parts")
    assert "Language model: Small one" in shown(page)
    assert "Price: 0.15 in, 0.6 out, EUR per million tokens" in shown(page)
    for _ in range(2):
        press(page, "settings_ask_small")
        assert "Rome" in [element.value for element in page.text]
    assert (first.asked, second.asked) == ([], ["test", "test"])


def test_a_model_that_fails_shows_its_error(workbench, open_page):
    with_models(workbench, RuleModel(failing=frozenset({"test"})))
    page = press(open_page("settings", view="parts"), "settings_ask_rule-model")
    assert "The model refused this item." in shown(page)


# --- roles -----------------------------------------------------------------------------------------------------------


def give(page, person, role):
    page.text_input[0].set_value(person)
    page.selectbox[0].set_value(role)
    next(button for button in page.button if button.label == "Assign").click()
    page.run()
    assert not page.exception
    return page


def test_a_role_is_given_and_listed(workbench, open_page):
    page = open_page("settings", view="roles")
    assert "Nobody has a role of their own; everybody is: Admin" in shown(page)
    give(page, LEA, Role.LABELER)
    assert workbench.permissions.role_of(LEA) is Role.LABELER
    assert table(page, "Person") == [LEA]
    assert table(page, "Role") == ["Labeler"]


def test_a_missing_person_is_told(open_page):
    assert "The person is missing." in shown(give(open_page("settings", view="roles"), " ", Role.LABELER))


def test_the_matrix_shows_what_each_role_may_do(open_page):
    frame = next(f.value for f in open_page("settings", view="roles").dataframe if "Labeler" in f.value)
    assert not frame.loc["Train models", "Labeler"]
    assert frame.loc["Answer pairs", "Labeler"]
    assert frame["Admin"].all()


def test_without_the_right_roles_cannot_be_given(workbench, open_page):
    workbench.permissions.assign(LEA, "data_steward", by=ANN)
    page = open_page("settings", user=LEA, view="roles")
    assert next(button for button in page.button if button.label == "Assign").disabled
    assert "may not change settings" in shown(page)
    assert workbench.permissions.role_of(LEA) is Role.DATA_STEWARD


# --- configuration ---------------------------------------------------------------------------------------------------


def test_variables_are_shown_without_secrets(workbench, open_page, monkeypatch):
    monkeypatch.setenv("WORKBENCH_MODEL_KEY", "s3cret")
    monkeypatch.setenv("WORKBENCH_STORE_URL", "postgresql://ann:s3cret@db/work")
    page = open_page("settings", view="configuration")
    values = dict(zip(table(page, "Variable"), table(page, "Present value"), strict=True))
    assert values["WORKBENCH_MODEL_KEY"] == "set"
    assert values["WORKBENCH_STORE_URL"] == "postgresql://ann:…@db/work"
    assert "streamlit" in table(page, "Package")
    assert labels(page.button) == []


def test_the_reason_of_an_availability_is_a_sentence(workbench):
    for part in workbench.installation.parts():
        assert part.availability == Availability(True) or part.availability.reason.endswith(".")
