"""What is refused before a training sheet is made, and what the pre-flight says about a request (TS-1, TS-2)."""

from __future__ import annotations

import pytest

from tests.core.generation_parts import ANN, Parts, subject
from tests.core.generation_steps import label, request
from workbench_core import usage
from workbench_core.errors import (
    Invalid,
    NotFound,
)
from workbench_core.prompt_templates import AnswerSource
from workbench_core.sheets import SheetDraft
from workbench_core.training_sheets import GenerationRequest


@pytest.fixture
def parts(tmp_path, clock):
    made = Parts(tmp_path, clock=clock)
    yield made
    made.store.close()


def test_preflight_tells_hits_misses_calls_and_samples_without_writing(parts):
    sheet_id = parts.make_sheet(30)
    label(parts, sheet_id, range(12))
    found = parts.training_sheets.preflight(request(parts, sheet_id, source=AnswerSource.AI_GENERATED, row_limit=20))
    assert (found.selected, found.left_out, found.hits, found.misses, found.model_calls) == (20, 10, 12, 8, 8)
    assert (found.model_title, found.model.is_ready, found.can_generate) == ("rule model", True, True)
    assert found.samples[0].messages[-1].content == f"Is this mail spam? {subject(0)}"
    assert len(found.samples) == 5
    assert parts.training_sheets.find() == []
    assert parts.model.asked == []


def test_preflight_counts_what_would_be_barred_from_training_and_why(parts):
    sheet_id = parts.make_sheet(10)
    label(parts, sheet_id, range(3), usage=usage.preset("personal_data"))
    found = parts.training_sheets.preflight(request(parts, sheet_id, held_out=frozenset({"m00008", "m00009"})))
    assert found.barred == {"personal data": 3, "held-out test set": 2}
    tagged = parts.make_sheet(10, tags=("PHI",))
    assert parts.training_sheets.preflight(request(parts, tagged)).barred == {"source tagged PHI": 10}


def test_mapping_is_proposed_by_exact_name_then_without_case_and_punctuation(parts):
    sheet_id = parts.make_sheet(3)
    template_id = parts.make_template(user_prompt="{{ subject }} {{ MailId }} {{ unknown }}")
    assert parts.training_sheets.propose_mapping(template_id, sheet_id) == {"subject": "subject", "MailId": "mail_id"}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"mapping": {}}, "No column is chosen for subject."),
        ({"mapping": {"subject": "nothing"}}, "The source has no column nothing."),
        ({"row_limit": 0}, "The row limit must be at least 1."),
        ({"filter": "subject ="}, ""),
        ({"filter": "verdict = 'eggs'"}, "No item is selected: check filter and sampling."),
        ({"item_refs": ()}, "No item is selected: check filter and sampling."),
        ({"answer_source": AnswerSource.EXISTING_COLUMN}, "The column that holds the answers is not chosen."),
        ({"answer_source": AnswerSource.CANONICAL}, "None of the 5 items has a canonical label for this label type."),
    ],
)
def test_what_cannot_be_generated_is_refused_before_anything_is_written(parts, changes, problem):
    sheet_id = parts.make_sheet(5)
    values = {"mapping": {"subject": "subject"}, "answer_source": AnswerSource.MANUAL, **changes}
    wanted = GenerationRequest(sheet_id, parts.make_template(), **values)
    found = parts.training_sheets.preflight(wanted)
    assert not found.can_generate
    assert problem in found.problems[0]
    with pytest.raises(Invalid) as refused:
        parts.training_sheets.generate(wanted, by=ANN)
    assert refused.value.message == " ".join(found.problems)
    assert parts.training_sheets.find() == []
    assert parts.runs.find() == []


def test_a_draft_sheet_a_bad_identifier_and_an_archived_template_are_refused(parts):
    parts.make_sheet(5)
    repeated = parts.sheets.create(
        SheetDraft("By verdict", "demo.acme.mails", "verdict", metadata_columns=("subject",)), by=ANN
    )
    template_id = parts.make_template()
    parts.templates.move(template_id, "archive", by=ANN)
    problems = parts.training_sheets.preflight(request(parts, repeated.id, template_id=template_id)).problems
    assert problems == (
        "The sheet “By verdict” is draft: publish it first.",
        "The template “Mail class” 1.0.0 is archived: restore it or choose another one.",
        "The identifier verdict repeats itself in 3 rows.",
    )
    with pytest.raises(NotFound):
        parts.training_sheets.preflight(request(parts, "sheet-none", template_id=template_id))


def test_a_model_that_is_not_ready_blocks_only_when_it_is_needed(parts):
    parts.model.reason = "The weights are not installed."
    sheet_id = parts.make_sheet(3)
    wanted = request(parts, sheet_id, source=AnswerSource.AI_GENERATED)
    assert parts.training_sheets.preflight(wanted).problems == (
        "The rule model cannot answer: The weights are not installed.",
    )
    label(parts, sheet_id, range(3))
    assert parts.training_sheets.preflight(wanted).can_generate
