"""What a person asks for when exporting a training sheet: format, which pairs, parts, and where the files go."""

from __future__ import annotations

from dataclasses import dataclass, replace

import streamlit as st

from pages.components.words import plain, words
from workbench_core import cached, cached_exports
from workbench_core.exports import DEFAULT_SOURCES, ExportFormat, ExportRequest, PartShares
from workbench_core.metrics import AnswerKind
from workbench_core.pairs import ResponseSource
from workbench_core.training_sheets import TrainingSheet
from workbench_core.usage import Use

DOWNLOAD_ONLY = "Download only"
SAMPLE_WIDTH = 29  # characters of each of the two lines
MOST_SEED = 2**31


@dataclass(frozen=True, slots=True)
class Card:
    """How a format introduces itself."""

    format: ExportFormat
    title: str
    sentence: str


CARDS = (
    Card(ExportFormat.OPENAI_CHAT, "OpenAI chat", "OpenAI, Databricks, most open trainers"),
    Card(ExportFormat.ANTHROPIC_MESSAGES, "Anthropic messages", "Claude through Amazon Bedrock"),
    Card(ExportFormat.ANTHROPIC, "Anthropic prompt", "Prompt and completion; examples folded in"),
    Card(ExportFormat.GEMINI, "Gemini", "Gemini API"),
    Card(ExportFormat.GEMINI_VERTEX, "Gemini on Vertex AI", "Supervised tuning on Vertex AI"),
    Card(ExportFormat.CSV, "CSV", "Seven columns for people and scripts"),
    Card(ExportFormat.PARQUET, "Parquet", "The same columns for data frames"),
)


def ask_request(sheet: TrainingSheet) -> ExportRequest:
    """Everything that can be chosen, in the order in which it matters."""
    key = f"export_{sheet.id}"
    request = ExportRequest(sheet.id, choose_format(sheet, key))
    request = ask_pairs(request, key)
    request = ask_parts(request, sheet, key)
    return ask_place(request, key)


# --- format ----------------------------------------------------------------------------------------------------------


def choose_format(sheet: TrainingSheet, key: str) -> ExportFormat:
    """A card for each format with the first pair as its record."""
    st.markdown("**Format**")
    chosen = ExportFormat(st.session_state.get(f"{key}_format", ExportFormat.OPENAI_CHAT))
    with_system = st.session_state.get(f"{key}_system", True)
    samples = cached_exports.export_samples(sheet.id, with_system=with_system)
    with st.grid("auto", min_column_width=300, gap="small"):
        for card in CARDS:
            with st.container(border=True, gap="xsmall", key=f"{key}_card_{card.format}"):
                show_card(card, samples.get(card.format, ""), is_chosen=card.format is chosen, key=key)
    return chosen


