"""The Data quality page: from a sheet nobody looked at to rules, a run, and items set aside before generation."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.core.generation_parts import RuleModel
from tests.pages.conftest import ANN, labels, work
from workbench_core.data_quality import Criticality, Decision, ItemState, RuleDraft, ScanOptions
from workbench_core.permissions import Role
from workbench_core.prompt_templates import AnswerSource, TemplateDraft
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
    assert "city is one of Basel, Bern" in spoken(" ".join(labels(page.checkbox)))
    assert "2 different values in 120 rows" in shown(page)
    page.checkbox[0].uncheck().run()
    press(page, f"Add {len(suggested) - 1} rules")
    assert len(quality.rules(sheet.id)) == len(suggested) - 1
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
    monkeypatch.setattr("workbench_core.data_quality.service.INLINE_ROWS", 10)
    page = open_page("data_quality", sheet=sheet.id)
    page.button(key="quality_profile_overview").click().run()
    assert "The profile is being made" in shown(page)
    assert "Profile “Orders”" in shown(page)
    work(workbench)
    page.run()
    assert "price" in table(page, "Column")


# --- rules (DQ-3, DQ-4) ----------------------------------------------------------------------------------------------


def test_a_rule_is_made_in_a_form_that_says_what_it_means_and_whether_it_can_run(open_page, quality, sheet):
    page = open_page("data_quality", sheet=sheet.id, show="rules", rule="new")
    field(page, "Check").set_value("is_in_range").run()
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
    field(page, "Check").set_value("is_in_list").run()
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
    changed = quality.rule(rule.id)
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
    now = quality.rule(rule.id)
    assert (now.name, now.draft.criticality, now.is_enabled, now.draft.filter) == ("mail", "warn", False, "price > 0")
    assert "1 rule on, 1 off" in shown(page)


def test_a_cell_that_somebody_else_changed_is_refused_with_their_name(open_page, workbench, quality, checked):
    workbench.permissions.assign(BEN, Role.DATA_STEWARD, by=ANN)
    rule = quality.rules(checked.id)[0]
    page = open_page("data_quality", sheet=checked.id, show="rules")
    quality.update_rule(rule.id, replace(rule.draft, name="bens name"), by=BEN, row_version=1)
    edit(page, rule.id, "name", rule.name, "anns name")
    assert "was just changed by ben@example.com" in shown(page)
    assert quality.rule(rule.id).name == "bens name"


def test_ticked_rules_are_switched_off_and_deleted(open_page, quality, checked):
    ids = [rule.id for rule in quality.rules(checked.id)]
    page = open_page("data_quality", sheet=checked.id, show="rules")
    page.session_state["quality_rules_grid_0"] = {"nonce": "n", "edits": [], "selected": ids}
    page.run()
    press(page, "Switch off")
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
    assert "status is one of open, closed" in shown(page)
    assert "There is no check function “is_magic”" in shown(page)
    assert quality.rules(sheet.id) == []
    press(page, "Add 1 rule")
    assert [rule.name for rule in quality.rules(sheet.id)] == ["status_known"]
    assert "is_in_list" in page.code[0].value


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
    assert "Proposed by the sentence rules" in shown(page)
    assert "The weights are not installed" in shown(page)
    assert "the sky is blue" in shown(page)
    page.button(key="quality_accept_0").click().run()
    assert [rule.draft.function for rule in quality.rules(sheet.id)] == ["is_in_range"]
    assert page.button(key="quality_accept_0").disabled


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
    assert "Profile this sheet to get suggestions" in shown(open_page("data_quality", sheet=sheet.id, show=part))
    quality.save_rules(sheet.id, [PRESENT], by=ANN)
    page = open_page("data_quality", sheet=sheet.id, show=part)
    assert "1 rule, and no run yet" in shown(page)
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
    page.text_input(key="quality_aside_reason").set_value("no address").run()
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
    assert {"Report (JSON)", "Failing rows (CSV)"} <= set(labels(page.download_button))
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


def test_everything_that_matches_is_set_aside_at_once(open_page, quality, checked):
    page = open_page("data_quality", sheet=checked.id, show="fix", of=POSITIVE.name)
    assert "2 items" in shown(page)
    page.text_input(key="quality_bulk_set_aside_reason").set_value("refunds").run()
    page.button(key="quality_bulk_set_aside_now").click().run()
    assert quality.quarantine.refs(checked.id) == ("o010", "o011")


def test_ticked_items_are_accepted_together(open_page, quality, checked):
    page = open_page("data_quality", sheet=checked.id, show="fix")
    page.session_state["quality_fix_grid_0"] = {"nonce": "n", "edits": [], "selected": ["o005", "o010"]}
    page.run()
    assert "2 items ticked" in shown(page)
    page.text_input(key="quality_bulk_accept_reason").set_value("known").run()
    page.button(key="quality_bulk_accept_now").click().run()
    assert quality.fix_queue.items(checked.id, state="accepted").total == 2
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
        "Failing 5",
        "Duplicates 4",
        "Near-duplicates",
        "Outliers 2",
    ]
    page.text_input(key="quality_bulk_set_aside_reason").set_value("copies").run()
    page.button(key="quality_bulk_set_aside_now").click().run()
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
