"""A template asked on real rows: this draft, other versions and other models side by side (TP-10)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from pages.components.errors import guard
from pages.components.generation_words import money
from pages.components.identity import current_user
from pages.components.rights import why_not
from pages.components.template_settings import choose_model, model_title
from pages.components.template_sheet import Looked, choose_rows, columns_of
from pages.components.template_trial_answers import Outcome, show_outcome
from pages.components.words import counted, plain
from workbench_core import cached
from workbench_core.permissions import Action
from workbench_core.prompt_templates import (
    PromptTemplate,
    RenderedItem,
    TemplateDraft,
    Trial,
    propose_mapping,
    unmapped,
)

MAX_TRIALS = 3
MAX_ROWS = 10
NOW = ""  # what the editor holds, in place of the id of a version


@dataclass(frozen=True, slots=True)
class Asked:
    """What is about to be asked: the trials with their titles, the rows, and how many of them."""

    trials: tuple[Trial, ...]
    titles: tuple[str, ...]
    looked: Looked
    rows: int


def trial_part(template: PromptTemplate, draft: TemplateDraft, known: Sequence[PromptTemplate]) -> None:
    """Choose rows and what to compare, see how many questions that are, and run it."""
    left, right = st.columns([2, 3], gap="medium")
    with left:
        st.subheader("Rows", anchor=False)
        looked = choose_rows(template, draft)
    if looked is None:
        return
    key = f"prompt_templates_{template.id}_trial"
    with left:
        st.session_state.setdefault(f"{key}_rows", 3)
        rows = st.slider("How many rows", 1, MAX_ROWS, key=f"{key}_rows", persist_state="session")
        with guard():
            if aside := cached.set_aside_count(looked.sheet.id):
                st.caption(f"{counted(aside, 'row')} set aside by data quality, left out here as in a generation.")
    with right:
        st.subheader("What to compare", anchor=False)
        chosen = choose_trials(template, draft, known, key=key)
        titles = unique([title for title, _ in chosen])
        asked = Asked(tuple(trial for _, trial in chosen), titles, looked, int(rows))
        run_now(asked, key=key)
    outcome = st.session_state.get(f"{key}_outcome")
    if outcome:
        if outcome.trials != asked.trials or outcome.sheet_id != looked.sheet.id:
            st.markdown(
                ":small[:orange[:material/history: These answers are from an earlier run: what is asked has changed.]]"
            )
        show_outcome(outcome)


def choose_trials(
    template: PromptTemplate, draft: TemplateDraft, known: Sequence[PromptTemplate], *, key: str
) -> list[tuple[str, Trial]]:
    """One to three pairs of version and model."""
    places: list[int] = st.session_state.setdefault(f"{key}_places", [0])
    is_changed = draft != template.draft
    versions = {NOW: draft} | {one.id: one.draft for one in known if one.id != template.id or is_changed}
    names = {one.id: f"{one.version} ({one.status})" for one in known}
    names |= {NOW: f"{template.version} with your changes" if is_changed else names[template.id]}
    chosen = []
    for number in tuple(places):
        with st.container(border=True, gap="small"):
            which, model = st.columns([4, 5])
            with which:
                picked = choose_version(versions, names, key=f"{key}_{number}_version")
                if number != places[0]:
                    st.button(
                        "Remove", key=f"{key}_{number}_remove", icon=":material/close:", type="tertiary",
                        on_click=places.remove, args=(number,),
                    )  # fmt: skip
            own = versions[picked].model
            with model:
                name = choose_model(f"{key}_{number}_model", label="Model", otherwise=own)
            chosen.append((f"{names[picked]} · {model_title(name or own)}", Trial(versions[picked], name)))
    if len(places) < MAX_TRIALS:
        st.button(
            "Compare with another version or model", key=f"{key}_add", icon=":material/add:", type="tertiary",
            on_click=add_place, args=(key, places, tuple(versions)),
        )  # fmt: skip
    return chosen


def choose_version(versions: Mapping[str, TemplateDraft], names: Mapping[str, str], *, key: str) -> str:
    """A version by its id, or what the editor holds now."""
    if st.session_state.get(key) not in versions:
        st.session_state[key] = NOW
    st.selectbox("Version", list(versions), key=key, format_func=names.__getitem__, persist_state="session")
    return str(st.session_state[key])


def add_place(key: str, places: list[int], versions: Sequence[str]) -> None:
    """One more to compare, beginning with a version that is not compared yet."""
    number, taken = max(places) + 1, {st.session_state.get(f"{key}_{place}_version", NOW) for place in places}
    places.append(number)
    st.session_state[f"{key}_{number}_version"] = next((one for one in versions if one not in taken), NOW)


def unique(titles: Sequence[str]) -> tuple[str, ...]:
    """Titles that can be told apart."""
    often = Counter(titles)
    return tuple(title if often[title] == 1 else f"{title} · {number}" for number, title in enumerate(titles, start=1))


def rows_of(asked: Asked, mapping: Mapping[str, str]) -> list[list[RenderedItem]]:
    """The rows of the sheet as each trial would ask them."""
    drafts = [trial.draft for trial in asked.trials]
    return cached.workbench().prompt_templates.render_each(drafts, asked.looked.sheet.id, mapping, limit=asked.rows)


def questions(asked: Asked, rendered: Sequence[Sequence[RenderedItem]]) -> str:
    """How many questions go to which model: a row that cannot be rendered is none."""
    models: Counter[str] = Counter()
    for trial, items in zip(asked.trials, rendered, strict=True):
        models[trial.model_name or trial.draft.model] += sum(not item.error for item in items)
    all_models = cached.workbench().chat_models
    return ", ".join(
        f"{counted(count, 'question')} to {plain(all_models.get(name).title)}" for name, count in models.items()
    )


def price_line(asked: Asked, rendered: Sequence[Sequence[RenderedItem]]) -> str:
    """What all questions would cost at most; empty when no model has a price."""
    workbench = cached.workbench()
    costs: dict[str, float] = {}
    for trial, items in zip(asked.trials, rendered, strict=True):
        possible = [item for item in items if not item.error]
        characters = sum(len(message.content) for item in possible for message in item.messages)
        estimate = workbench.chat_models.estimate(
            trial.model_name or trial.draft.model, calls=len(possible), characters=characters
        )
        if estimate.cost:
            costs[estimate.currency] = costs.get(estimate.currency, 0.0) + estimate.cost
    return " + ".join(f"about {plain(money(cost, currency))}" for currency, cost in costs.items())


def run_now(asked: Asked, *, key: str) -> None:
    """Say what would be asked, and ask it; each answer is kept as it comes, so that stopping loses nothing."""
    with guard():
        mapping = full_mapping(asked)
        missing = sorted({name for trial in asked.trials for name in unmapped(trial.draft, mapping)})
        refusal = why_not(Action.EDIT_TEMPLATES)
        rendered = [] if missing else rows_of(asked, mapping)
        reason = refusal or (f"Choose a column for {', '.join(missing)} first." if missing else no_rows(rendered))
        if rendered:
            cost = price_line(asked, rendered)
            st.markdown(f"**{questions(asked, rendered)}**" + (f", {cost}" if cost else ""))
        st.caption("An answer that was kept from earlier is not asked, and not paid, again.")
        with st.container(horizontal=True, vertical_alignment="center"):
            is_asked = st.button(
                "Run", key=f"{key}_run", type="primary", icon=":material/play_arrow:", disabled=bool(reason),
                help=reason or None,
            )  # fmt: skip
            place = st.empty()
        if reason:
            st.caption(plain(reason))
        if not is_asked:
            return
        place.button("Stop", key=f"{key}_stop", icon=":material/stop:")  # a press ends this run of the page
        ask(asked, mapping, total=sum(map(len, rendered)), key=key)
        place.empty()


def ask(asked: Asked, mapping: Mapping[str, str], *, total: int, key: str) -> None:
    """Ask, and show how far it is."""
    outcome = Outcome(asked.trials, asked.titles, asked.looked.sheet.id, [])
    st.session_state[f"{key}_outcome"] = outcome
    progress = st.progress(0.0, text=f"0 of {total} answers")
    found = cached.workbench().template_trials.run(
        asked.trials, asked.looked.sheet.id, mapping, limit=asked.rows, by=current_user()
    )
    for number, answer in enumerate(found, start=1):
        outcome.answers.append(answer)
        progress.progress(min(number / total, 1.0), text=f"{number} of {total} answers")
    progress.empty()


def no_rows(rendered: Sequence[Sequence[RenderedItem]]) -> str:
    """Why there is nothing to ask; empty when there is."""
    return "" if any(rendered) else "This sheet has no rows, or all of them are set aside."


def full_mapping(asked: Asked) -> dict[str, str]:
    """The chosen mapping, and for placeholders that only other versions have, the columns of the same name."""
    others = [name for trial in asked.trials for name in trial.draft.placeholders if name not in asked.looked.mapping]
    return {**propose_mapping(others, columns_of(asked.looked.sheet)), **asked.looked.mapping}
