"""Alerts of one endpoint: incidents to acknowledge and resolve, rules to add, switch and remove."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from pages.components.errors import guard
from pages.components.layout import close_popover, flash, status_badge, work_popover
from pages.components.words import ago, plain, words
from workbench_core import cached
from workbench_core.alerts import LIFECYCLE, AlertMetric, AlertRule, Condition, Incident, RuleDraft, Severity

UNITS = {AlertMetric.LATENCY_P95: "ms", AlertMetric.ERROR_RATE: "%"}
NAMES = {AlertMetric.LATENCY_P95: "p95 latency", AlertMetric.ERROR_RATE: "Error rate"}
USUAL = {AlertMetric.LATENCY_P95: 1000.0, AlertMetric.ERROR_RATE: 5.0}


def alert_panel(endpoint: str, *, by: str, may_manage: bool) -> None:
    """Incidents first, then the rules that open them."""
    alerts = cached.workbench().alerts
    st.subheader("Incidents", anchor=False)
    found = alerts.incidents(endpoint=endpoint, limit=30)
    for incident in found:
        with st.container(border=True), guard():
            show_incident(incident, by=by, may_manage=may_manage)
    if not found:
        st.caption("No incident yet.")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader("Rules", anchor=False, width="content")
        st.space("stretch")
        new = work_popover("New rule", key="monitor_new_rule", icon=":material/add_alert:", disabled=not may_manage)
        with new, guard():
            new_rule(endpoint, by=by)
    rules = alerts.rules(endpoint=endpoint)
    for rule in rules:
        with st.container(border=True, horizontal=True, vertical_alignment="center"), guard():
            show_rule(rule, by=by, may_manage=may_manage)
    if not rules:
        st.caption("No rule yet. A rule watches latency or errors every minute and opens an incident when breached.")


def show_incident(incident: Incident, *, by: str, may_manage: bool) -> None:
    """What happened, how bad it is, who looks after it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        status_badge(incident.status)
        st.badge(words(incident.severity), color="gray")
        st.markdown(f"**{plain(incident.message)}**", width="stretch")
        if may_manage:
            incident_buttons(incident, by=by)
    parts = [f"Opened {ago(incident.opened_at)}", f"peak {incident.peak}", f"last {incident.current}"]
    if incident.acknowledged_by:
        parts.append(f"acknowledged by {incident.acknowledged_by} {ago(incident.acknowledged_at)}")
    if incident.resolved_at:
        who = "by itself" if incident.resolution == "auto" else f"by {incident.resolved_by}"
        parts.append(f"resolved {who} {ago(incident.resolved_at)}")
    st.caption(plain(" · ".join([f"Rule “{incident.rule_name}”", *parts])))
    if incident.note:
        st.markdown(plain(incident.note))


def incident_buttons(incident: Incident, *, by: str) -> None:
    """The steps that its state allows, each with a note."""
    alerts = cached.workbench().alerts
    steps: dict[str, Callable[..., Incident]] = {"acknowledge": alerts.acknowledge, "resolve": alerts.resolve}
    for action in LIFECYCLE.actions(incident.status):
        with st.popover(words(action)), guard():
            note = st.text_input("Note", key=f"monitor_{action}_note_{incident.id}", placeholder="What is known?")
            if st.button(words(action), type="primary", key=f"monitor_{action}_{incident.id}"):
                changed = steps[action](incident.id, by=by, note=note)
                flash(f"The incident is {changed.status}.")
                st.rerun()


def show_rule(rule: AlertRule, *, by: str, may_manage: bool) -> None:
    """The condition, what the last evaluation found, and its switch."""
    alerts = cached.workbench().alerts
    st.markdown(f"**{plain(rule.draft.name)}**", width="content")
    st.markdown(plain(rule.sentence), width="content")
    checked = f", checked {ago(rule.evaluated_at)}" if rule.evaluated_at else ""
    st.caption(plain(f"{rule.draft.severity} · {rule.state}{checked}"), width="stretch")
    wanted = st.toggle("Enabled", value=rule.is_enabled, disabled=not may_manage,
                       key=f"monitor_enabled_{rule.id}_{rule.row_version}")  # fmt: skip
    if wanted != rule.is_enabled:
        alerts.enable_rule(rule.id, wanted, by=by)
        st.rerun()
    if may_manage and st.button("Delete", icon=":material/delete:", type="tertiary", key=f"monitor_delete_{rule.id}"):
        alerts.delete_rule(rule.id, by=by)
        flash(f"The rule “{rule.draft.name}” is deleted.")
        st.rerun()


def new_rule(endpoint: str, *, by: str) -> None:
    """The fields of a rule; the service checks them when it is saved."""
    metric = st.segmented_control("Watch", list(AlertMetric), default=AlertMetric.LATENCY_P95, required=True,
                                  format_func=lambda one: NAMES[one], key="monitor_rule_metric")  # fmt: skip
    name = st.text_input("Name", value=f"{NAMES[metric]} too high", key=f"monitor_rule_name_{metric}")
    threshold = st.number_input(f"Above ({UNITS[metric]})", min_value=0.0, value=USUAL[metric],
                                key=f"monitor_rule_threshold_{metric}")  # fmt: skip
    severity = st.segmented_control("Severity", list(Severity), default=Severity.WARNING, required=True,
                                    format_func=words, key="monitor_rule_severity")  # fmt: skip
    with st.grid(2, min_column_width=120):
        window = st.number_input("Over minutes", 5, 1440, 60, key="monitor_rule_window")
        samples = st.number_input("With at least so many requests", 1, 1_000_000, 20, key="monitor_rule_samples")
        opens = st.number_input("Breached so many minutes to open", 1, 60, 1, key="monitor_rule_for")
        clears = st.number_input("Healthy so many minutes to resolve", 1, 60, 2, key="monitor_rule_clear")
        cooldown = st.number_input("Silent minutes after that", 0, 10_080, 60, key="monitor_rule_cooldown")
    if st.button("Create rule", type="primary", key="monitor_rule_create"):
        draft = RuleDraft(
            name, metric, threshold, condition=Condition.GT, window_minutes=window, min_samples=samples,
            for_periods=opens, clear_periods=clears, cooldown_minutes=cooldown, severity=severity,
        )  # fmt: skip
        made = cached.workbench().alerts.create_rule(endpoint, draft, by=by)
        flash(f"The rule “{made.draft.name}” is evaluated every minute from now on.")
        close_popover("monitor_new_rule")
        st.rerun()
