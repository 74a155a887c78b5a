"""Training sheets for page and browser tests, made through the same services that people use."""

from __future__ import annotations

import csv
from pathlib import Path

from workbench_core.ports import TableEntry
from workbench_core.prompt_templates import AnswerSource, TemplateDraft
from workbench_core.sheets import SheetDraft
from workbench_core.training_sheets import GenerationRequest, TrainingSheet
from workbench_core.workbench import Workbench

ANN = "ann@example.com"
SOURCE = "demo.acme.mails"
HOSTILE = '<img src=x onerror="window.hacked=1"> {{ 7 * 7 }} **bold** ::JSCODE::window.hacked=2::JSCODE::'


def mails(workbench: Workbench, folder: Path, *, count: int = 12, tags: tuple[str, ...] = ()) -> str:
    """A published sheet over mails; the first one is an attempt to break in. Every third is spam."""
    file = folder / "mails.csv"
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["mail_id", "subject", "body", "verdict"])
        writer.writerows([f"m{item:03d}", *mail(item), truth(item)] for item in range(count))
    entry = TableEntry(SOURCE, "table", tags=tags)
    workbench.lake.put_table(SOURCE, file, original_name="mails.csv", entry=entry)
    draft = SheetDraft("Mails", SOURCE, "mail_id", text_columns=("body",), metadata_columns=("subject", "verdict"))
    return workbench.sheets.move(workbench.sheets.create(draft, by=ANN).id, "publish", by=ANN).id


def training_sheet(
    workbench: Workbench,
    sheet_id: str,
    *,
    name: str = "Mail class",
    answers: AnswerSource = AnswerSource.EXISTING_COLUMN,
    **template: object,
) -> TrainingSheet:
    """A training sheet in review over these mails, generated now."""
    values: dict[str, object] = {
        "name": name,
        "label_type": "mail_class",
        "user_prompt": "Is this mail spam?\n\nSubject: {{ subject }}\n\n{{ body }}",
        "system_prompt": "You sort mails.",
        "label_classes": ("spam", "ham"),
    }
    made = workbench.prompt_templates.create(TemplateDraft(**(values | template)), by=ANN)  # type: ignore[arg-type]
    workbench.prompt_templates.move(made.id, "publish", by=ANN)
    column = "verdict" if answers is AnswerSource.EXISTING_COLUMN else ""
    mapping = {name: name for name in made.placeholders}
    request = GenerationRequest(sheet_id, made.id, mapping, name=name, answer_source=answers, answer_column=column)
    started = workbench.training_sheets.generate(request, by=ANN)
    worker = workbench.worker()
    while worker.run_one():
        pass
    return workbench.training_sheets.get(started.id)


def mail(item: int) -> tuple[str, str]:
    """Subject and body of a mail."""
    if item == 0:
        return HOSTILE, HOSTILE
    if item % 3 == 0:
        return f"You won prize no. {item}", f"Dear winner,\n\nclaim prize no. {item} now at our desk."
    return (
        f"Minutes of meeting no. {item}",
        f"Hello all,\n\nhere are the minutes of meeting no. {item}. " + "More. " * 60,
    )


def truth(item: int) -> str:
    """What the mail is."""
    return "spam" if item % 3 == 0 else "ham"
