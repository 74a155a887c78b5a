"""The Data quality page: from a sheet nobody looked at to rules, a run, and items set aside before generation."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from pages.components import quality_values as values
from tests.core.generation_parts import RuleModel
from tests.pages.conftest import ANN, labels, work
from workbench_core.data_quality import Criticality, Decision, ItemState, QueueFilter, RuleDraft, ScanOptions
from workbench_core.permissions import Role
from workbench_core.ports import ColumnRef, Join, JoinKey, JoinSource, Matches, SourceRole
from workbench_core.prompt_templates import AnswerSource, TemplateDraft
from workbench_core.runs import RunStatus
from workbench_core.sheets import SheetDraft

BEN, CLEO = "ben@example.com", "cleo@example.com"
SOURCE = "main.shop.orders"
DRAFT = SheetDraft(
    "Orders", SOURCE, "order_id", text_columns=("note",), metadata_columns=("status", "price", "email", "city")
)
HOSTILE = "**loud** [link](http://evil.example) <b>:red[x]</b>"
PRESENT = RuleDraft("is_not_null", ("email",), name="email is there")
POSITIVE = RuleDraft("is_not_less_than", ("price",), {"limit": 0}, name="price is positive")


def spoken(text: object) -> str:
    """Text without the marks that keep it plain."""
    return str(text).replace("\\", "").replace("\u2060", "")


def shown(page) -> str:
    kinds = ("markdown", "caption", "text", "warning", "error", "success", "info", "subheader", "title", "toast")
    parts = [element.value for kind in kinds for element in getattr(page, kind)]
    parts += [f"{one.label} {one.value}" for one in page.metric]
    return spoken(" ".join(map(str, parts))).replace("**", "")


def press(page, label):
    next(button for button in page.button if button.label == label).click()
    page.run()
    assert not page.exception, page.exception[0].message
    return page


def address(page, name):
    """What the address says now."""
    value = page.query_params.get(name, "")
    return value[0] if isinstance(value, list) else value


def field(page, label):
    kinds = (page.text_input, page.text_area, page.selectbox, page.multiselect, page.toggle, page.number_input)
    return next(element for kind in kinds for element in kind if element.label == label)


def popovers(page):
    """The labels of the popovers on the page."""
    return set(_popovers(page.main))


def _popovers(block):
    for child in getattr(block, "children", {}).values():
        if getattr(child, "type", "") == "popover" or getattr(getattr(child, "proto", None), "popover", None):
            yield child.proto.popover.label
        yield from _popovers(child)


def table(page, column):
    return next(list(frame.value[column]) for frame in page.dataframe if column in frame.value)


@pytest.fixture
def orders(workbench, tmp_path):
    """120 orders: 3 without an e-mail address, 2 with a negative price, one far too dear, 4 that repeat another."""
    lines = []
    for number in range(120):
        email = "" if number in {5, 6, 7} else f"p{number}@example.com"
        price = {10: -1, 11: -20, 12: 99_999}.get(number, 10 + number % 30)
        status, city = ("open", "Bern") if number % 4 else ("closed", "Basel")
        if number >= 116:
            email, price, status, city = "twin@example.com", 15, "open", "Bern"
        lines.append(f"o{number:03d},{status},{price},{email},{city},{'Call' if number >= 116 else f'Note {number}'}")
    file = tmp_path / "orders.csv"
    file.write_text("order_id,status,price,email,city,note\n" + "\n".join(lines))
    return workbench.lake.put_table(SOURCE, file, original_name="orders.csv").name


@pytest.fixture
def sheet(workbench, orders):
    return workbench.sheets.create(DRAFT, by=ANN)


@pytest.fixture
def quality(workbench):
    return workbench.data_quality


@pytest.fixture
def checked(workbench, quality, sheet):
    """The sheet with two rules and one finished run: 5 of 120 rows fail."""
    quality.save_rules(sheet.id, [PRESENT, POSITIVE], by=ANN)
    run_checks(workbench, sheet)
    return sheet


def rule_of(quality, rule):
    """The rule as it is now."""
    return next(one for one in quality.rules(rule.sheet_id) if one.id == rule.id)


def run_checks(workbench, sheet, options=None):
    workbench.data_quality.start(sheet.id, by=ANN, options=options or ScanOptions())
    work(workbench)
    return workbench.data_quality.latest(sheet.id)


# --- all sheets ------------------------------------------------------------------------------------------------------


def test_without_a_sheet_the_page_says_where_to_begin(open_page):
    assert "Make one of a table or folder first" in shown(open_page("data_quality"))


def test_sheets_are_listed_with_their_last_score_and_those_never_checked_apart(open_page, workbench, checked):
    workbench.sheets.create(replace(DRAFT, name="Later"), by=ANN)
    page = open_page("data_quality")
    assert "Sheets checked 1 of 2" in shown(page)
    assert "5 of 120 rows fail" in shown(page)
    assert "Excellent" in shown(page)
    assert table(page, "Sheet") == ["Later"]
    press(page, "Open")
    assert address(page, "sheet") == checked.id
    assert "Passed 115" in shown(page)


def test_the_search_narrows_the_sheets(open_page, workbench, checked):
    workbench.sheets.create(replace(DRAFT, name="Later"), by=ANN)
    page = open_page("data_quality", search="late")
    assert table(page, "Sheet") == ["Later"]
    assert "Open" not in labels(page.button)
    assert "No sheet matches" in shown(open_page("data_quality", search="nothing like it"))


# --- profile and suggestions (DQ-1, DQ-2) ----------------------------------------------------------------------------


def test_a_new_sheet_is_profiled_and_its_suggestions_become_rules(open_page, quality, sheet):
    page = open_page("data_quality", sheet=sheet.id)
    assert "Profile this sheet to get suggestions" in shown(page)
    assert page.button(key="quality_run").disabled
    page.button(key="quality_profile_overview").click().run()
    assert address(page, "show") == "profile"
    assert set(table(page, "Column")) == {"order_id", "status", "price", "email", "city", "note"}
    suggested = quality.suggestions(sheet.id)
    page = open_page("data_quality", sheet=sheet.id, show="profile", view="suggestions")
    assert "city is one of “Basel”, “Bern”" in spoken(" ".join(labels(page.checkbox)))
    assert "2 different values in 120 rows" in shown(page)
    ticked = sum(one.value for one in page.checkbox)
    assert 0 < ticked == sum(one.is_structural for one in suggested) < len(suggested)
    page.checkbox[0].uncheck().run()
    press(page, f"Add {ticked - 1} rules")
    assert len(quality.rules(sheet.id)) == ticked - 1
    assert address(page, "show") == "rules"
    assert not page.button(key="quality_run").disabled


def test_a_column_opens_with_its_numbers_and_the_way_to_the_next(open_page, quality, sheet):
    quality.profile(sheet.id, by=ANN)
    page = open_page("data_quality", sheet=sheet.id, show="profile", column="price")
    assert "50 % lie below" in table(page, "What")
    assert "Missing 0.0 %" in shown(page)
    press(page, "Next")
    assert address(page, "column") == "email"
    assert "Missing 2.5 %" in shown(page)
    assert "has no column" in shown(open_page("data_quality", sheet=sheet.id, show="profile", column=HOSTILE))


def test_a_sheet_that_changed_since_asks_to_be_profiled_again(open_page, workbench, quality, sheet):
    quality.profile(sheet.id, by=ANN)
    workbench.sheets.update(sheet.id, replace(DRAFT, filter="price > 0"), by=ANN, row_version=sheet.row_version)
    assert "The sheet has changed since" in shown(open_page("data_quality", sheet=sheet.id, show="profile"))


def test_a_large_sheet_is_profiled_as_long_work(open_page, workbench, quality, sheet, monkeypatch):
    monkeypatch.setattr("workbench_core.data_quality.service.INLINE_CELLS", 10)
    page = open_page("data_quality", sheet=sheet.id)
    page.button(key="quality_profile_overview").click().run()
    assert "The profile is being made" in shown(page)
    assert "Profile “Orders”" in shown(page)
    work(workbench)
    page.run()
    assert "price" in table(page, "Column")


def test_a_long_profile_is_cancelled(open_page, workbench, quality, sheet, monkeypatch):
    monkeypatch.setattr("workbench_core.data_quality.service.INLINE_CELLS", 10)
    page = open_page("data_quality", sheet=sheet.id)
    page.button(key="quality_profile_overview").click().run()
    press(page, "Cancel")
    work(workbench)
    page.run()
    assert quality.kept_profile(sheet.id) is None
    assert quality.profiling(sheet.id).status == "cancelled"


def test_duplicates_are_counted_and_times_have_a_histogram(open_page, workbench, quality, tmp_path):
    """DQ-1."""
    file = tmp_path / "seen.csv"
    file.write_text("id,at\n" + "\n".join(f"v{n},2026-01-{1 + n % 28:02} 10:00:00" for n in range(60)))
    workbench.lake.put_table("main.shop.seen", file, original_name="seen.csv")
    made = workbench.sheets.create(SheetDraft("Seen", "main.shop.seen", "id", metadata_columns=("at",)), by=ANN)
    quality.profile(made.id, by=ANN)
    page = open_page("data_quality", sheet=made.id, show="profile")
    assert dict(zip(table(page, "Column"), table(page, "Duplicates"), strict=True)) == {"id": 0, "at": 32}
    heights = dict(zip(table(page, "Column"), table(page, "Values"), strict=True))["at"]
    assert sum(heights) == 60 and len(heights) == 20
    page = open_page("data_quality", sheet=made.id, show="profile", column="at")
    assert "Duplicates 32" in shown(page)
    assert "How the values are spread" in shown(page)


# --- rules (DQ-3, DQ-4) ----------------------------------------------------------------------------------------------


def test_a_rule_is_made_in_a_form_that_says_what_it_means_and_whether_it_can_run(open_page, quality, sheet):
    page = open_page("data_quality", sheet=sheet.id, show="rules", rule="new")
    field(page, "What it demands").set_value("is_in_range").run()
    assert [option.split(" · ")[0] for option in field(page, "Columns").options] == ["price"]
    field(page, "Columns").set_value(["price"]).run()
    assert "needs “min_limit”" in shown(page)
    assert page.button(key="quality_form_save").disabled
    field(page, "From").set_value("0").run()
    field(page, "To").set_value("100").run()
    assert "price lies between 0 and 100." in shown(page)
    assert "It can run on this sheet" in shown(page)
    page.button(key="quality_form_save").click().run()
    saved = quality.rules(sheet.id)[0]
    assert (saved.draft.function, dict(saved.draft.arguments)) == ("is_in_range", {"min_limit": 0, "max_limit": 100})
    assert "rule" not in page.query_params


def test_the_form_takes_a_list_one_value_a_line_and_a_filter_and_a_warning(open_page, quality, sheet):
    page = open_page("data_quality", sheet=sheet.id, show="rules", rule="new")
    field(page, "What it demands").set_value("is_in_list").run()
    field(page, "Columns").set_value(["status"]).run()
    field(page, "Allowed values").set_value("open\nclosed\n").run()
    field(page, "Only for rows where").set_value("price > ").run()
    assert page.button(key="quality_form_save").disabled
    field(page, "Only for rows where").set_value("price > 0").run()
    page.button_group(key="quality_form_new_0_criticality").set_value(Criticality.WARN).run()
    page.button(key="quality_form_save").click().run()
    draft = quality.rules(sheet.id)[0].draft
    assert (draft.arguments["allowed"], draft.filter, draft.criticality) == (["open", "closed"], "price > 0", "warn")


def test_a_rule_is_changed_in_the_form_and_keeps_its_name(open_page, quality, checked):
    rule = next(rule for rule in quality.rules(checked.id) if rule.name == POSITIVE.name)
    page = open_page("data_quality", sheet=checked.id, show="rules", rule=rule.id)
    assert field(page, "Limit").value == "0"
    field(page, "Limit").set_value("-5").run()
    page.button(key="quality_form_save").click().run()
    changed = rule_of(quality, rule)
    assert (changed.name, changed.draft.arguments["limit"], changed.row_version) == (POSITIVE.name, -5, 2)


def edit(page, row, column, before, after):
    """What the browser sends when a cell of the grid was edited."""
    names = ["is_enabled", "name", "meaning", "criticality", "filter", "function"]
    entry = {"seq": 1, "row": row, "col": f"c{names.index(column)}", "old": before, "new": after}
    page.session_state["quality_rules_grid_0"] = {"nonce": f"{row}{column}{after}", "edits": [entry], "selected": []}
    return page.run()


def test_cells_of_the_grid_are_saved_as_they_are_edited(open_page, quality, checked):
    rule = quality.rules(checked.id)[0]
    page = open_page("data_quality", sheet=checked.id, show="rules")
    edit(page, rule.id, "criticality", "Error", "Warning")
    edit(page, rule.id, "is_enabled", True, False)
    edit(page, rule.id, "filter", "", "price > 0")
    edit(page, rule.id, "name", rule.name, "mail")
    now = rule_of(quality, rule)
    assert (now.name, now.draft.criticality, now.is_enabled, now.draft.filter) == ("mail", "warn", False, "price > 0")
    assert "1 rule enabled, 1 disabled" in shown(page)


def test_a_cell_that_somebody_else_changed_is_refused_with_their_name(open_page, workbench, quality, checked):
    workbench.permissions.assign(BEN, Role.DATA_STEWARD, by=ANN)
    rule = quality.rules(checked.id)[0]
    page = open_page("data_quality", sheet=checked.id, show="rules")
    quality.update_rule(rule.id, replace(rule.draft, name="bens name"), by=BEN, row_version=1)
    edit(page, rule.id, "name", rule.name, "anns name")
    assert "was just changed by ben@example.com" in shown(page)
    assert rule_of(quality, rule).name == "bens name"


def test_a_refused_value_is_gone_from_the_cell_and_the_reason_stays_until_the_next_edit(open_page, quality, checked):
    rule = quality.rules(checked.id)[0]
    page = open_page("data_quality", sheet=checked.id, show="rules")
    edit(page, rule.id, "filter", "", "nonsense >")
    assert page.session_state["_quality_rules_grid_round"] == 1, "a fresh grid shows what the server has"
    said = "“email is there” is not changed. The filter ends too early: something is missing after “>”."
    assert said in shown(page)
    assert said in shown(page.run()), "it is still there at the next click"
    assert rule_of(quality, rule).draft.filter == ""
    entry = {"seq": 1, "row": rule.id, "col": "c4", "old": "", "new": "price > 0"}
    page.session_state["quality_rules_grid_1"] = {"nonce": "fresh", "edits": [entry], "selected": []}
    page.run()
    assert rule_of(quality, rule).draft.filter == "price > 0"
    assert "is not changed" not in shown(page)


def test_a_conflict_names_the_rule_as_it_was_and_not_the_refused_text(open_page, workbench, quality, checked):
    workbench.permissions.assign(BEN, Role.DATA_STEWARD, by=ANN)
    rule = quality.rules(checked.id)[0]
    page = open_page("data_quality", sheet=checked.id, show="rules")
    quality.update_rule(rule.id, replace(rule.draft, filter="price > 5"), by=BEN, row_version=1)
    edit(page, rule.id, "filter", "", "price > 7")
    assert "“email is there” was just changed by ben@example.com. Your change is not saved." in shown(page)
    assert page.session_state["_quality_rules_grid_round"] == 1
    assert rule_of(quality, rule).draft.filter == "price > 5"


def test_rules_that_stand_for_more_checks_say_so(open_page, quality, sheet):
    quality.save_rules(sheet.id, [replace(PRESENT, columns=("email", "city", "note")), POSITIVE], by=ANN)
    assert "2 rules enabled (4 checks)" in shown(open_page("data_quality", sheet=sheet.id, show="rules"))


def test_ticked_rules_are_switched_off_and_deleted(open_page, quality, checked):
    ids = [rule.id for rule in quality.rules(checked.id)]
    page = open_page("data_quality", sheet=checked.id, show="rules")
    page.session_state["quality_rules_grid_0"] = {"nonce": "n", "edits": [], "selected": ids}
    page.run()
    press(page, "Disable")
    assert "No rule is enabled" in page.button(key="quality_run").help
    assert not any(rule.is_enabled for rule in quality.rules(checked.id))
    press(page, "Delete for good")
    assert quality.rules(checked.id) == []
    assert "No rules yet" in shown(page)


DQX = """
- name: status_known
  criticality: warn
  check:
    function: is_in_list
    arguments:
      column: status
      allowed: [open, closed]
