"""Rendering with inputs that may be missing: they are empty, unless the prompt gives them a default()."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from jinja2 import nodes

from workbench_core.ports import Message
from workbench_core.prompt_rendering import Renderer
from workbench_core.prompt_rendering.grammar import parsed

_DEFAULTS = ("default", "d")


class LenientRenderer(Renderer):
    """A renderer that takes optional placeholders without a value as empty text."""

    def __init__(
        self,
        system_prompt: str,
        user_prompt: str,
        examples: Sequence[tuple[str, str]] = (),
        *,
        optional: Iterable[str] = (),
    ) -> None:
        super().__init__(system_prompt, user_prompt, examples)
        bare = bare_names(system_prompt) | bare_names(user_prompt)
        self._defaults = {name: "" for name in optional if name in bare}

    def render(self, variables: Mapping[str, str]) -> tuple[Message, ...]:
        """The messages of an item, with nothing where an optional value is missing. Raises Invalid."""
        return super().render({**self._defaults, **variables})


@lru_cache(maxsize=256)
def bare_names(text: str) -> frozenset[str]:
    """The names that a prompt without faults uses somewhere without saying what stands there when they are missing."""
    guarded: set[int] = set()
    tree = parsed(text)
    for wrapped in tree.find_all(nodes.Filter):
        if wrapped.name in _DEFAULTS and isinstance(wrapped.node, nodes.Name):
            guarded.add(id(wrapped.node))
    for test in tree.find_all(nodes.Test):
        if test.name in {"defined", "undefined"} and isinstance(test.node, nodes.Name):
            guarded.add(id(test.node))
    return frozenset(name.name for name in tree.find_all(nodes.Name) if name.ctx == "load" and id(name) not in guarded)
