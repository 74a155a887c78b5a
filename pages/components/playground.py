"""The playground of an endpoint: a form of the template's variables, the answer, and thumbs that store feedback."""

from __future__ import annotations

import streamlit as st

from pages.components.errors import guard
from pages.components.layout import close_popover, flash, work_popover
from pages.components.records import show_answer
from pages.components.words import percent, plain, words
from workbench_core import cached
from workbench_core.endpoints import Endpoint, QueryResult, SheetRow
from workbench_core.feedback import FeedbackItem, FeedbackReason, Rating
from workbench_core.permissions import Action

SHORT_FIELD = 90  # pixels; a field grows with its text when the person drags it


def playground(endpoint: Endpoint, *, by: str) -> None:
    """Ask the endpoint with the form on the left; the answer and its feedback are on the right."""
    left, right = st.columns(2, gap="large")
    with left, guard():
        ask_form(endpoint, by=by)
    with right, guard():
        result: QueryResult | None = st.session_state.get(_key(endpoint, "result"))
        if result is None:
            st.caption("The answer appears here, with the version that gave it.")
        else:
            show_result(endpoint, result, by=by)


def ask_form(endpoint: Endpoint, *, by: str) -> None:
    """The fields of a request, filled by hand or from a row of the sheet."""
    service = cached.workbench().endpoints
    fields = service.input_fields(endpoint.name)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        number = st.number_input("Sheet row", min_value=1, value=1, step=1, key=_key(endpoint, "row"), width=140)
        if st.button("Fill from this row", icon=":material/input:", key=_key(endpoint, "fill")):
            fill(endpoint, service.sheet_row(endpoint.name, number))
    record = {
        field: st.text_area(plain(words(field)), key=_key(endpoint, f"field_{field}"), height=SHORT_FIELD)
        for field in fields
    }
    reason = why_not(endpoint, by=by)
    if st.button("Ask", type="primary", icon=":material/send:", disabled=bool(reason), help=reason or None,
                 key=_key(endpoint, "ask")):  # fmt: skip
        row: SheetRow | None = st.session_state.get(_key(endpoint, "filled"))
        item_refs = (row.item_ref,) if row is not None and row.record == record else ()
        st.session_state[_key(endpoint, "result")] = service.query(endpoint.name, [record], by=by, item_refs=item_refs)


def why_not(endpoint: Endpoint, *, by: str) -> str:
    """Why the endpoint cannot be asked now; empty when it can."""
    if not cached.workbench().permissions.allows(by, Action.QUERY):
        return "Your role may not ask endpoints."
    return "" if endpoint.answers else f"The endpoint is {endpoint.status}."


def fill(endpoint: Endpoint, row: SheetRow) -> None:
    """Put a row into the fields; feedback on its answer will know the item."""
    st.session_state[_key(endpoint, "filled")] = row
    for field, value in row.record.items():
        st.session_state[_key(endpoint, f"field_{field}")] = value


def show_result(endpoint: Endpoint, result: QueryResult, *, by: str) -> None:
    """The answer, who gave it and how fast, and what the person thinks of it."""
    prediction = result.predictions[0]
    with st.container(border=True):
        if prediction.error:
            st.markdown(f":red[:material/error: {plain(prediction.error)}]")
        else:
            show_answer(prediction.answer or "")
        parts = [f"v{result.version}", f"{result.latency_ms:,.0f} ms"]
        if prediction.confidence is not None:
            parts.insert(1, f"confidence {percent(prediction.confidence)}")
        st.caption(" · ".join(parts))
    if prediction.error:
        return
    given = cached.workbench().feedback.of_request(result.request_id, by=by)
    if given is not None:
        show_given(given)
    if cached.workbench().permissions.allows(by, Action.GIVE_FEEDBACK):
        ask_for_feedback(endpoint, result, given, by=by)


def show_given(given: FeedbackItem) -> None:
    """What the person said about this answer before."""
    correction = f", the right answer is “{plain(given.correction)}”" if given.correction else ""
    st.caption(f"Your feedback: {words(given.rating).lower()}{correction}. A new one replaces it.")


def ask_for_feedback(endpoint: Endpoint, result: QueryResult, given: FeedbackItem | None, *, by: str) -> None:
    """Thumb up, or thumb down with the right answer."""
    with st.container(horizontal=True):
        if st.button("Good", icon=":material/thumb_up:", key=_key(endpoint, "good"),
                     disabled=given is not None and given.rating is Rating.POSITIVE):  # fmt: skip
            cached.workbench().feedback.submit(result.request_id, rating=Rating.POSITIVE, by=by)
            flash("Thank you: kept as good.")
            st.rerun()
        with work_popover("Not good", key=_key(endpoint, "not_good"), icon=":material/thumb_down:"), guard():
            correct(endpoint, result, by=by)


def correct(endpoint: Endpoint, result: QueryResult, *, by: str) -> None:
    """The right answer, the reason and a comment for a bad answer."""
    service = cached.workbench().feedback
    choices = [one for one in service.correction_choices(result.model_name, result.version)
               if one != result.predictions[0].answer]  # fmt: skip
    key = _key(endpoint, f"correction_{result.request_id}")
    if choices:
        correction = st.selectbox("Right answer", choices, index=None, placeholder="Not sure", key=key)
    else:
        correction = st.text_area("Right answer", placeholder="Leave empty when not sure", key=key)
    reason = st.pills("Reason", list(FeedbackReason), format_func=words, key=_key(endpoint, "reason"))
    comment = st.text_input("Comment", key=_key(endpoint, "comment"))
    if st.button("Send feedback", type="primary", key=_key(endpoint, "bad")):
        service.submit(
            result.request_id, rating=Rating.NEGATIVE, correction=correction or "", reason=reason or "",
            comment=comment or "", by=by,
        )  # fmt: skip
        flash("Thank you: kept as not good. It helps to find gaps.")
        close_popover(_key(endpoint, "not_good"))
        st.rerun()


def _key(endpoint: Endpoint, part: str) -> str:
    return f"deploy_{endpoint.name}_{part}"
