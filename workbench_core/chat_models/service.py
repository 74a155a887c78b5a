"""The service behind language models: the default one, all of them, one by name; what questions to them will cost."""

from __future__ import annotations

from collections.abc import Sequence

from workbench_core.chat_models.keeping import KeepingModel
from workbench_core.chat_models.model import CallEstimate, KeptAnswers, ModelSpeed, estimated
from workbench_core.chat_models.picture_reading import PictureModel, PictureReader
from workbench_core.chat_models.questions import prompt_hashes, wants_json
from workbench_core.chat_models.records import AnswerRecords
from workbench_core.clock import Clock
from workbench_core.errors import NotFound
from workbench_core.ports import ChatModel, ChatOptions, Conversation, Lake, Store


class ChatModels:
    """The language models of this installation, the default one first; each answers the same question only once.

    An answer is kept under model (its name, address and name there), options, messages and pictures, and comes back
    with `is_kept` from then on.
    Pictures that are attached to messages are read from the lake when they are needed; without one they cannot be.
    """

    def __init__(self, store: Store, models: Sequence[ChatModel], clock: Clock, *, lake: Lake | None = None) -> None:
        self._records = AnswerRecords(store, clock)
        self._pictures = PictureReader(lake)
        self._models: tuple[ChatModel, ...] = tuple(
            PictureModel(KeepingModel(model, self._records), self._pictures) for model in models
        )

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

    def speed(self, name: str = "") -> ModelSpeed:
        """How quick and wordy a model is by its newest kept answers; named assumptions before any. Raises NotFound."""
        return self._records.speed(self.get(name).name)

    def estimate(self, name: str = "", *, calls: int, characters: int) -> CallEstimate:
        """What so many calls will take; `characters` are those of all their prompts together. Raises NotFound."""
        return estimated(self.get(name), self.speed(name), calls=calls, characters=characters)

    def known(self, name: str, conversations: Sequence[Conversation], options: ChatOptions) -> int:
        """How many of these questions have a kept answer. Raises NotFound."""
        hashes = self._hashes(name, conversations, options)
        known = self._records.known(list(dict.fromkeys(hashes)), is_json=wants_json(options))
        return sum(prompt_hash in known for prompt_hash in hashes)

    def to_ask(self, name: str, conversations: Sequence[Conversation], options: ChatOptions) -> tuple[str, ...]:
        """The ids of the conversations that would be paid for: without a kept answer, each question once.

        Reads all their pictures, if the model does. Raises NotFound.
        """
        first: dict[str, str] = {}
        for prompt_hash, conversation in zip(self._hashes(name, conversations, options), conversations, strict=True):
            first.setdefault(prompt_hash, conversation.id)
        known = set() if options.asks_again else self._records.known(list(first), is_json=wants_json(options))
        return tuple(asked for prompt_hash, asked in first.items() if prompt_hash not in known)

    def kept(self) -> list[KeptAnswers]:
        """What is kept of each model, by name, also of models that are not configured any more."""
        return self._records.totals()

    def _hashes(self, name: str, conversations: Sequence[Conversation], options: ChatOptions) -> list[str]:
        """The hashes under which the answers are kept; a picture that cannot be read is left out."""
        model = self.get(name)
        if model.reads_pictures:
            conversations = [self._pictures.filled(conversation)[0] for conversation in conversations]
        return prompt_hashes(model, conversations, options)
