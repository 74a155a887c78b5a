"""Where the answers of a generation come from: the source, the column, the model, worked examples and a budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import streamlit as st

from pages.components.generation_words import SOURCES, price_words
from pages.components.words import plain
from workbench_core import cached_generation
from workbench_core.cached_generation import OfferedModel
from workbench_core.prompt_templates import AnswerSource, PromptTemplate
from workbench_core.training_sheets import GenerationRequest
from workbench_core.training_sheets.answer_column import propose_answer_column
from workbench_core.training_sheets.model import MAX_EXAMPLES, asks_model, reads_column

_CAPTIONS = {
    AnswerSource.EXISTING_COLUMN: "Known answers, to be reviewed",
    AnswerSource.MANUAL: "Pairs without an answer, to be labelled by hand",
    AnswerSource.AI_GENERATED: "Every answer is a proposal, to be reviewed",
    AnswerSource.HYBRID: "Known answers where there are any; a model only for items without",
    AnswerSource.CANONICAL: "Items without a canonical label of this label type are left out",
}
_NO_LIMIT, _MONEY, _CALLS = "No limit", "Budget", "Calls"


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """Which model answers, with how many worked examples, and what it may cost."""

    name: str = ""
    examples: int = 0
    budget: float | None = None
    call_limit: int | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """Where answers come from, and how a model makes them when one does."""

    source: AnswerSource
    model: ModelChoice = ModelChoice()

    @property
    def needs_column(self) -> bool:
        """Whether a column of the sheet holds answers."""
        return reads_column(self.source)


def choose_answers(template: PromptTemplate, *, key: str, start: AnswerSource | None = None) -> Answers:
    """The source of answers, and a model with its limits when the source needs one."""
    source = AnswerSource(
        st.radio(
            "Answers", list(SOURCES), index=list(SOURCES).index(start or template.answer_source),
            format_func=SOURCES.__getitem__, captions=[_CAPTIONS[each] for each in SOURCES], key=f"{key}_source",
            label_visibility="collapsed", persist_state="session",
        )
    )  # fmt: skip
    if not asks_model(source):
        return Answers(source)
    with st.container(border=True):
        return Answers(source, choose_model(key=key, start=template.model))


def complete_with(request: GenerationRequest, answers: Answers, column: str) -> GenerationRequest:
    """A request with its answers."""
    return replace(
        request,
        answer_source=answers.source,
        answer_column=column,
        model_name=answers.model.name,
        examples=answers.model.examples,
        budget=answers.model.budget,
        call_limit=answers.model.call_limit,
    )


def choose_answer_column(
    label_type: str,
    columns: Sequence[str],
    mapping: Mapping[str, str],
    *,
    key: str,
    start: str = "",
    is_warned: bool = True,
) -> str:
    """The column that holds the answers; the kept one or the one with a fitting name is filled in.

    It is warned of one that gives the answer away, unless the page has a pre-flight, which says it.
    """
    proposed = start if start in columns else propose_answer_column(label_type, columns, mapped=list(mapping.values()))
    chosen = st.selectbox(
        "Column that holds the answers", columns, index=columns.index(proposed) if proposed else None,
        key=f"{key}_answer_column", placeholder="Choose a column", persist_state="session",
    )  # fmt: skip
    if is_warned and chosen and chosen in mapping.values():
        st.markdown(
            ":small[:orange[:material/warning: This column is part of the question: it gives the answer away.]]"
        )
    return chosen or ""


# --- the model -------------------------------------------------------------------------------------------------------


def choose_model(*, key: str, start: str = "") -> ModelChoice:
    """A model with price and availability, worked examples, and where the run pauses."""
    offered = {model.name: model for model in cached_generation.models()}
    names = list(offered)
    name = st.selectbox(
        "Model", names, index=names.index(start) if start in offered else 0, key=f"{key}_model",
        format_func=lambda one: _model_title(offered[one]) if one in offered else one, persist_state="session",
    ) or names[0]  # fmt: skip
    model = offered.get(name, offered[names[0]])
    _availability(model)
    with st.grid(2, min_column_width=200):
        examples = st.number_input(
            "Examples from approved pairs", 0, MAX_EXAMPLES, 0, key=f"{key}_examples", persist_state="session",
            help="The latest approved pairs of this sheet and label type stand before each question, as a person "
            "would show a colleague what is meant. They make each call longer.",
        )  # fmt: skip
        limit = _choose_limit(model, key=key)
    return replace(limit, name=model.name, examples=int(examples or 0))


def _model_title(model: OfferedModel) -> str:
    title = model.title[:1].upper() + model.title[1:]
    state = "ready" if model.availability.is_ready else "cannot answer now"
    return f"{title} · {price_words(model.price)} · {state}"


def _availability(model: OfferedModel) -> None:
    """Why a model cannot answer, and what to do."""
    if not model.availability.is_ready:
        reason = f"{model.availability.reason} {model.availability.hint}".strip()
        st.markdown(f":small[:red[:material/error: It cannot answer now: {plain(reason)}]]")


def _choose_limit(model: OfferedModel, *, key: str) -> ModelChoice:
    """Where a run pauses by itself: at an amount, or after a number of calls."""
    kinds = [_NO_LIMIT, _MONEY, _CALLS] if model.price else [_NO_LIMIT, _CALLS]
    help_ = "The run pauses when this is used up. Nothing is lost: it goes on with a higher one."
    if not model.price:
        help_ += " The price of this model is not known, so only calls can be counted."
    if st.session_state.get(f"{key}_limit_kind") not in kinds:
        st.session_state[f"{key}_limit_kind"] = _NO_LIMIT
    kind = st.segmented_control(
        "Pause at", kinds, key=f"{key}_limit_kind", required=True, help=help_, persist_state="session"
    )
    if kind == _MONEY and model.price:
        return ModelChoice(budget=budget_field(model.price.currency, key=f"{key}_budget"))
    if kind == _CALLS:
        return ModelChoice(call_limit=calls_field(key=f"{key}_calls"))
    return ModelChoice()


def budget_field(currency: str, *, key: str, least: float = 0.0, start: float = 1.0) -> float:
    """An amount in the currency of the model, above `least`."""
    begin = max(start, least)
    amount = st.number_input(
        f"Budget in {currency}", least, None, begin, key=key, step=0.5, persist_state="session",
        format="%.2f" if begin >= 1 else "%.4f",
    )  # fmt: skip
    return float(amount or 0.0)


def calls_field(*, key: str, least: int = 1, start: int = 100) -> int:
    """A number of calls, at least `least`."""
    number = st.number_input(
        "Calls at most", least, None, max(start, least), key=key, step=100, persist_state="session"
    )
    return int(number or least)
