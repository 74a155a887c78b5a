"""The question of a pair that is to be answered: as it was asked, or made anew from its frozen values and pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace

from workbench_core.errors import Invalid
from workbench_core.pairs import Pair
from workbench_core.ports import ChatOptions
from workbench_core.prompt_rendering import Renderer
from workbench_core.prompt_templates import TemplateDraft
from workbench_core.prompt_templates.row_values import kept_pictures, lacks_picture, with_pictures
from workbench_core.training_sheets.answering import AnswerRequest
from workbench_core.training_sheets.examples import with_examples
from workbench_core.training_sheets.items import Item
from workbench_core.training_sheets.model import FewShot

_NO_PICTURE = "The picture of this item was not kept, because its question could not be made: generate it anew."


@dataclass(frozen=True, slots=True)
class Questions:
    """How the pairs of an answering are asked; `renderer` only when their questions are made anew."""

    template: TemplateDraft
    examples: tuple[FewShot, ...]
    wanted: int
    renderer: Renderer | None

    def item(self, pair: Pair) -> Item:
        """A pair as an item with its question, or with the reason why there is none."""
        if self.renderer is None:
            error = "" if pair.messages else pair.generation_error
            return Item(pair.item_ref, pair.variables, pair.messages, error=error)
        placeholders = self.template.placeholders
        try:
            messages = self.renderer.render(pair.variables)
        except Invalid as error:
            return Item(pair.item_ref, pair.variables, (), error=error.message)
        if not pair.messages and lacks_picture(pair.variables, placeholders):
            return Item(pair.item_ref, pair.variables, (), error=_NO_PICTURE)
        attachments = pair.messages[-1].attachments if pair.messages else ()
        attached = with_pictures(messages, kept_pictures(pair.variables, attachments, placeholders))
        return with_examples(Item(pair.item_ref, pair.variables, attached), self.examples, self.wanted)


def questions(
    template: TemplateDraft, examples: tuple[FewShot, ...], request: AnswerRequest, *, is_newer: bool
) -> Questions:
    """How the pairs of a request are asked: anew with a newer template or with examples."""
    is_anew = is_newer or bool(examples)
    return Questions(template, examples, request.examples, template.renderer() if is_anew else None)


def options_of(template: TemplateDraft, request: AnswerRequest, *, is_newer: bool) -> ChatOptions:
    """How the model is asked; whoever overwrites an answer without a newer template wants another one, no kept one."""
    return replace(template.chat_options(seed=request.seed), asks_again=request.overwrite and not is_newer)
