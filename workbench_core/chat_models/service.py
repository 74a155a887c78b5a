"""The service behind language models: the default one, all of them, one by name."""

from __future__ import annotations

from collections.abc import Sequence

from workbench_core.clock import Clock
from workbench_core.errors import NotFound
from workbench_core.ports import ChatModel, Store


class ChatModels:
    """The language models of this installation, the default one first."""

    def __init__(self, store: Store, models: Sequence[ChatModel], clock: Clock) -> None:
        self._store = store
        self._models = tuple(models)
        self._clock = clock

    @property
    def default(self) -> ChatModel:
        """The model that answers when none is named."""
        return self._models[0]

    def all(self) -> tuple[ChatModel, ...]:
        """All models in the order of the settings."""
        return self._models

    def get(self, name: str = "") -> ChatModel:
        """One model by its name, the default one for an empty name. Raises NotFound."""
        if not name:
            return self.default
        for model in self._models:
            if model.name == name:
                return model
        raise NotFound(f"No language model “{name}” is configured.", hint="Choose another model, or configure it.")
