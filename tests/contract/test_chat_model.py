"""A chat model answers batches: the same on the real tiny local model and on any OpenAI-compatible endpoint."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.chat_model_parts import SCHEMA, answered, asks, endpoint, free_port
from tests.contract.openai_stub import openai_stub, slow
from workbench_core.adapters.local import models
from workbench_core.adapters.local.models import TinyLocalModel, Weights, chat_models
from workbench_core.adapters.local.processes import PROJECT
from workbench_core.errors import Invalid, NotAuthorized, Unavailable
from workbench_core.ports import ChatAnswer, ChatModel, ChatOptions, TokenPrice
from workbench_core.settings import read_settings

PARENT = """
import sys, time
from pathlib import Path
from workbench_core.adapters.local.models import TinyLocalModel

print(TinyLocalModel(Path(sys.argv[1])).process.address().pid, flush=True)
time.sleep(60)
"""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyLocalModel]:
    model = TinyLocalModel(tmp_path_factory.mktemp("home"))
    availability = model.availability()
    if not availability.is_ready:
        pytest.skip(availability.reason)
    yield model
    model.process.stop()


@pytest.fixture(params=["tiny local model", "configured endpoint"])
def model(request: pytest.FixtureRequest) -> Iterator[ChatModel]:
    if request.param == "tiny local model":
        yield request.getfixturevalue("tiny")
        return
    with openai_stub(slow(0.05)) as stub:
        yield endpoint(stub.url)


# --- the contract --------------------------------------------------------------------------------------------


def test_it_is_ready_and_has_a_title(model: ChatModel) -> None:
    assert model.availability().is_ready
    assert model.title
    assert model.name


def test_every_conversation_is_answered_with_its_measures(model: ChatModel) -> None:
    found = answered(model, "Why is the sky blue?", "Name a fruit.", "Say hello.")
    assert set(found) == {"0", "1", "2"}
    for answer in found.values():
        assert answer.text
        assert answer.error is None
        assert answer.tokens_in > 0
        assert answer.tokens_out > 0
        assert answer.latency_ms > 1


def test_no_conversations_give_no_answers(model: ChatModel) -> None:
    assert answered(model) == {}


def test_an_answer_follows_the_schema(model: ChatModel) -> None:
    options = ChatOptions(max_tokens=80, schema=SCHEMA)  # type: ignore[arg-type]
    answer = answered(model, "Extract: the drill X200 stopped, urgent!", options=options)["0"]
    assert answer.error is None
    value = json.loads(answer.text or "")
    assert set(value) == {"product", "urgency"}
    assert 1 <= value["urgency"] <= 5


def test_an_answer_is_one_of_the_choices(model: ChatModel) -> None:
    choices = ("billing", "delivery delay", "“quoted” label")
    found = answered(model, "My parcel is late.", "Wrong invoice.", options=ChatOptions(choices=choices))
    assert {answer.text for answer in found.values()} <= set(choices)
    assert all(answer.error is None for answer in found.values())


def test_a_schema_that_is_none_is_refused(model: ChatModel) -> None:
    with pytest.raises(Invalid, match="not a JSON Schema"):
        answered(model, "Hello?", options=ChatOptions(schema={"type": "no such type"}))


def test_cancelling_leaves_out_what_is_not_answered(model: ChatModel) -> None:
    found: list[ChatAnswer] = []
    questions = asks(*["Tell a story."] * 200)
    started = time.monotonic()
    for answer in model.answer(questions, options=ChatOptions(max_tokens=8), cancelled=lambda: len(found) >= 3):
        found.append(answer)  # noqa: PERF402 - `cancelled` looks at it
    assert 3 <= len(found) <= 25
    assert all(answer.text for answer in found)
    assert time.monotonic() - started < 5


def test_a_batch_cancelled_before_it_starts_asks_nothing(model: ChatModel) -> None:
    assert list(model.answer(asks("Hello?"), options=ChatOptions(), cancelled=lambda: True)) == []


def test_leaving_the_loop_early_leaves_no_thread(model: ChatModel) -> None:
    answers = model.answer(asks(*["Tell a long story."] * 20), options=ChatOptions(max_tokens=8))
    next(answers)
    answers.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name == "chat-completions"]


# --- the tiny local model ------------------------------------------------------------------------------------


def test_a_prompt_beyond_the_context_is_an_error_of_its_item_only(tiny: TinyLocalModel) -> None:
    found = answered(tiny, "word " * 5000, "Say hello.")
    assert found["0"].error == "The prompt has 5,031 tokens; this model reads at most 4,096."
    assert found["1"].text


def test_a_choice_costs_a_few_tokens_only(tiny: TinyLocalModel) -> None:
    choices = ("true", 'said "no"\nand left', "Zürich")
    answer = answered(tiny, "Where is it?", options=ChatOptions(choices=choices))["0"]
    assert answer.text in choices
    assert answer.tokens_out < 16


def test_the_same_seed_gives_the_same_answer(tiny: TinyLocalModel) -> None:
    options = ChatOptions(temperature=0.8, max_tokens=12, seed=7)
    texts = {answered(tiny, "Invent a name for a cat.", options=options)["0"].text for _ in range(2)}
    assert len(texts) == 1


def test_others_on_this_machine_need_the_token(tiny: TinyLocalModel) -> None:
    url = f"{tiny.process.address().url}/v1"
    with pytest.raises(NotAuthorized):
        answered(endpoint(url, key="guessed"), "Hello?")
    assert answered(endpoint(url, key=tiny.process.address().token), "Hello?")["0"].text


def test_a_crashed_model_server_starts_anew(tiny: TinyLocalModel) -> None:
    before = tiny.process.address().pid
    os.kill(before, 9)
    assert answered(tiny, "Say hello.")["0"].text
    assert tiny.process.address().pid != before


def test_the_model_server_ends_when_its_parent_is_killed(tiny: TinyLocalModel, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 3
    while Path(f"/proc/{child}/cmdline").exists() and time.monotonic() < deadline:
        if not Path(f"/proc/{child}/cmdline").read_bytes():
            return  # ended, and not yet collected by the machine's first process
        time.sleep(0.05)
    assert not Path(f"/proc/{child}").exists()


def test_missing_weights_are_named_with_the_next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = Weights("SmolLM2", "no_such_package", "model.gguf", "0" * 64)
    monkeypatch.setattr(models, "GGUF", absent)
    availability = TinyLocalModel(tmp_path).availability()
    assert not availability.is_ready
    assert "SmolLM2" in availability.reason
    assert "requirements-weights.txt" in availability.hint
    with pytest.raises(Unavailable):
        answered(TinyLocalModel(tmp_path), "Hello?")


def test_changed_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "some_weights"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('never imported')")
    (package / "model.bin").write_bytes(b"good")
    monkeypatch.syspath_prepend(str(tmp_path))
    digest = "770e607624d689265ca6c44884d0807d9b054d23c473c106c72be9de08b7376c"
    weights = Weights("Some", "some_weights", "model.bin", digest)
    assert weights.checked_path(tmp_path / "home") == package / "model.bin"
    assert weights.checked_path(tmp_path / "home") == package / "model.bin"
    (package / "model.bin").write_bytes(b"evil")
    with pytest.raises(Unavailable, match="not the expected file"):
        weights.checked_path(tmp_path / "home")


# --- which models there are ----------------------------------------------------------------------------------


def test_the_settings_decide_who_answers_and_nobody_else_does(tmp_path: Path) -> None:
    home = {"WORKBENCH_HOME": str(tmp_path)}
    assert chat_models(read_settings(home))[0].title == "tiny local model"
    url = f"http://127.0.0.1:{free_port()}/v1"
    configured = chat_models(read_settings({**home, "WORKBENCH_MODEL_URL": url, "WORKBENCH_MODEL_NAME": "qwen"}))[0]
    assert configured.title == "qwen"
    assert "WORKBENCH_MODEL_URL" in configured.availability().hint
    assert not list((tmp_path).glob("run/model-server*"))


def test_all_configured_models_come_in_order_and_the_tiny_one_last(tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text("""
        [[model]]
        name = "big"
        title = "The big one"
        url = "http://localhost:1/v1"
        model = "vendor/big-70b"
        concurrency = 3
        reads_pictures = true
        price = {in = 0.5, out = 2, currency = "EUR"}

        [[model]]
        name = "small"
        provider = "ollama"
        """)
    found = chat_models(read_settings({"WORKBENCH_HOME": str(tmp_path)}))
    assert [model.name for model in found] == ["big", "small", TinyLocalModel.name]
    big, small, tiny = found
    assert (big.title, big.concurrency, big.reads_pictures) == ("The big one", 3, True)
    assert big.price == TokenPrice(0.5, 2.0, "EUR")
    assert (small.title, small.price, small.reads_pictures) == ("small", None, False)
    assert (tiny.title, tiny.price) == ("tiny local model", TokenPrice(0, 0))


def test_no_configured_model_takes_the_name_of_the_tiny_one(tmp_path: Path) -> None:
    wanted = {"WORKBENCH_MODEL_URL": "http://localhost:1/v1", "WORKBENCH_MODEL_NAME": TinyLocalModel.name}
    with pytest.raises(Invalid, match="as the tiny local model is"):
        chat_models(read_settings({"WORKBENCH_HOME": str(tmp_path), **wanted}))


def test_a_model_whose_key_is_missing_is_not_ready_and_says_which_variable_to_set(tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text('[[model]]\nname = "gpt"\nprovider = "openai"\n')
    availability = chat_models(read_settings({"WORKBENCH_HOME": str(tmp_path)}))[0].availability()
    assert not availability.is_ready
    assert availability.reason == "The variable OPENAI_API_KEY, which holds its key, is not set."
    assert "file of models" in availability.hint