def show_card(card: Card, sample: str, *, is_chosen: bool, key: str) -> None:
    """Title, what it is for, two lines of a record, and the button that chooses it."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{card.title}**", width="stretch")
        if is_chosen:
            st.badge("Chosen", icon=":material/check:", color="green")
        else:
            st.button(
                "Choose", key=f"{key}_choose_{card.format}", help=f"{card.title}: {card.sentence}", on_click=_choose,
                args=(key, card.format),
            )  # fmt: skip
    st.caption(card.sentence)
    if sample or card.format is ExportFormat.PARQUET:
        st.code(two_lines(card.format, sample), language=None)


def _choose(key: str, format: ExportFormat) -> None:
    st.session_state[f"{key}_format"] = format


def two_lines(format: ExportFormat, sample: str) -> str:
    """The beginning and the end of a record, or the columns above their first values."""
    if format is ExportFormat.PARQUET:
        return "item_ref, system, user, assistant,\nlabel_type, review_status, split"
    if format is ExportFormat.CSV:
        head, _, row = sample.replace("\r", " ").partition("\n")
        return "\n".join(shortened(" ".join(line.split())) for line in (head, row))
    if len(sample) <= SAMPLE_WIDTH:
        return sample
    return f"{sample[:SAMPLE_WIDTH]}…\n…{sample[-SAMPLE_WIDTH:]}"


def shortened(line: str) -> str:
    """One line that fits the card."""
    return line if len(line) <= SAMPLE_WIDTH else f"{line[:SAMPLE_WIDTH]}…"


# --- pairs -----------------------------------------------------------------------------------------------------------


def ask_pairs(request: ExportRequest, key: str) -> ExportRequest:
    """Which of the approved pairs, and what of them."""
    st.markdown("**Pairs**")
    first, second = st.columns(2)
    use = first.selectbox(
        "Intended use", list(Use), key=f"{key}_use", format_func=words,
        help="Pairs whose usage rules do not permit it stay out, however well they are approved.",
    )  # fmt: skip
    minimum = second.slider(
        "Minimum quality score", 0.0, 1.0, 0.0, 0.05, key=f"{key}_score",
        help="Above 0, pairs without a score stay out, too.",
    )  # fmt: skip
    sources = st.pills(
        "Where the answers came from", [source for source in ResponseSource if source is not ResponseSource.EMPTY],
        default=list(DEFAULT_SOURCES), selection_mode="multi", key=f"{key}_sources", format_func=words,
    )  # fmt: skip
    with st.container(horizontal=True):
        exclude_flagged = st.toggle(
            "Leave out pairs with quality flags",
            True,
            key=f"{key}_flags",
            help="Marked incomplete, pii, toxic and so on",
        )
        with_system = st.toggle("With the system message", True, key=f"{key}_system")
    return replace(
        request, intended_use=use, minimum_score=round(minimum, 2), sources=tuple(sources or ()),
        exclude_flagged=exclude_flagged, with_system=with_system, **ask_exceptions(request, minimum, key),
    )  # fmt: skip


def ask_exceptions(request: ExportRequest, minimum: float, key: str) -> dict[str, bool]:
    """What only some exports meet: pictures, and spreadsheets."""
    asked: dict[str, bool] = {}
    tally = cached_exports.export_tally(request.training_sheet_id, round(minimum, 2))
    if any(each.has_pictures for each, _ in tally):
        asked["text_without_pictures"] = st.toggle(
            "Export pairs with pictures as text alone", key=f"{key}_pictures",
            help="No format holds the pictures themselves. Otherwise these pairs stay out, and are counted.",
        )  # fmt: skip
    if request.format is ExportFormat.CSV:
        asked["for_spreadsheets"] = st.toggle(
            "Harmless to open in a spreadsheet", key=f"{key}_spreadsheet",
            help="Texts that would be run as a formula get an apostrophe in front: a program reads it, too.",
        )  # fmt: skip
        if not asked["for_spreadsheets"]:
            st.caption(
                ":material/warning: Texts stand in the file exactly as they are. A spreadsheet that opens it may run "
                "one that begins like a formula: import it as text, or switch this on."
            )
    return asked


# --- parts -----------------------------------------------------------------------------------------------------------


def ask_parts(request: ExportRequest, sheet: TrainingSheet, key: str) -> ExportRequest:
    """One file, or a file for each part."""
    st.markdown("**Parts**")
    if not st.toggle("Divide into train, validation and test", key=f"{key}_split"):
        return request
    first, second = st.columns([3, 1], vertical_alignment="bottom")
    borders = first.slider(
        "Shares in percent: train | validation | test", 0, 100, (80, 90), 1, key=f"{key}_shares",
        help="Up to the first handle it is the training part, between them validation, the rest is the test part.",
    )  # fmt: skip
    seed = second.number_input(
        "Seed", 0, MOST_SEED, 42, key=f"{key}_seed", help="The same seed gives the same files, byte for byte."
    )
    shares = PartShares(borders[0], borders[1] - borders[0], 100 - borders[1])
    st.caption(f"{shares.train} % train, {shares.validation} % validation, {shares.test} % test")
    is_label = sheet.template.answer_kind is AnswerKind.LABEL
    stratify = st.toggle(
        "The same shares in every class", key=f"{key}_stratify", disabled=not is_label,
        help="Exact up to rounding" if is_label else "Only answers that are one of several classes can be divided so.",
    )  # fmt: skip
    return replace(request, shares=shares, seed=int(seed), stratify_by_label=stratify and is_label)


# --- place -----------------------------------------------------------------------------------------------------------


def ask_place(request: ExportRequest, key: str) -> ExportRequest:
    """Files can always be downloaded; they may also go to a folder of the catalog."""
    volumes = [entry.name for entry in cached.catalog_entries() if entry.kind == "volume" and not entry.is_demo]
    if not volumes:
        return request
    st.markdown("**Place**")
    first, second = st.columns(2)
    place = first.selectbox(
        "Also put them into", [DOWNLOAD_ONLY, *volumes], key=f"{key}_volume", format_func=plain_name,
        help="The folder of the catalog takes the tags of the source.",
    )  # fmt: skip
    if place == DOWNLOAD_ONLY:
        return request
    folder = second.text_input("Folder in it", key=f"{key}_folder", placeholder="For example: tuning/2026-03")
    return replace(request, volume=place, folder=(folder or "").strip().strip("/"))


def plain_name(name: str) -> str:
    """The name of a folder as text."""
    return name if name == DOWNLOAD_ONLY else plain(name).replace("\\", "")