- name: odd
  check:
    function: is_magic
    arguments: {column: status}
"""


def test_a_pasted_rule_set_is_listed_before_it_is_saved_and_exported_as_it_came(open_page, quality, sheet):
    page = open_page("data_quality", sheet=sheet.id, show="rules")
    field(page, "Or paste them").set_value(DQX).run()
    assert "status is one of “open”, “closed”" in shown(page)
    assert "There is no check function “is_magic”" in shown(page)
    assert quality.rules(sheet.id) == []
    press(page, "Import 1 rule")
    assert [rule.name for rule in quality.rules(sheet.id)] == ["status_known"]
    assert page.code[0].value.startswith("# Rules for Databricks DQX 0.17 or newer")
    assert "is_in_list" in page.code[0].value
    assert "For Databricks DQX 0.17 or newer" in shown(page)


def test_an_import_replaces_rules_of_the_same_name_only_when_told_to(open_page, quality, sheet):
    quality.save_rule(sheet.id, replace(PRESENT, name="status_known"), by=ANN)
    page = open_page("data_quality", sheet=sheet.id, show="rules")
    field(page, "Or paste them").set_value(DQX).run()
    assert "The name is taken already" in shown(page)
    assert page.button(key="quality_import_save").disabled
    field(page, "Replace rules of the same name").set_value(True).run()
    assert "status_known (replaces the rule of this name)" in shown(page)
    press(page, "Import 1 rule")
    assert [rule.draft.function for rule in quality.rules(sheet.id)] == ["is_in_list"]
    assert "email has a value → status is one of “open”, “closed”" in shown(page)


def test_a_colleagues_change_is_not_deleted_and_both_are_told(open_page, workbench, quality, checked):
    workbench.permissions.assign(BEN, Role.DATA_STEWARD, by=ANN)
    rule = quality.rules(checked.id)[0]
    page = open_page("data_quality", sheet=checked.id, show="rules")
    page.session_state["quality_rules_grid_0"] = {"nonce": "n", "edits": [], "selected": [rule.id]}
    page.run()
    quality.update_rule(rule.id, replace(rule.draft, filter="price > 5"), by=BEN, row_version=1)
    press(page, "Delete for good")
    assert "was just changed by ben@example.com" in shown(page)
    assert len(quality.rules(checked.id)) == 2


def test_a_file_that_is_no_rule_set_says_in_which_line(open_page, sheet):
    page = open_page("data_quality", sheet=sheet.id, show="rules")
    field(page, "Or paste them").set_value("- name: [\n").run()
    assert "no readable YAML in line 2" in shown(page)


def test_rules_from_sentences_are_accepted_one_by_one(open_page, workbench, sheet):
    workbench.__dict__["chat_model"] = RuleModel(reason="The weights are not installed.")
    quality = workbench.data_quality
    page = open_page("data_quality", sheet=sheet.id, show="rules")
    field(page, "What must hold").set_value("price is between 0 and 100. order_id is unique. the sky is blue")
    press(page, "Propose rules")
    assert "price lies between 0 and 100." in shown(page)
    assert "function: is_in_range" in next(code.value for code in page.code if "max_limit: 100" in code.value)
    assert "Proposed by the sentence rules" in shown(page)
    assert "understood by the sentence rules" in shown(page)
    assert page.button(key="quality_ask_model").disabled
    assert "The weights are not installed" in shown(page)
    assert "the sky is blue" in shown(page)
    page.button(key="quality_accept_0").click().run()
    assert [rule.draft.function for rule in quality.rules(sheet.id)] == ["is_in_range"]
    assert page.button(key="quality_accept_0").disabled


def test_the_model_is_asked_only_for_the_rest_and_only_when_somebody_wants_it(open_page, workbench, sheet):
    answer = {"rules": [{"check": {"function": "is_not_null", "arguments": {"column": "city"}}}]}
    model = workbench.__dict__["chat_model"] = RuleModel(rule=lambda _: json.dumps(answer))
    page = open_page("data_quality", sheet=sheet.id, show="rules")
    field(page, "What must hold").set_value("price is between 0 and 100. everybody lives somewhere")
    press(page, "Propose rules")
    assert model.asked == []
    assert "Not understood: “everybody lives somewhere”" in shown(page)
    press(page, "Ask the language model about the rest")
    assert len(model.asked) == 1
    assert "city has a value." in shown(page)
    assert "is_not_null · understood by the language model" in shown(page)
    assert "price lies between 0 and 100." in shown(page)
    assert "Ask the language model about the rest" not in labels(page.button)


def test_the_examples_are_about_the_columns_of_the_sheet(open_page, sheet):
    page = open_page("data_quality", sheet=sheet.id, show="rules")
    assert field(page, "What must hold").placeholder.startswith("order_id is unique")
    field(page, "What must hold").set_value("the sky is blue")
    press(page, "Propose rules")
    assert "price between 0 and 100" in shown(page)


# --- columns of a join, lists and blanks -----------------------------------------------------------------------------


@pytest.fixture
def tickets(workbench, tmp_path):
    """Tickets joined with their customers, whose visits are a list; some messages are only blanks."""
    tickets = "\n".join(f"t{n:02},{n % 3},{'' if n % 4 else '   '}{'Hello ' * (n % 4)}" for n in range(40))
    put(workbench, tmp_path, "tickets", "Ticket ID,customer,message\n" + tickets)
    visits = "\n".join(f"{n % 3},{n}" for n in range(9))
    put(workbench, tmp_path, "visits", "customer,minutes\n" + visits)
    join = Join(
        sources=(
            JoinSource("main.shop.tickets", "support_tickets", SourceRole.PRIMARY),
            JoinSource("main.shop.visits", "visits", matches=Matches.LIST),
        ),
        keys=(JoinKey(ColumnRef("support_tickets", "customer"), ColumnRef("visits", "customer")),),
    )
    draft = SheetDraft(
        "Tickets", "main.shop.tickets", "support_tickets__Ticket ID", text_columns=("support_tickets__message",),
        metadata_columns=("visits__minutes",), join=join,
    )  # fmt: skip
    return workbench.sheets.create(draft, by=ANN)


def put(workbench, folder, name, text):
    file = folder / f"{name}.csv"
    file.write_text(text)
    workbench.lake.put_table(f"main.shop.{name}", file, original_name=file.name)


def test_columns_of_a_join_are_named_by_their_column_and_lists_are_not_counted(open_page, quality, tickets):
    quality.profile(tickets.id, by=ANN)
    page = open_page("data_quality", sheet=tickets.id, show="profile")
    names = table(page, "Column")
    assert {"Ticket ID · support_tickets", "message · support_tickets", "minutes · visits"} <= set(names)
    different = dict(zip(names, table(page, "Different"), strict=True))
    assert different["Ticket ID · support_tickets"] == 40
    assert pd.isna(different["minutes · visits"]), "values of lists are not compared with each other"
    assert dict(zip(names, table(page, "Blank"), strict=True))["message · support_tickets"] == 10
    page = open_page("data_quality", sheet=tickets.id, show="profile", view="suggestions")
    assert "Ticket ID · support_tickets" in shown(page)
    boxes = {spoken(box.label): box.value for box in page.checkbox}
    assert boxes["Ticket ID is different in every row."] is True
    assert boxes["message has a value that is not empty; blanks count as empty."] is False
    assert "A failure is an error" in shown(page)
    assert "10 of 40 are missing, empty or blank" in shown(page)


def test_texts_of_blanks_are_named_where_values_are_shown(open_page, quality, tickets):
    quality.profile(tickets.id, by=ANN)
    page = open_page("data_quality", sheet=tickets.id, show="profile")
    assert any("(blank)" in text for text in table(page, "Most frequent"))
    page = open_page("data_quality", sheet=tickets.id, show="profile", column="support_tickets__message")
    assert "Blank texts 10" in shown(page) and "Empty texts 0" in shown(page)


# --- runs and results (DQ-5, DQ-6) -----------------------------------------------------------------------------------


def test_a_run_shows_its_progress_and_then_what_it_found(open_page, workbench, quality, sheet):
    quality.save_rules(sheet.id, [PRESENT, replace(POSITIVE, criticality=Criticality.WARN)], by=ANN)
    page = open_page("data_quality", sheet=sheet.id)
    press(page, "Run checks (2)")
    assert "Check “Orders”" in shown(page)
    assert page.button(key="quality_run").disabled
    work(workbench)
    page.run()
    assert "117 of 120 rows pass 2 checks (97.5%)" in shown(page)
    assert table(page, "Check") == [PRESENT.name, POSITIVE.name]
    assert table(page, "Failed") == [3, 2]
    assert "Rows that fail 3" in shown(page)


@pytest.mark.parametrize("part", ["overview", "results", "history", "fix"])
def test_before_the_first_run_every_part_that_shows_runs_offers_it(open_page, workbench, quality, sheet, part):
    """Each part says what it is for; only the overview begins with a profile."""
    said = {
        "overview": "Profile this sheet to get suggestions", "results": "a run says for each rule which rows fail it",
        "history": "every run stays here", "fix": "what a run finds is decided here",
    }  # fmt: skip
    page = open_page("data_quality", sheet=sheet.id, show=part)
    assert [name for name, words in said.items() if words in shown(page)] == [part]
    if part != "overview":
        press(page, "Go to the rules")
        assert address(page, "show") == "rules"
    quality.save_rules(sheet.id, [PRESENT], by=ANN)
    page = open_page("data_quality", sheet=sheet.id, show=part)
    assert "Run the checks, with the button above" in shown(page)
    page.button(key="quality_run").click().run()
    assert quality.run_of(sheet.id).is_active


def test_a_waiting_run_is_cancelled_and_leaves_nothing(open_page, workbench, quality, sheet):
    quality.save_rules(sheet.id, [PRESENT], by=ANN)
    page = press(open_page("data_quality", sheet=sheet.id), "Run checks (1)")
    press(page, "Cancel")
    work(workbench)
    page.run()
    assert "Nothing of them is kept" in shown(page) or quality.latest(sheet.id) is None
    assert quality.latest(sheet.id) is None
    assert not page.button(key="quality_run").disabled


def test_a_rule_that_no_longer_fits_the_sheet_stops_the_run_with_its_name(open_page, workbench, quality, sheet):
    quality.save_rules(sheet.id, [PRESENT], by=ANN)
    workbench.store.execute(
        "UPDATE quality_rules SET columns = :columns", touches="quality_rules", columns=json.dumps(["gone"])
    )
    page = press(open_page("data_quality", sheet=sheet.id), "Run checks (1)")
    assert "“email is there”" in shown(page)


def test_a_check_opens_with_its_items_and_all_of_them_are_set_aside(open_page, quality, checked):
    page = open_page("data_quality", sheet=checked.id, show="results", check="0")
    assert table(page, "Item") == ["o005", "o006", "o007"]
    assert "3 items that fail this check" in shown(page)
    page.text_input(key="quality_set_aside_reason").set_value("no address").run()
    press(page, "Set aside 3 items")
    assert quality.quarantine.refs(checked.id) == ("o005", "o006", "o007")
    assert "None of its items is open" in shown(page)
    assert "3 set aside" in shown(page)


def test_the_report_says_what_changed_against_the_run_before(open_page, workbench, quality, checked):
    quality.save_rule(checked.id, RuleDraft("is_not_greater_than", ("price",), {"limit": 1000}, name="price"), by=ANN)
    run_checks(workbench, checked)
    page = open_page("data_quality", sheet=checked.id)
    assert "1 item newly failing" in shown(page)
    assert "1 check not made before" in shown(page)
    assert "Report (JSON)" in labels(page.download_button)
    [link] = page.get("link_button")
    assert (link.proto.label, link.proto.url.partition("?")[0]) == (
        "Failing values (CSV)", f"/quality/{quality.latest(checked.id).id}/failing.csv",
    )  # fmt: skip
    page = open_page("data_quality", sheet=checked.id, show="results")
    assert table(page, "Since last run") == ["same", "same", "new"]


def test_the_history_lists_runs_and_compares_two(open_page, workbench, quality, checked):
    first = quality.latest(checked.id)
    quality.enable_rules(quality.rules(checked.id)[:1], is_enabled=False, by=ANN)
    run_checks(workbench, checked)
    page = open_page("data_quality", sheet=checked.id, show="history")
    assert table(page, "Rows") == [120, 120]
    assert table(page, "Failed") == [2, 5]
    assert "Repaired 3" in shown(page)
    assert set(table(page, "Change")) == {"same", "gone"}
    page = open_page("data_quality", sheet=checked.id, show="results", run=first.id)
    assert "not the latest one" in shown(page)
    assert "115 of 120 rows pass" in shown(page)


# --- the fix queue (DQ-8) --------------------------------------------------------------------------------------------


def test_an_item_shows_all_that_is_wrong_with_it_and_the_decision_leads_to_the_next(open_page, quality, checked):
    page = open_page("data_quality", sheet=checked.id, show="fix", item="o005")
    assert "email is there" in shown(page)
    assert "1 of 5" in shown(page)
    assert table(page, "Column")[0] == "email"
    field(page, "Why").set_value("nobody to ask")
    press(page, "Set aside")
    assert quality.quarantine.refs(checked.id) == ("o005",)
    assert address(page, "item") == "o006"
    field(page, "Why").set_value("is fine")
    press(page, "Accept")
    assert quality.fix_queue.item(checked.id, "o006").state is ItemState.ACCEPTED
    assert address(page, "item") == "o007"


def test_a_decided_item_tells_who_decided_and_is_reopened(open_page, quality, checked):
    quality.fix_queue.decide(checked.id, ["o005"], Decision.SET_ASIDE, reason=HOSTILE, by=ANN)
    page = open_page("data_quality", sheet=checked.id, show="fix", state="set_aside", item="o005")
    assert f"Set aside by {ANN}" in shown(page)
    field(page, "Why").set_value("found the address")
    press(page, "Reopen")
    assert quality.quarantine.count(checked.id) == 0


def decide_every(page, reason, label):
    """Decide about everything that is listed, with the button that names how many that are."""
    page.text_input(key="quality_every_reason").set_value(reason).run()
    press(page, label)


def test_everything_that_matches_is_set_aside_at_once(open_page, quality, checked):
    page = open_page("data_quality", sheet=checked.id, show="fix", of=POSITIVE.name)
    assert "This is about 2 items that match failing price is positive" in shown(page)
    decide_every(page, "refunds", "Set aside 2 items")
    assert quality.quarantine.refs(checked.id) == ("o010", "o011")


def test_ticked_items_are_accepted_together(open_page, quality, checked):
    page = open_page("data_quality", sheet=checked.id, show="fix")
    page.session_state["quality_fix_grid_0"] = {"nonce": "n", "edits": [], "selected": ["o005", "o010"]}
    page.run()
    assert "2 items ticked" in shown(page)
    page.text_input(key="quality_bulk_accept_reason").set_value("known").run()
    page.button(key="quality_bulk_accept_now").click().run()
    assert quality.fix_queue.items(checked.id, QueueFilter(state=ItemState.ACCEPTED)).total == 2
    page = open_page("data_quality", sheet=checked.id, show="fix", state="accepted", kind="all")
    assert "2 items" in shown(page)


def test_duplicates_stand_side_by_side_and_the_first_of_a_group_stays(open_page, workbench, quality, checked):
    run_checks(workbench, checked, ScanOptions(find_duplicates=True, find_outliers=True))
    page = open_page("data_quality", sheet=checked.id, show="fix", kind="duplicates", item="o117")
    columns = next(list(frame.value) for frame in page.dataframe if "Differs" in frame.value)
    assert columns == ["Column", "Differs", "o117", "o116", "o118", "o119"]
    assert field(page, "Why").value == "duplicate"
    page = open_page("data_quality", sheet=checked.id, show="fix", kind="duplicates")
    assert page.button_group(key="kind_in_url").options == [
        "Errors 5",
        "Warnings 0",
        "Duplicates 4",
        "Near-duplicates",
        "Outliers 2",
    ]
    assert "This is about 3 items" in shown(page), "the first of the group stays"
    decide_every(page, "copies", "Set aside 3 items")
    assert quality.quarantine.refs(checked.id) == ("o117", "o118", "o119")


def test_what_is_set_aside_is_counted_where_pairs_are_generated(open_page, workbench, quality, checked):
    quality.fix_queue.decide_all(checked.id, Decision.SET_ASIDE, reason="bad rows", by=ANN)
    workbench.sheets.move(checked.id, "publish", by=ANN)
    draft = TemplateDraft(
        name="Ask", label_type="topic", user_prompt="{{ note }}", label_classes=("a", "b"),
        answer_source=AnswerSource.MANUAL,
    )  # fmt: skip
    template = workbench.prompt_templates.create(draft, by=ANN)
    page = open_page("generate", sheet=checked.id, template=template.id)
    assert "5 set aside by data quality, left out" in shown(page)
    assert "Items 115" in shown(page)
    field(page, "Include the 5 items set aside by data quality").set_value(True).run()
    assert "included all the same" in shown(page)
    assert "Items 120" in shown(page)


# --- everybody -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["overview", "profile", "rules", "results", "history", "fix"])
def test_who_may_not_manage_sees_everything_and_why_the_buttons_are_off(open_page, workbench, quality, checked, part):
    workbench.permissions.assign(CLEO, Role.DATA_CONSUMER, by=ANN)
    quality.profile(checked.id, by=ANN)
    page = open_page("data_quality", user=CLEO, sheet=checked.id, show=part)
    for key in ("quality_profile_header", "quality_run"):
        assert page.button(key=key).disabled
        assert "may not manage data quality" in page.button(key=key).help
    assert "115" in shown(page) or part in {"profile", "rules", "history", "fix"}


def test_hostile_names_and_values_are_shown_as_text(open_page, workbench, quality, sheet):
    quality.save_rule(sheet.id, replace(PRESENT, name=HOSTILE), by=ANN)
    run_checks(workbench, sheet)
    for query in ({"show": "results", "check": "0"}, {"show": "fix", "item": "o005"}, {"show": "overview"}):
        page = open_page("data_quality", sheet=sheet.id, **query)
        texts = [str(element.value) for kind in ("markdown", "subheader", "caption") for element in getattr(page, kind)]
        assert not any("**loud**" in text or "](http" in text or ":red[x]" in text for text in texts)


@pytest.mark.parametrize(
    "query",
    [
        {"show": "nonsense"}, {"show": "results", "run": "nobody"}, {"show": "results", "check": "x"},
        {"show": "rules", "rule": "nobody"}, {"show": "fix", "item": "nobody"}, {"show": "fix", "kind": "x"},
        {"show": "fix", "state": "x", "of": "x", "search": "%_"}, {"show": "profile", "view": "x"},
    ],
)  # fmt: skip
def test_nonsense_in_the_address_is_answered_calmly(open_page, checked, query):
    page = open_page("data_quality", sheet=checked.id, **query)
    assert page.title[0].value == "Orders"


# --- decisions, cut results and cancelling ---------------------------------------------------------------------------


def test_reopening_all_that_is_set_aside_leaves_what_is_accepted(open_page, quality, checked):
    quality.fix_queue.decide(checked.id, ["o005", "o006"], Decision.SET_ASIDE, reason="no address", by=ANN)
    quality.fix_queue.decide(checked.id, ["o010"], Decision.ACCEPT, reason="a refund", by=ANN)
    page = open_page("data_quality", sheet=checked.id, show="fix", state="set_aside")
    decide_every(page, "found the addresses", "Reopen 2 items")
    assert quality.quarantine.count(checked.id) == 0
    assert quality.fix_queue.item(checked.id, "o010").state is ItemState.ACCEPTED


def test_a_decision_about_a_list_that_a_newer_run_replaced_is_refused(open_page, workbench, quality, checked):
    page = open_page("data_quality", sheet=checked.id, show="fix")
    page.text_input(key="quality_every_reason").set_value("bad rows").run()
    run_checks(workbench, checked)
    page.button(key="quality_every_now").click().run()
    assert "The checks have run again since this list was shown" in shown(page)
    assert quality.quarantine.count(checked.id) == 0
    page.button(key="quality_every_now").click().run()
    assert quality.quarantine.count(checked.id) == 5


def test_a_check_that_a_newer_run_looked_at_again_is_not_set_aside_by_the_old_list(
    open_page, workbench, quality, checked
):
    page = open_page("data_quality", sheet=checked.id, show="results", check="0")
    page.text_input(key="quality_set_aside_reason").set_value("no address").run()
    run_checks(workbench, checked)
    press(page, "Set aside 3 items")
    assert "have run again" in shown(page)
    assert quality.quarantine.count(checked.id) == 0


def test_errors_and_warnings_are_two_kinds_and_errors_come_first(open_page, workbench, quality, sheet):
    """The number on the tab is that of the rows that fail; warnings stand apart and wait for nobody."""
    quality.save_rules(sheet.id, [PRESENT, replace(POSITIVE, criticality=Criticality.WARN)], by=ANN)
    run_checks(workbench, sheet)
    page = open_page("data_quality", sheet=sheet.id, show="fix")
    assert page.button_group(key="kind_in_url").options[:2] == ["Errors 3", "Warnings 2"]
    assert "Fix queue 3" in page.button_group(key="show_in_url").options
    assert "This is about 3 items" in shown(page)
    assert field(page, "Check").options == ["Every check", PRESENT.name]
    page = open_page("data_quality", sheet=sheet.id, show="fix", kind="warnings")
    assert field(page, "Check").options == ["Every check", POSITIVE.name]
    decide_every(page, "a refund", "Set aside 2 items")
    assert quality.quarantine.refs(sheet.id) == ("o010", "o011")
    assert "No item that fails warnings alone is open" in shown(page)


def test_nothing_is_decided_before_something_is_ticked(open_page, quality, checked):
    page = open_page("data_quality", sheet=checked.id, show="fix")
    assert not [button for button in page.button if str(button.key).startswith("quality_bulk_") and not button.disabled]
    page.session_state["quality_fix_grid_0"] = {"nonce": "n", "edits": [], "selected": ["o005"]}
    page.run()
    page.text_input(key="quality_bulk_set_aside_reason").set_value("no address").run()
    press(page, "Set aside 1 item")
    assert quality.quarantine.refs(checked.id) == ("o005",)


# --- what a person misread -------------------------------------------------------------------------------------------


def test_a_run_without_a_rule_is_not_called_excellent(open_page, workbench, quality, checked):
    workbench.sheets.create(replace(DRAFT, name="Later"), by=ANN)
    other = workbench.sheets.create(replace(DRAFT, name="Copies"), by=ANN)
    run_checks(workbench, other, ScanOptions(find_duplicates=True))
    page = open_page("data_quality")
    assert "No rules checked" in shown(page)
    assert "4 duplicates" in shown(page)
    assert "Sheets checked 1 of 3" in shown(page)
    assert "Rows that pass 95.8 %" in shown(page), "115 of 120: the other run says nothing about them"
    for part in ("overview", "results", "history", "fix"):
        page = open_page("data_quality", sheet=other.id, show=part)
        assert "Excellent" not in shown(page) and "100" not in shown(page), part
    page = open_page("data_quality", sheet=other.id, show="results")
    assert "No rules checked · 4 duplicates" in shown(page)
    assert not page.dataframe, "there is no check to list"


def test_a_result_of_rows_that_the_sheet_does_not_read_any_more_says_so(open_page, open_panel, workbench, checked):
    said = "of an earlier version of the sheet"
    assert said not in shown(open_page("data_quality", sheet=checked.id))
    workbench.sheets.update(checked.id, replace(DRAFT, filter="price > 14"), by=ANN, row_version=checked.row_version)
    for part in ("overview", "results", "fix"):
        assert said in shown(open_page("data_quality", sheet=checked.id, show=part)), part
    assert said in shown(open_page("data_quality")), "on its card"
    assert "Run checks again" in shown(open_page("data_quality", sheet=checked.id, show="results"))
    page, _ = open_panel(checked)
    assert said in shown(page)


def test_a_switch_that_cannot_be_on_is_off_with_its_reason_and_the_choice_is_on_the_button(
    open_page, workbench, quality, checked
):
    page = open_page("data_quality", sheet=checked.id)
    field(page, "Duplicates").set_value(True).run()
    field(page, "Outliers").set_value(True).run()
    assert popovers(page) >= {"Also look for · 2"}
    words = replace(DRAFT, name="Words", metadata_columns=("status",))
    sheet = workbench.sheets.create(words, by=ANN)
    page = open_page("data_quality", sheet=sheet.id)
    assert field(page, "Outliers").disabled
    assert "No number column of the sheet has a role." in shown(page)
    field(page, "Duplicates").set_value(True).run()
    assert popovers(page) >= {"Also look for · 1"}
    page.button(key="quality_run").click().run()
    work(workbench)
    assert quality.latest(sheet.id).scans.keys() == {"duplicates"}


def test_a_scan_that_was_refused_says_why_beside_the_others(open_page, workbench, checked):
    run_checks(workbench, checked, ScanOptions(find_duplicates=True, find_outliers=True, outlier_columns=("city",)))
    page = open_page("data_quality", sheet=checked.id, show="results")
    assert "Duplicates: 4 items" in shown(page)
    assert "Outliers: not looked for" in shown(page)
    assert "“city” is no number column." in shown(page)


def test_only_checks_that_fail_wear_a_colour(open_page, workbench, quality, sheet):
    quality.save_rules(sheet.id, [PRESENT, replace(PRESENT, columns=("city",), name="city is there")], by=ANN)
    run_checks(workbench, sheet)
    page = open_page("data_quality", sheet=sheet.id, show="results")
    assert table(page, "Severity") == [["Error"], ["Error\u2060"]], "the second is another option, a grey one"


def test_an_item_says_what_should_be_and_what_was_found(open_page, checked):
    page = open_page("data_quality", sheet=checked.id, show="fix", item="o005")
    assert "email should have a value." in shown(page)
    assert "Found: empty" in shown(page)
    assert field(page, "Why").value == "fails: email is there"
    assert table(page, "Value")[0] == "–"
    page = open_page("data_quality", sheet=checked.id, show="fix", item="o011")
    assert "price should be at least 0." in shown(page)
    assert "Found: -20" in shown(page)


def test_the_number_of_an_opened_item_is_that_of_the_list_and_goes_on(open_page, quality, checked, monkeypatch):
    monkeypatch.setattr("pages.components.quality_fix.MOST_IN_A_ROW", 3)
    page = open_page("data_quality", sheet=checked.id, show="fix", item="o005")
    assert "1 of 5 (the first 3 are loaded)" in shown(page)
    press(page, "Set aside")
    assert "2 of 5" in shown(page)
    press(page, "Next")
    assert "3 of 5" in shown(page)


def test_rules_and_checks_are_counted_apart_where_they_differ(open_page, workbench, quality, sheet):
    quality.save_rules(sheet.id, [replace(PRESENT, columns=("email", "city")), POSITIVE], by=ANN)
    run_checks(workbench, sheet)
    assert "rows pass 2 rules, 3 checks" in shown(open_page("data_quality", sheet=sheet.id, show="results"))


def test_what_is_set_aside_is_one_click_away(open_page, quality, checked):
    quality.fix_queue.decide(checked.id, ["o005"], Decision.SET_ASIDE, reason="no address", by=ANN)
    page = press(open_page("data_quality", sheet=checked.id), "Look at 1 item set aside")
    assert (address(page, "show"), address(page, "state"), address(page, "kind")) == ("fix", "set_aside", "all")
    assert "1 item" in shown(page)


def test_numbers_times_and_empty_values_are_shown_as_people_read_them():
    assert [values.shown(one, "number") for one in ("9000", "-1234.5", "2.0", "inf", "null", "n/a")] == [
        "9,000", "-1,234.5", "2", "∞", "–", "n/a",
    ]  # fmt: skip
    assert values.names_something("planes__year") and not values.names_something("price")
    assert values.shown("2013-01-01 20:00:00+00:00", "time") == "1 Jan 2013, 20:00 UTC"
    assert values.shown("2013-01-01", "time") == "1 Jan 2013"
    assert [values.shown(one) for one in ("None", None, "", "9000")] == ["–", "–", "–", "9000"]


@pytest.mark.parametrize(
    ("meaning", "columns", "said"),
    [
        ("a has a value", "a", "a should have a value"),
        ("a is one of x, y, or has no value", "a", "a should be one of x, y, or have no value"),
        ("a does not lie between 1 and 2", "a", "a should not lie between 1 and 2"),
        ("a can be read as a date", "a", "a should be read as a date"),
        ("the combination of a, b is different in every row", "a, b",
         "the combination of a, b should be different in every row"),
        ("every row meets a < b", "", "every row should meet a < b"),
        ("something else", "a", "Should hold: something else"),
    ],
)  # fmt: skip
def test_a_demand_says_what_should_be(meaning, columns, said):
    assert values.demand(meaning, columns, {}) == said


@pytest.fixture
def cut(workbench, quality, sheet, monkeypatch):
    """A run in which 119 of 120 orders fail and 30 are kept."""
    monkeypatch.setattr("workbench_core.data_quality.checking.MOST_KEPT", 30)
    dear = RuleDraft("is_not_less_than", ("price",), {"limit": 50_000}, name="dear")
    quality.save_rules(sheet.id, [dear], by=ANN)
    run_checks(workbench, sheet)
    return sheet


def test_a_cut_result_is_told_wherever_it_matters(open_page, quality, cut):
    told = "The run found 119 failing values and keeps the first 30; the others are in no list."
    for query in ({"show": "results"}, {"show": "fix"}):
        assert told in shown(open_page("data_quality", sheet=cut.id, **query))
    page = open_page("data_quality", sheet=cut.id)
    [link] = page.get("link_button")
    assert link.proto.label == "The first 30 failing values (CSV)"
    assert told in link.proto.help
    page = open_page("data_quality", sheet=cut.id, show="results", check="0")
    assert "30 of 119 failing items are kept and listed" in shown(page)
    assert "those that are in no list stay in" in shown(page)
    page.text_input(key="quality_set_aside_reason").set_value("cheap").run()
    press(page, "Set aside 30 items")
    assert quality.quarantine.count(cut.id) == 30
    assert told in shown(page)


def test_failing_items_are_paged_by_what_is_kept(open_page, cut):
    page = open_page("data_quality", sheet=cut.id, show="results", check="0", page="2")
    assert len(table(page, "Item")) == 5
    page = open_page("data_quality", sheet=cut.id, show="results", check="0", page="5")
    assert len(table(page, "Item")) == 5, "there is no third page"


def test_checks_that_are_at_work_are_being_cancelled_until_they_have_ended(open_page, workbench, quality, sheet):
    quality.save_rules(sheet.id, [PRESENT], by=ANN)
    page = press(open_page("data_quality", sheet=sheet.id), "Run checks (1)")
    run = workbench.runs.take("test")
    page.run()
    press(page, "Cancel")
    assert "They are being cancelled" in shown(page)
    assert "is kept" not in shown(page)
    workbench.runs.finish(run.id, RunStatus.CANCELLED)
    assert "was cancelled, just now. Nothing of it is kept." in shown(page.run())


def test_checks_that_ended_before_they_could_be_cancelled_keep_their_result(open_page, workbench, quality, sheet):
    quality.save_rules(sheet.id, [PRESENT], by=ANN)
    page = press(open_page("data_quality", sheet=sheet.id), "Run checks (1)")
    run = workbench.runs.take("test")
    quality.cancel(sheet.id, by=ANN)
    workbench.runs.finish(run.id, RunStatus.SUCCEEDED)
    assert "had ended before it could be cancelled. Its result is kept." in shown(page.run())


def test_runs_of_the_history_are_named_with_year_and_zone_and_each_once(open_page, workbench, quality, checked):
    run_checks(workbench, checked)
    moment = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
    workbench.store.execute("UPDATE quality_runs SET run_at = :at", touches="quality_runs", at=moment)
    page = open_page("data_quality", sheet=checked.id, show="history")
    assert table(page, "Run") == ["Run 2 · 5 Jan 2026, 09:30:00 UTC", "Run 1 · 5 Jan 2026, 09:30:00 UTC"]


# --- the panel on the page of a sheet --------------------------------------------------------------------------------


def panel(sheet_id):
    """The panel alone, with the page that it leads to."""
    import streamlit as st

    from pages.components.quality_panel import quality_panel
    from workbench_core import cached

    page = st.navigation([st.Page(lambda: quality_panel(cached.workbench().sheets.get(sheet_id)), title="Sheet")])
    page.run()


@pytest.fixture
def open_panel(monkeypatch):
    """Draw the panel; where it leads to is kept instead of opened."""
    led_to = []
    monkeypatch.setattr("streamlit.page_link", lambda *_args, **_more: None)
    monkeypatch.setattr("streamlit.switch_page", lambda page, query_params: led_to.append((page, query_params)))

    def open_(sheet, user=ANN):
        page = AppTest.from_function(panel, args=(sheet.id,), default_timeout=60)
        page.user = {"email": user}
        page.run()
        assert not page.exception, page.exception[0].message
        return page, led_to

    return open_


def test_the_panel_of_a_new_sheet_suggests_rules(open_panel, quality, sheet):
    page, led_to = open_panel(sheet)
    assert "Its rows were not checked yet" in shown(page)
    press(page, "Suggest rules")
    assert led_to == [("data_quality.py", {"sheet": sheet.id, "show": "profile", "view": "suggestions"})]
    assert quality.kept_profile(sheet.id).rows == 120


def test_the_panel_shows_the_last_score_and_starts_the_checks(open_panel, workbench, quality, checked):
    quality.fix_queue.decide(checked.id, ["o005"], Decision.SET_ASIDE, reason="no address", by=ANN)
    page, led_to = open_panel(checked)
    assert {"Passed 115", "Failed 5", "Set aside 1"} <= {f"{one.label} {one.value}" for one in page.metric}
    assert f"2 checks, made by {ANN}, just now" in shown(page)
    press(page, "Run checks (2)")
    assert led_to == [("data_quality.py", {"sheet": checked.id, "show": "results"})]
    assert quality.run_of(checked.id).is_active
    page, _ = open_panel(checked)
    assert not page.button, "the checks are under way"


def test_the_panel_says_why_somebody_may_not(open_panel, workbench, checked):
    workbench.permissions.assign(CLEO, Role.DATA_CONSUMER, by=ANN)
    page, _ = open_panel(checked, user=CLEO)
    assert page.button(key="quality_panel_run").disabled
    assert "may not manage data quality" in page.button(key="quality_panel_run").help
