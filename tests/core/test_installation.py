"""The installation: readiness of every part, configuration without secrets, versions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.core.generation_parts import ANN, RuleModel
from workbench_core.errors import BackendError, NotPermitted, Unavailable
from workbench_core.installation import VARIABLES, Installation, Parts, without_password
from workbench_core.ports import Availability
from workbench_core.settings import read_settings

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
    def make(*, model=None, trainers=(), environment=None, **parts):
        found = {"store": store, "lake": lake} | parts
        settings = read_settings({"WORKBENCH_HOME": str(tmp_path), **(environment or {})})
        return Installation(
            settings,
            Parts(
                **found, chat_model=lambda: model or RuleModel(), embedder=Ready, trainers=lambda: trainers,
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


def test_the_language_model_answers_a_test_question(build):
    assert build(model=RuleModel(rule=lambda question: "Paris")).ask_model(by=ANN).text == "Paris"
    failing = RuleModel(failing=frozenset({"test"}))
    assert build(model=failing).ask_model(by=ANN).error == "The model refused this item."
    silent = RuleModel()
    silent.answer = lambda conversations, *, options: iter(())
    with pytest.raises(BackendError, match="no answer"):
        build(model=silent).ask_model(by=ANN)


def test_only_administrators_may_ask(build, permissions):
    permissions.assign("lea@example.com", "labeler", by=ANN)
    with pytest.raises(NotPermitted):
        build().ask_model(by="lea@example.com")


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
        "WORKBENCH_MODEL_URL": "https://bot:s3cret@models.example.com/v1",
        "WORKBENCH_STORE_URL": "postgresql://ann:s3cret@db/work",
        "WORKBENCH_USER": "ann",
    }
    installation = build(environment=environment)
    assert "s3cret" not in repr((installation.parts(), installation.variables(), installation.versions()))
    values = {variable.name: variable.value for variable in installation.variables()}
    assert (values["WORKBENCH_MODEL_KEY"], values["WORKBENCH_USER"]) == ("set", "ann")
    assert values["WORKBENCH_MODEL_NAME"] == ""


def test_every_variable_that_is_read_is_explained():
    read = set(re.findall(r'"(WORKBENCH_[A-Z_]+)"', (ROOT / "workbench_core" / "settings.py").read_text()))
    assert {variable.name for variable in VARIABLES} == read
    assert all(variable.meaning for variable in VARIABLES)


def test_versions_name_python_and_installed_packages_only(build):
    found = build().versions()
    assert found["Python"].startswith("3.")
    assert {"streamlit", "duckdb", "pandas"} <= set(found)
