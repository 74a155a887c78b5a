"""The export of a training sheet as a person meets it: cards, counts with reasons, progress, files, earlier exports."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from tests.pages.conftest import ANN, labels, work
from workbench_core import usage
from workbench_core.canonical_labels import LabelEntry
from workbench_core.exports import ExportFormat, ExportRequest
from workbench_core.permissions import Role
from workbench_core.prompt_templates import AnswerSource, TemplateDraft
from workbench_core.sheets import SheetDraft
from workbench_core.training_sheets import GenerationRequest

BEN = "ben@example.com"
SCRIPT = """
import streamlit as st
from pages.components.export_panel import training_sheet_export
from pages.components.layout import show_flashes
from workbench_core import cached

show_flashes()
training_sheet_export(cached.workbench().training_sheets.get(st.query_params["sheet"]))
"""


@pytest.fixture
def sheet(workbench, tmp_path):
    """An approved training sheet of 40 mails: 30 have a label, of which 5 must not train."""
    file = tmp_path / "mails.csv"
    file.write_text("mail_id,subject\n" + "".join(f"m{n:03d},Mail no. {n}\n" for n in range(40)))
    workbench.lake.put_table("demo.acme.mails", file, original_name="mails.csv")
    made = workbench.sheets.create(SheetDraft("Mails", "demo.acme.mails", "mail_id"), by=ANN)
    workbench.sheets.move(made.id, "publish", by=ANN)
    rules = usage.preset("personal_data")
    entries = [LabelEntry(f"m{n:03d}", "spam", rules) for n in range(5)]
    entries += [LabelEntry(f"m{n:03d}", ("spam", "ham")[n % 2]) for n in range(5, 30)]
    workbench.canonical_labels.label(entries, sheet_id=made.id, label_type="mail_class", by=ANN)
    draft = TemplateDraft("Mail class", "mail_class", "Spam? {{ subject }}", label_classes=("spam", "ham"))
    template = workbench.prompt_templates.create(draft, by=ANN)
    workbench.prompt_templates.move(template.id, "publish", by=ANN)
    request = GenerationRequest(made.id, template.id, {"subject": "subject"}, answer_source=AnswerSource.MANUAL)
    generated = workbench.training_sheets.generate(request, by=ANN)
    work(workbench)
    return workbench.training_sheets.move(generated.id, "close_review", by=ANN, leave_out=True)


def shown(sheet, *, user=ANN) -> AppTest:
    page = AppTest.from_string(SCRIPT, default_timeout=60)
    page.user = {"email": user}
    page.query_params["sheet"] = sheet.id
    page.run()
    assert not page.exception, page.exception[0].message
    return page


def press(page, label):
    next(button for button in page.button if button.label == label).click()
    page.run()
    assert not page.exception, page.exception[0].message
    return page


def said(page) -> str:
    return "\n".join(str(element.value) for element in [*page.markdown, *page.caption, *page.info, *page.error])


def tiles(page) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def test_counts_say_what_goes_out_and_why_the_rest_stays(sheet):
    page = shown(sheet)
    assert tiles(page) == {"Pairs": "40", "Exported": "25", "Left out": "15"}
    assert page.dataframe[0].value.to_numpy().tolist() == [
        [10, "Not reviewed yet"], [5, "Training prohibited: personal data"],
    ]  # fmt: skip
    assert "Export 25 pairs" in labels(page.button)
    page.selectbox[0].select(usage.Use.EVALUATION)
    page.run()
    assert tiles(page)["Exported"] == "30"


def test_every_format_shows_two_lines_of_the_first_record(sheet):
    page = shown(sheet)
    samples = [code.value for code in page.code]
    assert len(samples) == len(ExportFormat)
    assert all(sample.count("\n") == 1 for sample in samples)
    assert samples[0] == '{"messages": [{"role": "user"…\n…istant", "content": "spam"}]}'
    card = next(button for button in page.button if "choose_csv" in button.key)
    card.click()
    page.run()
    assert "A spreadsheet that opens it may run one" in said(page)
    assert "Harmless to open in a spreadsheet" in labels(page.toggle)


def test_parts_are_counted_before_they_are_written(sheet):
    page = shown(sheet)
    next(toggle for toggle in page.toggle if toggle.label.startswith("Divide")).set_value(True)
    page.run()
    assert "80 % train, 10 % validation, 10 % test" in said(page)
    next(toggle for toggle in page.toggle if toggle.label.startswith("The same shares")).set_value(True)
    page.run()
    assert "21 train, 2 validation, 2 test. All pairs of an item are in the same part." in said(page)


def test_a_person_exports_and_finds_the_files_with_size_hash_and_download(workbench, sheet):
    page = press(shown(sheet), "Export 25 pairs")
    assert "Queued" in "".join(element.proto.text for element in page.get("progress"))
    assert next(button for button in page.button if button.label == "Export 25 pairs").disabled
    work(workbench)
    page = shown(workbench.training_sheets.get(sheet.id))
    export = workbench.exports.find(sheet.id)[0]
    assert "25 pairs as openai" in said(page)
    assert export.files[0].sha256 in [code.value for code in page.code]
    links = [link.proto.url for link in page.get("link_button")]
    assert links == [f"/exports/{export.id}/{name}" for name in (export.files[0].name, export.manifest_name)]
    press(page, "Export 25 pairs")
    work(workbench)
    page = shown(workbench.training_sheets.get(sheet.id))
    earlier = page.dataframe[-1].value
    assert earlier[["By", "Format", "Pairs", "Files"]].to_numpy().tolist() == [[ANN, "openai_chat", 25, 1]]


def test_a_cancelled_export_is_told(workbench, sheet):
    page = press(press(shown(sheet), "Export 25 pairs"), "Cancel")
    assert "The last export was cancelled" in said(page)
    assert not (workbench.settings.home / "exports").exists()


def test_without_the_role_the_button_says_why(workbench, sheet):
    workbench.permissions.assign(ANN, Role.ADMIN, by=ANN)
    workbench.permissions.assign(BEN, Role.REVIEWER, by=ANN)
    page = shown(sheet, user=BEN)
    button = next(button for button in page.button if button.label == "Export 25 pairs")
    assert (button.disabled, button.help) == (True, "Your role, reviewer, may not export training sheets.")


def test_a_sheet_in_review_says_what_is_missing(workbench, sheet):
    workbench.training_sheets.move(sheet.id, "reopen", by=ANN)
    page = shown(sheet)
    assert "only approved training sheets can be exported" in said(page)
    assert not page.button


def test_the_app_sends_files_from_the_disk_to_people_who_may(workbench, sheet, monkeypatch):
    import app
    from pages.components import identity

    made = workbench.exports.start(ExportRequest(sheet.id, ExportFormat.CSV), by=ANN)
    work(workbench)
    done = workbench.exports.get(made.id)
    from starlette.applications import Starlette
    from starlette.routing import Route

    client = TestClient(Starlette(routes=[Route("/exports/{export_id}/{name}", app.export_file)]))
    answer = client.get(f"/exports/{done.id}/{done.files[0].name}")
    assert (answer.status_code, len(answer.content)) == (200, done.files[0].size_bytes)
    assert answer.headers["content-disposition"] == f'attachment; filename="{done.files[0].name}"'
    assert client.get(f"/exports/{done.id}/..%2F..%2Fstore.db").status_code == 404
    assert client.get(f"/exports/other/{done.files[0].name}").status_code == 404
    workbench.permissions.assign(ANN, Role.ADMIN, by=ANN)
    workbench.permissions.assign(BEN, Role.LABELER, by=ANN)
    monkeypatch.setattr(identity, "person_of", lambda _headers: BEN)
    refused = client.get(f"/exports/{done.id}/{done.files[0].name}")
    assert (refused.status_code, "may not export" in refused.text) == (403, True)
