"""Which model versions stay in memory; the models are stand-ins, for only their comings and goings matter here."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from workbench_core.adapters.local import loaded_models
from workbench_core.adapters.local.loaded_models import IDLE_MODELS_KEPT, Key, ServedModel, ServedModels
from workbench_core.errors import BackendError, TimedOut


class Upper:
    """Answers with the text in upper-case letters."""

    def predict(self, data):
        return [text.upper() for text in data["text"]]


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[Key]:
    """What was loaded, in its order."""
    loaded: list[Key] = []

    def load(_tracker: object, key: Key) -> ServedModel:
        loaded.append(key)
        time.sleep(0.01)
        if key[1] == 13:
            raise BackendError("It cannot be loaded.")
        return ServedModel(key, Upper(), {"text": "string"}, ("text",), ThreadPoolExecutor(1))

    monkeypatch.setattr(loaded_models, "_load", load)
    return loaded


def test_who_asks_for_the_same_version_at_once_waits_for_one_loading(tmp_path: Path, loads: list[Key]) -> None:
    async def ask() -> list[list[dict[str, object]]]:
        models = ServedModels(tmp_path, is_serving=lambda key: False)
        asked = (models.predict(("a", 1), [{"text": "x"}], seconds=5) for _ in range(20))
        return await asyncio.gather(*asked)

    assert asyncio.run(ask()) == [[{"prediction": "X", "confidence": None}]] * 20
    assert loads == [("a", 1)]


def test_served_versions_stay_and_of_the_others_the_last_used(tmp_path: Path, loads: list[Key]) -> None:
    async def ask() -> list[int]:
        models = ServedModels(tmp_path, is_serving=lambda key: key == ("a", 1))
        for version in range(1, 13):
            await models.get(("a", version))
            await models.get(("a", 2))  # used again and again
        return [version for version in range(1, 13) if models.is_loaded(("a", version))]

    assert asyncio.run(ask()) == [1, 2, 6, 7, 8, 9, 10, 11, 12]
    assert IDLE_MODELS_KEPT == 8


def test_a_version_that_could_not_be_loaded_says_why_and_is_tried_again(tmp_path: Path, loads: list[Key]) -> None:
    async def ask() -> str:
        models = ServedModels(tmp_path, is_serving=lambda key: False)
        for _ in range(2):
            with pytest.raises(BackendError, match="cannot be loaded"):
                await models.get(("a", 13))
        return models.failure(("a", 13))

    assert asyncio.run(ask()) == "It cannot be loaded."
    assert loads == [("a", 13)] * 2


def test_loading_is_not_waited_for_without_end(
    tmp_path: Path, loads: list[Key], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loaded_models, "LOADING_SECONDS", 0.001)

    async def ask() -> bool:
        models = ServedModels(tmp_path, is_serving=lambda key: False)
        with pytest.raises(TimedOut, match="Version 1 of “a” was not loaded"):
            await models.get(("a", 1))
        await asyncio.sleep(0.1)
        return models.is_loaded(("a", 1))  # the loading itself went on

    assert asyncio.run(ask())
