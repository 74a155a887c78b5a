"""Requests, latency, errors, drift, alerts and health; `?endpoint=<name>` opens one, `?hours=` and `?tab=` choose."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.address import choose_in_url, pick_row
from pages.components.alert_panel import alert_panel
from pages.components.charts import Look, bar_chart, line_chart, stacked_bar
from pages.components.errors import guard
from pages.components.identity import current_user
from pages.components.layout import empty_state, flash, page_header, status_badge
from pages.components.words import ago, percent, plain, words
from workbench_core import cached
from workbench_core.endpoints import Endpoint
from workbench_core.monitoring import Dashboard, DriftReport, EndpointSummary, FeatureReport, Health
from workbench_core.permissions import Action

WINDOWS = {"1": "1 h", "24": "24 h", "168": "7 d", "720": "30 d"}
TABS = ["traffic", "drift", "alerts", "requests"]
STATUS_TONES = {"Answered": "good", "Refused (4xx)": "warning", "Failed (5xx)": "bad"}
SIZE_TONES = {"critical": "bad", "high": "bad", "medium": "warning", "low": "info", "negligible": "neutral"}
SCORE_ICONS = {"healthy": ":material/favorite:", "unknown": ":material/help:"}

workbench, user = cached.workbench(), current_user()
monitoring = workbench.monitoring
may_manage = workbench.permissions.allows(user, Action.MONITOR)


def show_list() -> None:
    """All endpoints, the worst first."""
    page_header("Monitor", "What was asked, how fast and how well it was answered, and what changed")
    found = cached.health_of_endpoints()
    if not found:
        with empty_state("No endpoint yet, so nothing to watch.", icon=":material/monitoring:"):
            st.page_link("deploy.py", label="Deploy a model version", icon=":material/rocket_launch:")
        return
    pick_row(
        pd.DataFrame([list_line(one) for one in found]),
        [one.endpoint.name for one in found],
        param="endpoint",
        alt="Endpoints with health and traffic, the worst first",
        columns={
            "Score": st.column_config.ProgressColumn(format="%.0f", min_value=0, max_value=100, width="small"),
            "Requests 24 h": st.column_config.NumberColumn(format="localized"),
            "Errors": st.column_config.NumberColumn(format="%.1f %%"),
            "p95": st.column_config.NumberColumn(format="%.0f ms"),
        },
    )


def list_line(one: EndpointSummary) -> dict[str, object]:
    """One line of the list."""
    return {
        "Endpoint": one.endpoint.name,
        "Health": words(one.health.status),
        "Score": one.health.score,
        "State": words(one.endpoint.status),
        "Requests 24 h": one.performance.total,
        "Errors": one.performance.error_rate,
        "p95": one.performance.p95_ms,
        "Open incidents": one.open_incidents,
        "Drift": words(one.drift.severity) if one.drift else "Not analysed",
        "Serves": one.endpoint.traffic,
    }


# --- one endpoint ----------------------------------------------------------------------------------------------------


def show_endpoint(endpoint: Endpoint) -> None:
    """One endpoint over a window of time."""
    actions = page_header(
        plain(endpoint.name), plain(f"{endpoint.model_name} · {endpoint.traffic}"), status=endpoint.status,
        is_demo=endpoint.is_demo,
    )  # fmt: skip
    with actions:
        if st.button("All endpoints", icon=":material/arrow_back:", key="monitor_back"):
            st.query_params.clear()
            st.rerun()
        if st.button("Deploy", icon=":material/rocket_launch:", key="monitor_deploy"):
            st.switch_page("deploy.py", query_params={"endpoint": endpoint.name})
    with st.container(horizontal=True, vertical_alignment="center"):
        tab = choose_in_url("Part", TABS, key="tab", default="traffic")
        st.space("stretch")
        hours = int(choose_in_url("Window", list(WINDOWS), key="hours", default="24", titles=WINDOWS))
    with guard():
        match tab:
            case "drift":
                show_drift(endpoint, hours)
            case "alerts":
                alert_panel(endpoint.name, by=user, may_manage=may_manage)
            case "requests":
                show_requests(endpoint.name, hours)
            case _:
                show_live(endpoint.name, hours)
                show_feedback(endpoint.name)


@st.fragment(run_every="15s")
def show_live(endpoint: str, hours: int) -> None:
    """Health, tiles and charts; they follow the traffic by themselves."""
    with guard():
        dashboard = cached.dashboard(endpoint, hours)
        show_health(cached.health(endpoint))
        show_tiles(dashboard)
        show_charts(dashboard, hours)


def show_health(health: Health) -> None:
    """The score with every deduction in words."""
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**Health {'–' if health.score is None else f'{health.score:.0f} of 100'}**", width="content")
            status_badge(health.status)
            st.caption("last 60 minutes", width="content")
        lines = [f"−{one.points:.1f} {one.sentence}" if one.points else one.sentence for one in health.deductions]
        st.markdown("  \n".join(plain(line) for line in lines) or ":gray[Nothing is taken off.]")


def show_tiles(dashboard: Dashboard) -> None:
    """Totals of the window, with the change against the window before."""
    measured, points = dashboard.performance, dashboard.series
    tiles = [
        ("Requests", f"{measured.total:,}", "total", "off", points["requests"]),
        ("Errors", shown(measured.error_rate, "%", 1), "error_rate", "inverse", points["error_rate"]),
        ("p50 latency", shown(measured.p50_ms, "ms"), "p50_ms", "inverse", points["p50_ms"]),
        ("p95 latency", shown(measured.p95_ms, "ms"), "p95_ms", "inverse", points["p95_ms"]),
        ("Per minute", f"{measured.per_minute:,.2f}", "per_minute", "off", points["requests"]),
    ]
    with st.grid(len(tiles), min_column_width=150):
        for title, value, name, color, line in tiles:
            change = measured.changes[name]
            st.metric(
                title, value, None if change is None else f"{change:+.0%}", delta_color=color, border=True,
                chart_data=line.dropna().tolist() if measured.total else None, help="Against the window before",
            )  # fmt: skip


def shown(value: float | None, unit: str, digits: int = 0) -> str:
    """A number with its unit; a dash when nothing was measured."""
    return "–" if value is None else f"{value:,.{digits}f} {unit}"


def show_charts(dashboard: Dashboard, hours: int) -> None:
    """Requests by outcome, latency, and who answered."""
    if not dashboard.performance.total:
        empty_state(f"No request in the last {WINDOWS[str(hours)]}.", icon=":material/bar_chart:")
        return
    window = f"over the last {WINDOWS[str(hours)]}"
    left, right = st.columns(2)
    with left, st.container(border=True):
        st.markdown(f"**Requests** every {dashboard.bucket}")
        stacked_bar(dashboard.by_status, "bucket_at", "requests", series="status", tones=STATUS_TONES,
                    key="monitor_requests", alt=f"Requests by status {window}", look=Look(unit="requests"))  # fmt: skip
    with right, st.container(border=True):
        st.markdown("**Latency**")
        line_chart(dashboard.latency, "bucket_at", "ms", series="percentile", key="monitor_latency",
                   alt=f"Latency percentiles {window}", look=Look(unit="ms"))  # fmt: skip
    with st.container(border=True):
        st.markdown("**Answers by version**")
        by_version = dashboard.by_version.assign(version="v" + dashboard.by_version["version"].astype(str))
        stacked_bar(by_version, "bucket_at", "requests", series="version", key="monitor_versions",
                    alt=f"Requests by version {window}", look=Look(unit="requests", height=180))  # fmt: skip
        for moment, change in dashboard.changes:
            st.caption(plain(f"{moment:%d %b %H:%M} UTC: {change}"))


def show_feedback(endpoint: str) -> None:
    """What people thought of the answers in the last 30 days."""
    stats = cached.feedback_stats(endpoint, 30)
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown("**Feedback in 30 days**", width="content")
        if not stats.total:
            st.caption("None yet. Thumbs in the playground of the Deploy page end up here.")
            return
        st.markdown(f"{percent(stats.positive_share, digits=0)} positive of {stats.total:,}", width="content")
        st.caption(f"{stats.with_correction:,} with a correction", width="stretch")
        if stats.negative and st.button(f"Review {stats.negative:,} negative", key="monitor_to_improve"):
            st.switch_page("improve.py", query_params={"endpoint": endpoint})


# --- drift -----------------------------------------------------------------------------------------------------------


def show_drift(endpoint: Endpoint, hours: int) -> None:
    """Recent requests against the training data of the served version."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"Requests of the last {WINDOWS[str(hours)]} against the training data of the served version.")
        st.space("stretch")
        if st.button("Run analysis", type="primary", icon=":material/troubleshoot:", key="monitor_analyse",
                     disabled=not may_manage):  # fmt: skip
            report = monitoring.drift(endpoint.name, hours=hours, by=user)
            flash(report.sentence)
            st.rerun()
    reports = cached.drift_history(endpoint.name)
    if not reports:
        empty_state("Not analysed yet. Click Run analysis.", icon=":material/troubleshoot:")
        return
    show_report(reports[0])
    if len(reports) > 1:
        show_earlier(reports)


