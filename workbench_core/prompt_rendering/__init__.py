"""Rendering of prompts: Jinja templates over the values of one item, sandboxed and bounded in size and time."""

from workbench_core.prompt_rendering.grammar import MAX_PROMPT, Fault, constant_lines, faults, placeholders
from workbench_core.prompt_rendering.renderer import Renderer, text_of, texts_of
from workbench_core.prompt_rendering.sandbox import (
    MAX_ITERATIONS,
    MAX_OUTPUT,
    MAX_SECONDS,
    MAX_TEXT,
    MAX_VALUE,
    MAX_WORK,
)

__all__ = [
    "MAX_ITERATIONS",
    "MAX_OUTPUT",
    "MAX_PROMPT",
    "MAX_SECONDS",
    "MAX_TEXT",
    "MAX_VALUE",
    "MAX_WORK",
    "Fault",
    "Renderer",
    "constant_lines",
    "faults",
    "placeholders",
    "text_of",
    "texts_of",
]
