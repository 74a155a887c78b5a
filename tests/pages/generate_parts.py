"""What tests of the Generate page share: how to read it, sheets and templates to work with, and a model that costs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.pages.conftest import ANN, work
from workbench_core.canonical_labels import LabelEntry, LabelingMode
from workbench_core.catalog import ChangeMode, TableChange, Wishes
from workbench_core.prompt_templates import AnswerSource, TemplateDraft
from workbench_core.sheets import SheetDraft
from workbench_core.training_sheets import GenerationRequest
from workbench_core.usage import ALL_USES
from workbench_core.workbench import Workbench

BEN = "ben@example.com"
SOURCE_LINES = 40


@pytest.fixture
def mail_sheet(workbench, tmp_path):
    """A published sheet of forty mails; every fourth is spam."""
    return make_sheet(workbench, tmp_path)


@pytest.fixture
def mail_template(workbench):
    """A published template whose answers stand in a column."""
    return make_template(workbench)


def spoken(text: str) -> str:
    """Text without the marks that keep it plain."""
    return text.replace("\\", "").replace("\u2060", "")


def said(page) -> str:
    """Everything that is written on the page, without the marks that keep it plain."""
    parts = (*page.caption, *page.markdown, *page.warning, *page.error, *page.info, *page.success)
    return spoken(" ".join(element.value for element in parts))


def toasts(page) -> str:
    return " ".join(element.value for element in page.toast)


def fields(page) -> dict[str, object]:
    """Fields by their labels."""
    found = (*page.text_input, *page.selectbox, *page.multiselect, *page.number_input, *page.radio, *page.toggle)
    return {element.label: element for element in found}


def choose(page, label: str, option: str):
    """Choose an option of a segmented control by what it says."""
    control = next(one for one in page.get("button_group") if one.label == label)
    return control.set_value(option).run()


def badges(page) -> dict[str, str]:
    """Badges by what they say, with what is told when one points at them."""
    found = (re.fullmatch(r":(\w+)-badge\[(?::material/\w+: )?(.+)\]", element.value) for element in page.markdown)
    shown = [(match[2], element.help) for match, element in zip(found, page.markdown, strict=True) if match]
    return dict(shown)


def tiles(page) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def notes(page) -> dict[str, str]:
    """What stands below the number of each tile."""
    return {metric.label: metric.delta for metric in page.metric}


def button(page, label: str):
    """The button that begins with these words."""
    return next(one for one in page.button if one.label.startswith(label))


def press(page, label: str):
    """Press the button that begins with these words."""
    return button(page, label).click().run()


def open_popover(page, key: str):
    """Open what unfolds below a button."""
    page.session_state[key] = True
    return page.run()


def lines(count: int = SOURCE_LINES) -> str:
    """A table of mails; every fourth is spam."""
    rows = [f"m{number:03d},{'ham' if number % 4 else 'spam'},Mail {number}" for number in range(count)]
    return "mail_id,mail_class,Subject\n" + "\n".join(rows)


def make_sheet(workbench: Workbench, folder: Path, *, name="mails", tags=(), publish=True, text=""):
    """A sheet of forty mails; every fourth is spam."""
    file = folder / f"{name}.csv"
    file.write_text(text or lines())
    source = workbench.catalog.upload_table(file, file_name=file.name, by=ANN, tags=tags).name
    draft = SheetDraft(name.capitalize(), source, "mail_id")
    made = workbench.sheets.create(draft, by=ANN)
    return workbench.sheets.move(made.id, "publish", by=ANN) if publish else made


def add_rows(workbench: Workbench, name: str, folder: Path, *, first: int, count: int) -> None:
    """More mails at the end of a table, as somebody adds them on the Data page."""
    file = folder / "more.csv"
    header, *every = lines(first + count).splitlines()
    file.write_text("\n".join([header, *every[first:]]))
    wishes = Wishes(name=name, change=TableChange(ChangeMode.ADD))
    workbench.catalog.upload_archive(file, file_name=file.name, by=ANN, wishes=wishes)


def make_template(workbench: Workbench, **changes):
    """A published template that asks for the class of a mail."""
    values = {
        "name": "Mail class", "label_type": "mail_class", "user_prompt": "Is “{{ subject }}” spam?",
        "label_classes": ("spam", "ham"), "answer_source": AnswerSource.EXISTING_COLUMN,
    }  # fmt: skip
    made = workbench.prompt_templates.create(TemplateDraft(**values | changes), by=ANN)
    return workbench.prompt_templates.move(made.id, "publish", by=ANN)


def next_version(workbench: Workbench, template, **changes):
    """The next published version of a template."""
    draft = workbench.prompt_templates.create_version(template.id, by=ANN)
    values = {name: getattr(draft, name) for name in TemplateDraft.__dataclass_fields__} | changes
    workbench.prompt_templates.update(draft.id, TemplateDraft(**values), by=ANN, row_version=draft.row_version)
    return workbench.prompt_templates.move(draft.id, "publish", by=ANN)


def generated(workbench: Workbench, sheet, template, *, is_done=False, **changes):
    """A training sheet whose generation was started."""
    values = {"mapping": {"subject": "Subject"}, "answer_column": "mail_class"}
    made = workbench.training_sheets.generate(GenerationRequest(sheet.id, template.id, **values | changes), by=ANN)
    if is_done:
        work(workbench)
    return workbench.training_sheets.get(made.id)


def label(workbench: Workbench, sheet, count: int, answer: str = "spam") -> None:
    """Canonical labels for the first mails of a sheet."""
    workbench.canonical_labels.record(
        [LabelEntry(f"m{number:03d}", answer, ALL_USES) for number in range(count)],
        sheet_id=sheet.id, label_type="mail_class", mode=LabelingMode.STANDALONE_TOOL, by=ANN, replace=False,
    )  # fmt: skip


def configure_model(home: Path, url: str, *, price: str = "{in = 1000, out = 1000}") -> None:
    """One language model at this address in the settings of a home."""
    priced = f"price = {price}\n" if price else ""
    (home / "models.toml").write_text(
        f'[[model]]\nname = "stub"\ntitle = "stub model"\nurl = "{url}"\nconcurrency = 1\n{priced}'
    )
