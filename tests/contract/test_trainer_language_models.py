"""Language models that are fine-tuned: asked exactly what they learned, trained and cancelled in a real process."""

from __future__ import annotations

import json
from dataclasses import replace

import pandas as pd
import pytest

from tests.contract import trainer_parts
from tests.contract.trainer_parts import load, processes_of
from workbench_core.adapters.local.training import LoraTrainer
from workbench_core.metrics import FieldType
from workbench_core.ports import Message, TrainingEvent, TrainingExample, TrainingRequest
from workbench_core.prompt_rendering import Renderer
from workbench_core.prompt_templates import OutputField
from workbench_core.prompt_templates import json_schema as the_workbench_schema
from workbench_core.settings import read_settings

settings = trainer_parts.settings  # a fixture
pytestmark = pytest.mark.alone  # it starts processes


# --- what a served language model is asked --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("system_prompt", "user_prompt", "variables"),
    [
        ("Be brief.", "{{ subject }}\n\n{{ body }}\n", {"subject": "A {{ b }} c", "body": " spaces <b> & “quotes” "}),
        ("", "{% if body %}{{ body|upper }}{% else %}nothing{% endif %}", {"subject": "x", "body": ""}),
        (" ", "{% for word in subject.split() %}- {{ word }}\n{% endfor %}", {"subject": "one two", "body": ""}),
        ("About {{ subject }}", "{{ body }}", {"subject": "x", "body": "long " * 5000}),
    ],
)
def test_a_served_model_is_asked_exactly_what_it_was_trained_on(system_prompt, user_prompt, variables):
    """The file that goes into the model renders the template by itself: it must not drift from the app's renderer."""
    from workbench_core.adapters.local.served_models.generator import messages_of

    examples = [{"input": "Question {{ x }}", "output": "Answer", "explanation": "why"}]
    template = {"system_prompt": system_prompt, "user_prompt": user_prompt, "examples": examples}
    trained_on = Renderer(system_prompt, user_prompt, [("Question {{ x }}", "Answer")]).render(variables)
    assert [Message(**message) for message in messages_of(template, variables)] == list(trained_on)


def test_a_served_model_answers_by_the_same_schema_as_the_workbench():
    from workbench_core.adapters.local.served_models.generator import json_schema

    fields = (
        OutputField("sender"),
        OutputField("urgent", FieldType.BOOLEAN, required=False),
        OutputField("topics", FieldType.ARRAY, options=("bug", "idea")),
        OutputField("kind", options=("a", "b")),
    )
    stored = [
        {"name": field.name, "type": field.type.value, "required": field.required, "options": list(field.options)}
        for field in fields
    ]
    assert json_schema(stored) == the_workbench_schema(fields)


# --- fine-tuning: needs the environment of `make finetune` ---------------------------------------------------------

FIELDS = {
    "system_prompt": "Give the sender and the subject as JSON.",
    "user_prompt": "{{ headers }}",
    "variables": ["headers"],
    "label_classes": [],
    "output_schema": [{"name": "sender", "type": "string"}, {"name": "subject", "type": "string"}],
    "examples": [],
    "max_tokens": 60,
}


@pytest.fixture
def tuner(settings):
    python = read_settings().finetune_python
    if python is None or not python.exists():
        pytest.skip("the fine-tuning extra is not installed (make finetune)")
    return LoraTrainer(replace(settings, finetune_python=python))


def mail(number: int) -> TrainingExample:
    sender, subject = f"person{number}@example.org", f"Meeting number {number}"
    headers = f"Date: Mon, {number % 28 + 1} Mar 2024\nSubject: {subject}\nFrom: {sender}"
    asked = (Message("system", FIELDS["system_prompt"]), Message("user", headers))  # type: ignore[arg-type]
    answer = json.dumps({"subject": subject, "sender": sender})  # not the schema's order: the trainer sorts it
    return TrainingExample(f"mail_{number}", f"mail_{number}", {"headers": headers}, asked, answer)


def mail_request(job_id: str) -> TrainingRequest:
    return TrainingRequest(
        job_id=job_id,
        model_name="mail_fields",
        answer_kind="structured",
        template=FIELDS,  # type: ignore[arg-type]
        train=tuple(mail(number) for number in range(16)),
        validation=tuple(mail(number) for number in range(90, 94)),
        parameters={"epochs": 1, "max_length": 160},
    )


@pytest.mark.finetune
@pytest.mark.slow
def test_fine_tuning_lowers_the_loss_and_registers_a_model_that_answers_by_the_schema(settings, tuner):
    events: list[TrainingEvent] = []
    result = tuner.train(mail_request("job_lora_1"), on_event=events.append, cancelled=lambda: False)
    losses = [event.metrics["train_loss"] for event in events if "train_loss" in event.metrics]
    assert len(losses) == 4
    assert losses[-1] < losses[0]
    assert result.metrics["val_loss"] < losses[0]
    assert all(event.metrics["tokens_per_second"] > 0 for event in events if "train_loss" in event.metrics)
    model = load(settings, result.version, "mail_fields")
    answers = model.predict(pd.DataFrame([dict(mail(95).variables)]))
    assert set(json.loads(answers.prediction[0])) == {"sender", "subject"}
    assert answers.confidence.isna().all()


@pytest.mark.finetune
@pytest.mark.slow
def test_cancelling_fine_tuning_ends_both_of_its_processes(settings, tuner):
    folder, cancelled, seen = settings.home / "training" / "job_lora_2", {"now": False}, []

    def stop_when_torch_runs(event: TrainingEvent) -> None:
        if "Loading" in event.message:
            seen.extend(processes_of(folder))
            cancelled["now"] = True

    asked = mail_request("job_lora_2")
    assert tuner.train(asked, on_event=stop_when_torch_runs, cancelled=lambda: cancelled["now"]) is None
    assert len(seen) == 2
    assert not processes_of(folder)
