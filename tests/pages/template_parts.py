"""What tests of the Prompt templates page share: how to read it, how to type into it, and a sheet to look at."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from tests.pages.conftest import ANN
from workbench_core.sheets import Sheet, SheetDraft
from workbench_core.workbench import Workbench

BEN = "ben@example.com"


def mails(workbench: Workbench, folder: Path) -> Sheet:
    """Two mails, one of them with braces in its text and one without a text."""
    file = folder / "mails.csv"
    rows = {"mail": ["m1", "m2"], "Text": ["Thanks a lot {{ friend }}", None], "mail_subject": ["One", "Two"]}
    pd.DataFrame(rows).to_csv(file, index=False)
    workbench.lake.put_table("main.office.mails", file, original_name="mails.csv")
    return workbench.sheets.create(
        SheetDraft("Mails", "main.office.mails", "mail", text_columns=("Text", "mail_subject")), by=ANN
    )


def field(page, kind: str, label: str):
    """A field by its label."""
    return next(element for element in getattr(page, kind) if element.label == label)


def shown(page) -> str:
    """All texts of a page, without the marks that keep them plain."""
    found = (element.value for kind in ("title", "subheader", "markdown", "caption", "text") for element in
             getattr(page, kind))  # fmt: skip
    return " ".join(found).replace("\\", "").replace("\u2060", "")


def boxes(page) -> str:
    """All warnings and errors of a page."""
    return " ".join(box.value for box in (*page.warning, *page.error)).replace("\\", "").replace("\u2060", "")


def key_of(page, template, name: str) -> str:
    """Where the session keeps one field of an open template."""
    return f"prompt_templates_{template.id}_{page.session_state[f'prompt_templates_{template.id}_opened']}_{name}"


def type_in(page, template, **values: object):
    """What the prompt fields and tables would leave in the session after a person typed."""
    for name, value in values.items():
        page.session_state[key_of(page, template, name)] = value
    return page.run()


def show(page, part: str):
    """Go to another part of the open template."""
    page.query_params["show"] = part
    return page.run()


def press(page, label: str, *, place: int = 0):
    """Click a button by what it says."""
    return [button for button in page.button if button.label == label][place].click().run()
