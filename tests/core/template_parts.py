"""What tests of prompt templates share: drafts, the service on a throw-away store, and a sheet of three reports."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from tests.core.conftest import ANN
from workbench_core import usage
from workbench_core.metrics import FieldType
from workbench_core.prompt_templates import (
    AnswerSource,
    InputField,
    OutputField,
    PromptTemplates,
    TemplateDraft,
    TemplateExample,
)
from workbench_core.sheets import SheetDraft, Sheets

DRAFT = TemplateDraft(
    name="Defects",
    label_type="defect_class",
    user_prompt="Report: {{ report }}\nLine: {{ line }}",
    description="Sorts reports",
    system_prompt="You sort reports of {{ plant|default('a plant') }}.",
    label_classes=("scratch", "dent", "none"),
    examples=(TemplateExample("Report: a long scratch", "scratch", "It says so."),),
    answer_source=AnswerSource.AI_GENERATED,
    temperature=0.2,
    max_tokens=32,
)
FIELDS = (
    OutputField("part", FieldType.STRING, "Which part"),
    OutputField("defects", FieldType.ARRAY, "", True, ("scratch", "dent")),
    OutputField("count", FieldType.NUMBER, "", False),
)
STRUCTURED = replace(DRAFT, label_classes=(), output_schema=FIELDS, examples=())
FULL = replace(
    STRUCTURED,
    output_schema=(*FIELDS, OutputField("severity", FieldType.NUMBER, rules={"minimum": 1, "maximum": 5})),
    answer_source=AnswerSource.HYBRID,
    model="rule-model",
    inputs=(InputField("report", description="What happened"), InputField("line", FieldType.NUMBER, "", False)),
    feature_columns=("report", "line"),
    target_column="verdict",
    tags=("plant", "quality"),
    usage=usage.preset("personal_data"),
)


@pytest.fixture
def sheets(store, lake, history, permissions, clock):
    return Sheets(store, lake, history, permissions, clock)


@pytest.fixture
def templates(store, lake, sheets, history, permissions, clock):
    return PromptTemplates(store, sheets, history, permissions, clock, lake=lake)


@pytest.fixture
def reports(lake, sheets, tmp_path):
    """A sheet of three reports; the second has no text."""
    file = tmp_path / "reports.csv"
    table = pd.DataFrame(
        {
            "report_id": ["r1", "r2", "r3"],
            "Report": ["A scratch in {{ steel }}", None, "x" * 20_001],
            "line": [1, 2, 3],
            "secret": ["a", "b", "c"],
        }
    )
    table.to_csv(file, index=False)
    lake.put_table("main.factory.reports", file, original_name="reports.csv")
    draft = SheetDraft(
        "Reports", "main.factory.reports", "report_id", text_columns=("Report",), metadata_columns=("line",)
    )
    return sheets.create(draft, by=ANN)


def published(templates, draft=DRAFT):
    return templates.move(templates.create(draft, by=ANN).id, "publish", by=ANN)


def messages(templates, draft):
    return [problem.message for problem in templates.lint(draft)]
