"""The installation: readiness of every part, configuration without secrets, versions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.core.generation_parts import ANN, RuleModel
from workbench_core.errors import BackendError, NotFound, NotPermitted, Unavailable
from workbench_core.installation import VARIABLES, Installation, Parts, without_password
from workbench_core.ports import Availability, TokenPrice
from workbench_core.settings import read_settings
from workbench_core.settings.models import OF_ONE_MODEL

ROOT = Path(__file__).resolve().parents[2]


class Ready:
    """A part that only says whether it is ready."""

    name, title, dimension, answer_kinds = "small", "Small part", 3, ("label", "text")

    def __init__(self, availability=Availability(True)):
        self._availability = availability

    def availability(self):
        return self._availability


@pytest.fixture
def build(store, lake, permissions, tmp_path):
    def make(*, models=None, trainers=(), environment=None, **parts):
        found = {"store": store, "lake": lake} | parts
        settings = read_settings({"WORKBENCH_HOME": str(tmp_path), **(environment or {})})
        return Installation(
            settings,
            Parts(
                **found, chat_models=lambda: models or (RuleModel(),), embedder=Ready, trainers=lambda: trainers,
                serving=lambda: Ready(Availability(False, "The gateway is not installed.", "Install it.")),
            ),
            permissions,
            environment=environment or {},
        )  # fmt: skip

    return make


def test_every_part_says_whether_it_is_ready_and_else_why_and_what_to_do(build):
    missing = Ready(Availability(False, "torch is not installed.", "Run make finetune."))
    parts = {part.name: part for part in build(trainers=(missing,)).parts()}
    assert list(parts) == ["store", "lake", "chat_model", "embedder", "trainer_small", "serving", "tracking"]
    assert parts["store"].is_ready
    assert parts["lake"].is_ready
    assert parts["trainer_small"].availability.hint == "Run make finetune."
    assert parts["trainer_small"].details == {"Learns": "label, text"}
    assert parts["serving"].availability.reason == "The gateway is not installed."
    assert parts["embedder"].details == {"Model": "small", "Dimension": "3"}


def test_a_store_that_does_not_answer_is_told_and_the_rest_is_still_looked_at(build):
    class Down:
        def query(self, sql):
            raise Unavailable("The store does not answer.", hint="Check it.")

    parts = build(store=Down()).parts()
    assert (parts[0].is_ready, parts[0].availability.hint) == (False, "Check it.")
    assert parts[1].is_ready


def test_each_language_model_answers_a_test_question(build):
    paris, rome = (RuleModel(rule=lambda _, city=city: city, name=city) for city in ("Paris", "Rome"))
    installation = build(models=(paris, rome))
    assert installation.ask_model("Rome", by=ANN).text == "Rome"
    assert rome.options.asks_again, "a kept answer would say nothing about the model"
    assert paris.asked == []
    with pytest.raises(NotFound, match="No language model “Oslo”"):
        installation.ask_model("Oslo", by=ANN)


def test_a_test_question_without_an_answer_is_told(build):
    failing = RuleModel(failing=frozenset({"test"}))
    assert build(models=(failing,)).ask_model("rule-model", by=ANN).error == "The model refused this item."
    silent = RuleModel()
    silent.answer = lambda conversations, *, options: iter(())
    with pytest.raises(BackendError, match="no answer"):
        build(models=(silent,)).ask_model("rule-model", by=ANN)


def test_every_model_is_shown_with_its_configuration_and_never_with_its_key(build, tmp_path):
    (tmp_path / "models.toml").write_text("""
        [[model]]
        name = "mini"
        provider = "openai"
        requests_per_minute = 500
        tokens_per_minute = 200000

        [[model]]
        name = "lakehouse"
        url = "https://adb-1.azuredatabricks.net/serving-endpoints"
        auth = "databricks"

        [[model]]
        name = "gpu"
        url = "http://ann:s3cret@gpu:8000/v1"
        """)
    mini = RuleModel(name="mini", title="Small and cheap", price=TokenPrice(0.15, 0.6, "EUR"), reads_pictures=True)
    others = [RuleModel(name=name, title=name) for name in ("lakehouse", "gpu")]
    tiny = RuleModel(name="tiny", title="tiny local model", price=TokenPrice(0, 0))
    found = build(models=(mini, *others, tiny), environment={"OPENAI_API_KEY": "s3cret"}).parts()
    first, lakehouse, gpu, last = (part for part in found if part.model_name)
    assert (first.name, first.title, first.model_name) == ("chat_model", "Language model", "mini")
    assert first.details == {
        "Model": "mini",
        "Title": "Small and cheap",
        "Price": "0.15 in, 0.6 out, EUR per million tokens",
        "At the same time": "4",
        "Pictures": "read",
        "Server": "api.openai.com",
        "Limit": "500 requests a minute, 200,000 tokens a minute",
        "Key": "OPENAI_API_KEY is set",
    }
    assert lakehouse.details["Key"] == "sign-in by databricks-sdk"
    assert (gpu.details["Server"], gpu.details["Key"], gpu.details["Price"]) == ("gpu:8000", "none needed", "not known")
    assert (last.title, last.details["Price"], "Server" in last.details) == (
        "Language model: tiny local model", "nothing", False,
    )  # fmt: skip
    assert "s3cret" not in repr(found)


def test_only_administrators_may_ask(build, permissions):
    permissions.assign("lea@example.com", "labeler", by=ANN)
    with pytest.raises(NotPermitted):
        build().ask_model("rule-model", by="lea@example.com")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ann:s3cret@db.example.com:5432/work?password=x", "postgresql://ann:…@db.example.com:5432/work"),
        ("postgresql://ann:s3/c:r@t@db/work", "postgresql://ann:…@db/work"),
        ("postgresql://:s3cret@db/work", "postgresql://:…@db/work"),
        ("sqlite:////data/store.db", "sqlite:////data/store.db"),
        ("http://localhost:11434/v1", "http://localhost:11434/v1"),
        ("", ""),
    ],
)
def test_an_address_is_shown_without_its_password(url, shown):
    assert without_password(url) == shown


def test_no_secret_is_given_out_anywhere(build):
    environment = {
        "WORKBENCH_MODEL_KEY": "s3cret",
        "WORKBENCH_MODEL_URL": "https://models.example.com/v1?key=s3cret",
        "WORKBENCH_STORE_URL": "postgresql://ann:s3cret@db/work",
        "WORKBENCH_USER": "ann",
    }
    installation = build(environment=environment)
    assert "s3cret" not in repr((installation.parts(), installation.variables(), installation.versions()))
    values = {variable.name: variable.value for variable in installation.variables()}
    assert (values["WORKBENCH_MODEL_KEY"], values["WORKBENCH_USER"]) == ("set", "ann")
    assert values["WORKBENCH_MODEL_NAME"] == ""


def test_every_variable_that_is_read_is_explained():
    files = [file.read_text() for file in sorted((ROOT / "workbench_core" / "settings").glob("*.py"))]
    read = {name for text in files for name in re.findall(r'"(WORKBENCH_[A-Z_]*[A-Z])"', text)}
    read |= {f"WORKBENCH_MODEL_{name}" for name in OF_ONE_MODEL}
    assert {variable.name for variable in VARIABLES} == read
    assert all(variable.meaning for variable in VARIABLES)


def test_versions_name_python_and_installed_packages_only(build):
    found = build().versions()
    assert found["Python"].startswith("3.")
    assert {"streamlit", "duckdb", "pandas"} <= set(found)
