"""One rule as a form made from its check function: a field for every argument, its meaning and whether it can run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import streamlit as st

from pages.components.address import go_within
from pages.components.errors import guard
from pages.components.identity import current_user
from pages.components.layout import flash
from pages.components.quality_look import CRITICALITIES, column_title, column_words, meaning, sentence
from pages.components.words import counted, plain
from workbench_core import cached, cached_quality
from workbench_core.catalog import Column
from workbench_core.data_quality import Json
from workbench_core.data_quality.check_functions import CHECK_FUNCTIONS, Argument, ArgumentKind, CheckFunction, Scope
from workbench_core.data_quality.rules import MAX_NAME, Criticality, Rule, RuleDraft
from workbench_core.sheets import Sheet

NEW = "new"
_MEANINGS = {
    Criticality.ERROR: "A row that fails it fails as a whole.",
    Criticality.WARN: "It is counted and reported; the row passes all the same.",
}


def rule_form(sheet: Sheet, rule: Rule | None, *, refusal: str) -> None:
    """Make a new rule, or change one: fields on the left, on the right what it means and whether it can run."""
    round_ = st.session_state.get("quality_form_round", 0)
    key = f"quality_form_{rule.id}_{rule.row_version}" if rule else f"quality_form_new_{round_}"
    columns = cached.sheet_columns(sheet.id)
    start = rule.draft if rule else RuleDraft("is_not_null")
    with st.container(border=True):
        st.subheader(f"Change “{plain(rule.name)}”" if rule else "New rule", anchor=False)
        left, right = st.columns([3, 2], gap="large")
        with left:
            titles = {column.name: column_title(sheet, column.name) for column in columns}
            draft = _fields(start, columns, titles, key=key)
        with right:
            problems = _meaning(sheet, draft)
        _buttons(sheet, draft, rule, reason=refusal or ("The rule cannot run yet." if problems else ""))


# --- fields ----------------------------------------------------------------------------------------------------------


def _fields(start: RuleDraft, columns: Sequence[Column], titles: Mapping[str, str], *, key: str) -> RuleDraft:
    """All fields of a rule, filled from `start`; give what they hold now."""
    check = _function_field(start, key=key)
    chosen = _columns_field(check, start, columns, titles, key=key)
    kinds = {column.kind for column in columns if column.name in chosen}
    given = start.arguments if start.function == check.name else {}
    arguments: dict[str, Json] = {}
    for argument in check.arguments:
        value = _argument_field(argument, given.get(argument.name), kinds, key=f"{key}_{check.name}", others=arguments)
        if value is not None and value != argument.default:
            arguments[argument.name] = value
    criticality = st.segmented_control(
        "A failure is", list(CRITICALITIES), default=start.criticality, required=True, key=f"{key}_criticality",
        format_func=lambda one: CRITICALITIES[one],
    ) or Criticality.ERROR  # fmt: skip
    st.caption(_MEANINGS[criticality])
    where = st.text_input(
        "Only for rows where", start.filter, key=f"{key}_filter", live="500ms", placeholder="Optional: a condition"
    )
    draft = replace(
        start, function=check.name, columns=tuple(chosen), arguments=arguments, criticality=criticality,
        filter=(where or "").strip(), name="",
    )  # fmt: skip
    name = st.text_input(
        "Name", start.name, key=f"{key}_name", max_chars=MAX_NAME, live="500ms", placeholder=draft.proposed_name
    )
    return replace(draft, name=(name or "").strip())


def _function_field(start: RuleDraft, *, key: str) -> CheckFunction:
    """Which check function the rule applies."""
    names = list(CHECK_FUNCTIONS)
    known = start.function if start.function in CHECK_FUNCTIONS else names[0]
    function = st.selectbox(
        "What it demands", names, index=names.index(known), key=f"{key}_function",
        format_func=lambda name: f"{CHECK_FUNCTIONS[name].title} · {name}",
    )  # fmt: skip
    return CHECK_FUNCTIONS[function or known]


def _columns_field(
    check: CheckFunction, start: RuleDraft, columns: Sequence[Column], titles: Mapping[str, str], *, key: str
) -> list[str]:
    """The columns that fit a check function; those that are chosen already are offered in any case."""
    if check.scope is Scope.ROW:
        return [name for name in start.columns if start.function == check.name]
    fitting = {column.name: column for column in columns if column.kind in check.fits}
    kept = [name for name in start.columns if name in fitting or start.function == check.name]
    offered = list(dict.fromkeys((*fitting, *kept)))
    chosen = st.multiselect(
        "Columns, all together" if check.scope is Scope.COLUMNS else "Columns",
        offered, kept, key=f"{key}_{check.name}_columns", placeholder="Choose columns",
        format_func=lambda name: f"{titles[name]} · {fitting[name].kind}" if name in fitting else name,
    )  # fmt: skip
    left_out = len(columns) - len(fitting)
    if left_out:
        kinds = " and ".join(check.fits)
        st.caption(f"{counted(left_out, 'column')} of another kind not offered; this rule looks at {kinds} columns.")
    return list(chosen)


def _argument_field(argument: Argument, value: Json, kinds: set[str], *, key: str, others: Mapping[str, Json]) -> Json:
    """The field that fits the kind of an argument; None when nothing is entered."""
    title = argument.title if argument.is_required else f"{argument.title} (optional)"
    field, hint, shown = f"{key}_{argument.name}", argument.hint or None, "" if value is None else str(value)
    found: Json = None
    match argument.kind:
        case ArgumentKind.YES_NO:
            now = value if isinstance(value, bool) else bool(argument.default)
            found = st.toggle(argument.title, now, key=field, help=hint)
        case ArgumentKind.WHOLE:
            start = int(value) if isinstance(value, int | float) else None
            found = st.number_input(title, min_value=0, value=start, step=1, key=field, help=hint)
        case ArgumentKind.VALUES:
            text = st.text_area(title, _as_lines(value), key=field, height=110, help="One value a line")
            found = _as_values(text or "", is_number=kinds == {"number"})
        case ArgumentKind.LIMIT:
            hint = hint or "A number, a time such as 2013-01-31, or the name of a column"
            found = _as_limit(st.text_input(title, shown, key=field, live="500ms", help=hint) or "")
        case ArgumentKind.TABLE | ArgumentKind.VOLUME:
            kind = "table" if argument.kind is ArgumentKind.TABLE else "volume"
            found = _source_field(title, shown, kind=kind, key=field)
        case ArgumentKind.COLUMNS:
            found = _other_columns_field(title, value, str(others.get("ref_table") or ""), key=field)
        case ArgumentKind.EXPRESSION:
            found = st.text_area(title, shown, key=field, height=80, help=hint)
        case _:
            found = st.text_input(title, shown, key=field, live="500ms", help=hint)
    return (found.strip() or None) if isinstance(found, str) else found


def _source_field(title: str, present: str, *, kind: str, key: str) -> str | None:
    found = [entry.name for entry in cached.catalog_entries() if entry.kind == kind]
    offered = list(dict.fromkeys((*found, *([present] if present else []))))
    return st.selectbox(
        title, offered, index=offered.index(present) if present else None, key=key, placeholder=f"Choose a {kind}"
    )


def _other_columns_field(title: str, value: Json, table: str, *, key: str) -> list[Json] | None:
    """The columns of the table that is chosen beside."""
    present = [str(one) for one in value] if isinstance(value, list) else []
    if not table:
        st.caption(f"{title}: choose the other table first.")
        return None
    offered: list[str] = []
    with guard():
        offered = [column.name for column in cached.workbench().catalog.columns(table)]
    kept = [name for name in present if name in offered]
    return list(st.multiselect(title, offered, kept, key=f"{key}_{table}", placeholder="Choose columns")) or None


# --- what people type ------------------------------------------------------------------------------------------------


def _as_lines(value: Json) -> str:
    """A list as one value a line, or as JSON where a value would not survive that."""
    if not isinstance(value, list):
        return ""
    texts = [str(one) for one in value]
    is_simple = all(text == text.strip() and text and "\n" not in text for text in texts) and texts[:1] != ["["]
    return "\n".join(texts) if is_simple else json.dumps(value, ensure_ascii=False)


def _as_values(text: str, *, is_number: bool) -> list[Json] | None:
    """The values of a field: a JSON list, or one a line; numbers for columns of numbers."""
    if text.lstrip().startswith("[") and (listed := _json_list(text)) is not None:
        return listed
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return [_number(line) if is_number else line for line in lines] or None


def _json_list(text: str) -> list[Json] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, list) else None


def _as_limit(text: str) -> Json:
    return _number(text.strip()) if text.strip() else None


def _number(text: str) -> Json:
    """A number where the text is one, else the text."""
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        return number if number - number == 0 else text
    return text


# --- what it means, and saving ---------------------------------------------------------------------------------------


def _meaning(sheet: Sheet, draft: RuleDraft) -> list[str]:
    """What the rule demands, as a sentence, and whether it can run on this sheet; give what is in its way."""
    problems = list(cached_quality.rule_problems(sheet.id, draft))
    with st.container(border=True, gap="small"):
        st.markdown(":material/translate: **What it means**")
        if draft.columns or CHECK_FUNCTIONS[draft.function].scope is Scope.ROW:
            st.markdown(sentence(meaning(draft, column_words(sheet))))
        if draft.filter:
            st.markdown(f"Only rows where {plain(draft.filter)}.")
        for problem in problems:
            st.markdown(f":orange[:material/pending:] {plain(problem)}")
        if not problems:
            st.markdown(":green[:material/check_circle:] It can run on this sheet.")
    return problems


def _buttons(sheet: Sheet, draft: RuleDraft, rule: Rule | None, *, reason: str) -> None:
    """Save, or leave the form."""
    with st.container(horizontal=True):
        if st.button(
            "Save" if rule else "Add rule", type="primary", icon=":material/check:", key="quality_form_save",
            disabled=bool(reason), help=reason or None,
        ):  # fmt: skip
            with guard():
                _save(sheet, draft, rule)
        st.button(
            "Cancel", key="quality_form_cancel", on_click=go_within, kwargs={"rule": ""},
        )  # fmt: skip


def _save(sheet: Sheet, draft: RuleDraft, rule: Rule | None) -> None:
    quality, user = cached.workbench().data_quality, current_user()
    if rule:
        saved = quality.update_rule(rule.id, draft, by=user, row_version=rule.row_version)
    else:
        saved = quality.save_rule(sheet.id, draft, by=user)
    st.session_state["quality_form_round"] = st.session_state.get("quality_form_round", 0) + 1
    flash(f"“{saved.name}” is saved.")
    go_within(rule="")
    st.rerun()
