"""A chat model that is given the pictures of its questions: read from the lake just before it is asked, a few at a
time, and made small."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from workbench_core.errors import Invalid, NotFound
from workbench_core.pictures import MAX_PIXELS, place_of, thumbnail
from workbench_core.ports import Availability, ChatAnswer, ChatModel, ChatOptions, Conversation, Lake, TokenPrice

SIDE = 1024  # pixels of the longer side; models see no more, and a JPEG of it has about 200 kB
ROUNDS = 4  # questions with pictures that are held at a time, for each that the model works on
MOST_HELD = 64
READERS = 2  # pictures that are decoded at the same time: one of 80 million pixels takes 300 MB meanwhile


class PictureReader:
    """Reads the pictures that messages name."""

    def __init__(self, lake: Lake | None) -> None:
        self._lake = lake

    def filled(self, conversation: Conversation) -> tuple[Conversation, str]:
        """The conversation with the bytes of its pictures as JPEG, and why one of them is missing, if so."""
        pictures = dict(conversation.pictures)
        problem = ""
        for name in _attachments(conversation):
            if name not in pictures:
                content, why_not = self._read(name)
                problem = problem or why_not
                if content is not None:
                    pictures[name] = content
        return replace(conversation, pictures=pictures), problem

    def _read(self, name: str) -> tuple[bytes | None, str]:
        place = place_of(name)
        file = place.path.rpartition("/")[2]
        if self._lake is None:
            return None, f"The picture {file} cannot be read here."
        try:
            content = self._lake.read_file(place.volume, place.path)
        except (Invalid, NotFound) as error:
            return None, f"The picture {file} cannot be read: {error.message}"
        small = thumbnail(content, side=SIDE)
        if small is not None:
            return small, ""
        most = f"{MAX_PIXELS // 1_000_000} million pixels"
        return None, f"{file} cannot be read as a picture: it is damaged, of another kind, or has more than {most}."


class PictureModel:
    """`ports.ChatModel` around another one, which gets the bytes of the pictures that messages name.

    A question whose picture cannot be read comes back with an error, and so does every question with a picture when
    the model reads none: it is never asked about the text alone.
    """

    name: str
    title: str
    price: TokenPrice | None
    concurrency: int
    reads_pictures: bool

    def __init__(self, model: ChatModel, reader: PictureReader) -> None:
        self._model = model
        self._reader = reader

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._model, name)

    def availability(self) -> Availability:
        """Whether the model can answer now."""
        return self._model.availability()

    def answer(
        self,
        conversations: Sequence[Conversation],
        *,
        options: ChatOptions,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Iterator[ChatAnswer]:
        """The answers to questions without pictures first, then the others in groups, each as the port says."""
        with_pictures = [conversation for conversation in conversations if _attachments(conversation)]
        if len(with_pictures) < len(conversations):
            plain = [conversation for conversation in conversations if not _attachments(conversation)]
            yield from self._model.answer(plain, options=options, cancelled=cancelled)
        if not self._model.reads_pictures:
            reason = f"The {self._model.title} reads no pictures. Choose a model that does."
            yield from (ChatAnswer(conversation.id, None, reason) for conversation in with_pictures)
            return
        size = min(MOST_HELD, ROUNDS * self._model.concurrency)
        for start in range(0, len(with_pictures), size):
            if cancelled():
                return
            yield from self._group(with_pictures[start : start + size], options, cancelled)

    def _group(
        self, conversations: Sequence[Conversation], options: ChatOptions, cancelled: Callable[[], bool]
    ) -> Iterator[ChatAnswer]:
        with ThreadPoolExecutor(READERS) as pool:
            read = list(pool.map(self._reader.filled, conversations))
        yield from (ChatAnswer(conversation.id, None, problem) for conversation, problem in read if problem)
        readable = [conversation for conversation, problem in read if not problem]
        if readable:
            yield from self._model.answer(readable, options=options, cancelled=cancelled)


def _attachments(conversation: Conversation) -> tuple[str, ...]:
    """The pictures that its messages name, each once."""
    return tuple(dict.fromkeys(name for message in conversation.messages for name in message.attachments))
