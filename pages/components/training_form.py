"""Starting a training job: the training sheet, the gate with every exclusion, the trainer and its parameters."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import streamlit as st

from pages.components.address import pick_row
from pages.components.charts import Look, stacked_bar
from pages.components.errors import guard
from pages.components.identity import current_user
from pages.components.layout import empty_state, flash, metric_row, page_header
from pages.components.rights import why_not
from pages.components.words import plain, words
from workbench_core import cached
from workbench_core.permissions import Action
from workbench_core.training_gate import GateSummary, Shares, Split
from workbench_core.training_jobs import Candidate, JobRequest, Json, RetrainProposal, Trainer

DESCRIPTIONS = {
    "classifier": "Seconds to minutes. Tries several text classifiers by cross-validation and keeps the best.",
    "lora": "Minutes to hours. Teaches the tiny local language model your answers: classes, fields or free text.",
}
HELP = {
    "folds": "How many times the training part is divided to compare the candidates.",
    "sentence_vectors_up_to": "Sentence vectors are tried up to this number of examples; reading them takes a while.",
    "character_ngrams_up_to": "Character n-grams are tried up to this number of characters in all examples.",
    "epochs": "How often every example is seen.",
    "learning_rate": "How far each step goes. Too high forgets, too low does not learn.",
    "batch_size": "Examples in one step.",
    "lora_rank": "How much the adapter can hold.",
    "max_length": "Tokens of an example; longer ones are cut.",
    "time_budget_minutes": "Training ends after this time with what it has learned.",
}
SPLIT_TONES = {"Train": "info", "Validation": "warning", "Test": "good", "Excluded": "neutral"}
USED = (Split.TRAIN, Split.VALIDATION, Split.TEST)
CHANGES = {"new": "New", "changed": "Changed", "removed": "Removed"}


def show_form(training_sheet_id: str, retrain: str) -> None:
    """Choose a training sheet, then everything else on one page."""
    if retrain:
        proposal = cached.retrain_proposal(retrain, training_sheet_id)
        page_header(
            f"Retrain {plain(retrain)}", f"Filled in from v{proposal.last.version}: a new version of the model."
        )
        show_difference(proposal)
        configure(proposal.request.training_sheet_id, proposal)
    elif training_sheet_id:
        page_header("New training job", "The gate decides what may be trained on; the split is frozen with the job.")
        configure(training_sheet_id, None)
    else:
        page_header("New training job", "First choose what to train on.")
        choose_sheet()


# --- the training sheet ----------------------------------------------------------------------------------------------


def choose_sheet() -> None:
    """All training sheets, ready or not; a click chooses one."""
    found = cached.training_candidates()
    if not found:
        with empty_state("No training sheet yet. Generate one from a sheet and a template."):
            st.page_link("generate.py", label="Generate a training sheet", icon=":material/auto_awesome:")
        return
    pick_row(
        pd.DataFrame([candidate_line(candidate) for candidate in found]),
        [candidate.training_sheet.id for candidate in found],
        param="training_sheet",
        alt="Training sheets, ready to train on or not",
    )


def candidate_line(candidate: Candidate) -> dict[str, object]:
    """One line of the list."""
    sheet = candidate.training_sheet
    return {
        "Training sheet": sheet.name,
        "Ready": candidate.note,
        "Status": words(sheet.status),
        "Pairs": sheet.counts.total,
        "Approved": sheet.counts.labelled,
        "Allowed for training": candidate.permitted,
        "Flagged": sheet.counts.flagged,
        "Label type": sheet.label_type,
        "Created": sheet.created_at,
    }


# --- the job ---------------------------------------------------------------------------------------------------------


def configure(training_sheet_id: str, proposal: RetrainProposal | None) -> None:
    """Name, trainer and parameters on the left, the gate and its split on the right."""
    sheet = cached.workbench().training_sheets.get(training_sheet_id)
    base = f"train_{training_sheet_id}_{proposal.request.model_name if proposal else ''}"
    left, right = st.columns([3, 2], gap="large")
    with right:
        gate_slot = st.container()
    with left:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(f":material/dataset: **{plain(sheet.name)}**", width="content")
            st.caption(f"{plain(sheet.template.name)} v{sheet.template_version} · {plain(sheet.label_type)}")
            st.space("stretch")
            if st.button("Choose another", type="tertiary", key=f"{base}_other"):
                st.query_params.from_dict({"new": "1"})
                st.rerun()
        request = ask(training_sheet_id, base, proposal)
    if request is None:
        return
    with gate_slot, guard():
        summary = cached.gate(training_sheet_id, request.shares, request.seed)
        show_gate(summary, key=base)
        with left:
            start_button(request, summary, key=base)


def ask(training_sheet_id: str, base: str, proposal: RetrainProposal | None) -> JobRequest | None:
    """What the person wants; None while no trainer can learn these answers here."""
    jobs = cached.workbench().training_jobs
    asked = proposal.request if proposal else JobRequest(training_sheet_id, jobs.proposed_name(training_sheet_id), "")
    name = st.text_input(
        "Model name", asked.model_name, key=f"{base}_name", max_chars=63,
        help="Lower-case letters, digits, _ and -. A name that exists gets a new version.",
    )  # fmt: skip
    trainer = choose_trainer(jobs.trainers_for(training_sheet_id), asked.trainer, base)
    if trainer is None:
        return None
    known = asked.parameters if trainer.name == asked.trainer else {}
    with st.expander("Parameters", icon=":material/tune:", key=f"{base}_parameters"):
        parameters = {
            field: ask_parameter(field, known.get(field, value), key=f"{base}_{trainer.name}_{field}")
            for field, value in trainer.default_parameters().items()
        }
    first, second = st.columns([3, 1], vertical_alignment="bottom")
    borders = first.slider(
        "Shares in percent: train | validation | test", 5, 95, asked.shares.borders, key=f"{base}_shares",
        help="Left of the first handle is trained on; between them checks the training; the rest is held out.",
    )  # fmt: skip
    seed = second.number_input(
        "Seed", 0, 2**31, asked.seed, key=f"{base}_seed", help="The same seed divides the items in the same way."
    )
    return replace(
        asked, model_name=name.strip(), trainer=trainer.name, parameters=parameters,
        shares=Shares.from_borders(*borders), seed=int(seed),
    )  # fmt: skip


def choose_trainer(found: list[Trainer], wanted: str, base: str) -> Trainer | None:
    """The trainers that can work here to choose from; the others below with what they need."""
    state = {trainer.name: trainer.availability() for trainer in found}
    ready = [trainer for trainer in found if state[trainer.name].is_ready]
    missing = [trainer for trainer in found if not state[trainer.name].is_ready]
    chosen = None
    if ready:
        names = [trainer.name for trainer in ready]
        chosen = st.radio(
            "Trainer", ready, index=names.index(wanted) if wanted in names else 0, key=f"{base}_trainer",
            format_func=lambda trainer: trainer.title, captions=[DESCRIPTIONS.get(name, "") for name in names],
        )  # fmt: skip
    for one in missing:
        with st.container(border=True, gap="xsmall"):
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.markdown(f":gray[{plain(one.title)}]", width="content")
                st.badge("Not available here", icon=":material/block:", color="gray")
            st.caption(plain(f"{state[one.name].reason} {state[one.name].hint}"))
    if not found:
        st.warning("No trainer can learn this kind of answers.", icon=":material/block:")
    return chosen


def ask_parameter(name: str, value: Json, *, key: str) -> Json:
    """One parameter; the service checks what is allowed."""
    title, hint = words(name), HELP.get(name)
    if isinstance(value, bool):
        return st.toggle(title, value, key=key, help=hint)
    if isinstance(value, int):
        return int(st.number_input(title, value=value, step=1, min_value=0, key=key, help=hint))
    if isinstance(value, float):
        return float(st.number_input(title, value=value, min_value=0.0, format="%g", step=None, key=key, help=hint))
    return st.text_input(title, str(value), key=key, help=hint)


def start_button(request: JobRequest, gate: GateSummary, *, key: str) -> None:
    """The one thing to do here; what forbids it stands beside it."""
    refusal = why_not(Action.TRAIN)
    blocked = bool(refusal or gate.problems)
    for reason in filter(None, (refusal, *gate.problems)):
        st.caption(f":material/block: {reason}")
    if st.button("Start training", type="primary", icon=":material/play_arrow:", key=f"{key}_start", disabled=blocked):
        with guard():
            job = cached.workbench().training_jobs.submit(request, by=current_user())
            flash("The job is queued.")
            st.query_params.from_dict({"job": job.id})
            st.rerun()


# --- the gate --------------------------------------------------------------------------------------------------------


def show_gate(gate: GateSummary, *, key: str) -> None:
    """How many pairs pass, where they go, and why the others do not."""
    with st.container(border=True):
        st.subheader("Gate", anchor=False)
        metric_row(
            [
                ("Pairs", f"{gate.total:,}"),
                ("Approved", f"{gate.approved:,}"),
                ("Eligible", f"{gate.eligible:,}"),
            ],
            width=90,
        )
        st.caption("Eligible pairs are approved by an expert, answered, and allowed for training.")
        split_bar({split: gate.counts[split] for split in USED}, key=f"{key}_split")
        for problem in gate.problems:
            st.error(f"{problem} {gate.advice}", icon=":material/block:")
        if gate.exclusions:
            st.markdown("**Not trained on**")
            for exclusion in gate.exclusions:
                items = ", ".join(plain(item) for item in exclusion.items)
                st.markdown(f"{exclusion.count:,} {plain(exclusion.reason)}")
                st.caption(f"For example {items}")
        else:
            st.caption("Every pair passes.")


def split_bar(counts: dict[Split, int], *, key: str) -> None:
    """Where the pairs go, as one bar."""
    frame = pd.DataFrame({"what": "Pairs", "part": [words(split) for split in counts], "pairs": list(counts.values())})
    told = ", ".join(f"{count:,} {split}" for split, count in counts.items())
    stacked_bar(
        frame, "what", "pairs", series="part", key=key, alt=f"Split of the pairs: {told}", tones=SPLIT_TONES,
        is_horizontal=True, look=Look(height=130),
    )  # fmt: skip
    st.caption(f"{told}. All pairs of an item are in the same part.")


# --- retraining ------------------------------------------------------------------------------------------------------


def show_difference(proposal: RetrainProposal) -> None:
    """What the new version would see that the last one did not."""
    difference = proposal.difference
    metric_row(
        [
            ("New items", f"{difference.new:,}", "The last version was not trained on them"),
            ("Changed items", f"{difference.changed:,}", "Their answer is another one now"),
            ("Removed items", f"{difference.removed:,}", "No longer approved, allowed or in the training part"),
        ],
        width=130,
    )
    if not difference.items:
        st.caption("The data is the same as last time.")
        return
    with st.expander(f"Items that differ from the data of v{proposal.last.version}", icon=":material/difference:"):
        st.dataframe(
            pd.DataFrame(
                {
                    "Item": [item.item_ref for item in difference.items],
                    "Change": [CHANGES[item.change] for item in difference.items],
                    "Answer then": [item.before for item in difference.items],
                    "Answer now": [item.now for item in difference.items],
                }
            ),
            hide_index=True,
            alt="Items that are new, changed or removed since the last training",
        )