def show_report(report: DriftReport) -> None:
    """The newest report: the verdict, the size of each feature's change, and its distribution."""
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            status_badge(report.severity)
            st.markdown(f"**{plain(report.sentence)}**", width="stretch")
        st.caption(plain(
            f"v{report.version} · {report.window_start_at:%d %b %H:%M} to {report.window_end_at:%d %b %H:%M} UTC · "
            f"{report.created_by}, {ago(report.created_at)}"
        ))  # fmt: skip
        if report.is_too_few or not report.features:
            return
        bar_chart(
            pd.DataFrame(
                {
                    "Feature": [one.feature for one in report.features],
                    "Size": [one.size for one in report.features],
                    "Tone": [SIZE_TONES[one.severity] if one.alerts else "neutral" for one in report.features],
                }
            ),
            "Feature", "Size", tones="Tone", is_horizontal=True, key="monitor_drift",
            alt="Size of the change of every feature", look=Look(digits=2, height=0, goal=0.1, goal_name="medium"),
        )  # fmt: skip
        show_feature({one.feature: one for one in report.features})


def show_feature(features: dict[str, FeatureReport]) -> None:
    """One feature: its words, and its shares in training and now."""
    chosen = st.selectbox("Feature", list(features), key="monitor_feature", width=320)
    feature = features.get(chosen or "")
    if feature is None:
        return
    st.markdown(plain(feature.words))
    share = st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1)
    st.dataframe(
        pd.DataFrame(
            [(cell.name, cell.reference, cell.recent) for cell in feature.cells],
            columns=["Value", "In training", "Recent"],
        ),
        hide_index=True, height="content", column_config={"In training": share, "Recent": share},
        alt=f"Distribution of {feature.feature} in training and recently",
    )  # fmt: skip


def show_earlier(reports: list[DriftReport]) -> None:
    """The reports before."""
    with st.expander("Earlier reports"):
        st.dataframe(
            pd.DataFrame(
                {
                    "When": [report.created_at for report in reports],
                    "Version": [f"v{report.version}" for report in reports],
                    "Records": [report.request_count for report in reports],
                    "Severity": [words(report.severity) for report in reports],
                    "By": [report.created_by for report in reports],
                }
            ),
            hide_index=True, alt="Drift reports, newest first",
            column_config={"When": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm")},
        )  # fmt: skip


# --- requests --------------------------------------------------------------------------------------------------------


def show_requests(endpoint: str, hours: int) -> None:
    """Single requests, newest first."""
    only_failed = st.toggle("Only failed", key="monitor_only_failed")
    found = monitoring.recent(endpoint, hours=hours, only_failed=only_failed)
    if found.empty:
        empty_state("No such request in this window.", icon=":material/search_off:")
        return
    st.dataframe(
        found, hide_index=True, alt="Requests, newest first",
        column_config={
            "requested_at": st.column_config.DatetimeColumn("When", format="D MMM, HH:mm:ss"),
            "version": st.column_config.NumberColumn("Version", format="v%d"),
            "status_code": "Status",
            "latency_ms": st.column_config.NumberColumn("Latency", format="%.1f ms"),
            "by": "By",
            "source": "Source",
            "item": "Item",
            "input": st.column_config.TextColumn("Input", width="large"),
            "answer": "Answer",
            "error": "Error",
        },
    )  # fmt: skip
    st.caption(f"The newest {len(found):,} of the window.")


if endpoint_name := st.query_params.get("endpoint"):
    show_endpoint(workbench.endpoints.current(endpoint_name))
else:
    show_list()
