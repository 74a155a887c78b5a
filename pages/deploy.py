"""Serve model versions, try them, share traffic, go back; `?endpoint=<name>` opens one, `?tab=` one of its parts.

`?new=1` shows the form for a new deployment; `?model=<name>&version=<number>` fills it in.
"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.address import choose_in_url, pick_row
from pages.components.errors import guard
from pages.components.identity import current_user
from pages.components.layout import empty_state, flash, metric_row, page_header, status_badge
from pages.components.playground import playground
from pages.components.words import ago, plain, words
from workbench_core import cached
from workbench_core.endpoints import Deployment, Endpoint, EndpointStatus, describe, name_for
from workbench_core.model_versions import ModelVersion
from workbench_core.permissions import Action

TABS = ["playground", "traffic", "history"]
OFFERED_VERSIONS = 6
CHANGING = {EndpointStatus.CREATING, EndpointStatus.UPDATING}

workbench, user = cached.workbench(), current_user()
endpoints = workbench.endpoints
may_deploy = workbench.permissions.allows(user, Action.DEPLOY)
may_stop = workbench.permissions.allows(user, Action.DELETE_ENDPOINTS)
ROLELESS = None if may_deploy else "Your role may not deploy models."


def open_endpoint(name: str, message: str = "", *, tab: str = "playground") -> None:
    """Go to one endpoint, with a message when something was done."""
    if message:
        flash(message)
    st.query_params.from_dict({"endpoint": name} | ({"tab": tab} if tab != "playground" else {}))
    st.rerun()


# --- list and new deployment -----------------------------------------------------------------------------------------


def show_list() -> None:
    """All endpoints with state and traffic, and the form for a new deployment when it is asked for."""
    is_new = "new" in st.query_params or "model" in st.query_params
    actions = page_header("Deploy", "Serve model versions, try them, and go back when they are worse")
    if actions.button("New deployment", icon=":material/add:", type="primary", key="deploy_new",
                      disabled=not may_deploy or is_new, help=ROLELESS):  # fmt: skip
        st.query_params["new"] = "1"
        st.rerun()
    versions = workbench.model_versions.find()
    if is_new:
        with st.container(border=True), guard():
            new_deployment(versions)
    found = cached.endpoints()
    if found:
        show_table(found)
        if waiting := [endpoint.name for endpoint in found if endpoint.status in CHANGING]:
            follow(waiting)
    elif not is_new:
        show_nothing(has_versions=bool(versions))


def show_nothing(*, has_versions: bool) -> None:
    """Say why the list is empty, with the one useful next step."""
    if has_versions:
        empty_state("No endpoint yet. Deploy a model version to get one.", icon=":material/rocket_launch:")
        return
    with empty_state("No model version yet that could be deployed.", icon=":material/model_training:"):
        st.page_link("train.py", label="Train a model", icon=":material/model_training:")


def show_table(found: list[Endpoint]) -> None:
    """State counts and the table; a click opens an endpoint."""
    states = [endpoint.status for endpoint in found]
    metric_row([(words(status), f"{states.count(status)}") for status in EndpointStatus if status != "creating"])
    pick_row(
        pd.DataFrame(
            {
                "Endpoint": [endpoint.name for endpoint in found],
                "State": [words(endpoint.status) for endpoint in found],
                "Serves": [endpoint.traffic for endpoint in found],
                "Model": [endpoint.model_name for endpoint in found],
                "Changed": [ago(endpoint.updated_at) for endpoint in found],
                "By": [endpoint.updated_by for endpoint in found],
            }
        ),
        [endpoint.name for endpoint in found],
        param="endpoint",
        alt="Endpoints with state and served versions",
    )


def new_deployment(versions: list[ModelVersion]) -> None:
    """Choose model, version, endpoint and share, see what is known about the version, and deploy."""
    st.subheader("New deployment", anchor=False)
    if not versions:
        show_nothing(has_versions=False)
        return
    models = list(dict.fromkeys(version.model_name for version in versions))
    wanted, number = st.query_params.get("model", ""), st.query_params.get("version", "")
    asked = int(number) if number.isdecimal() else 0
    with st.grid(min_column_width=220):
        model = st.selectbox("Model", models, index=models.index(wanted) if wanted in models else 0,
                             key=f"deploy_model_{wanted}")  # fmt: skip
        offered = {version.version: version for version in versions if version.model_name == model}
        numbers = list(offered)
        version = st.selectbox(
            "Version", numbers, index=numbers.index(asked) if asked in numbers else 0,
            format_func=lambda value: f"v{value}, {ago(offered[value].created_at)}",
            key=f"deploy_version_{model}_{number}",
        )  # fmt: skip
        name = st.text_input("Endpoint", placeholder=name_for(model), key=f"deploy_name_{model}",
                             help="Empty: the model's name. It stays the same over versions.")  # fmt: skip
        share = share_field(name.strip() or name_for(model), version)
    show_quality(model, version)
    reason = st.text_input("Reason", key="deploy_reason", placeholder="Why now? It stays in the history.")
    deploy_buttons(model, version, name=name, share=share, reason=reason)


def share_field(name: str, version: int) -> int:
    """The share of the traffic: all for a new endpoint, any on one that serves another version already."""
    serving = next((one for one in cached.endpoints() if one.name == name and one.served), None)
    others = [one for one in serving.served if one.version != version] if serving else []
    return st.number_input(
        "Traffic in percent", min_value=1, max_value=100, value=100, step=5, disabled=not others,
        key=f"deploy_share_{name}",
        help=f"{plain(serving.traffic)} keeps the rest." if serving and others else "The only version takes it all.",
    )  # fmt: skip


def show_quality(model: str, version: int) -> None:
    """What the newest evaluation of the version says, or the warning that there is none."""
    evaluation = workbench.evaluations.latest(model, version)
    if evaluation is None:
        st.warning(f"{plain(model)} v{version} is not evaluated: nobody knows how good it is.", icon=":material/help:")
        return
    shown = [value for value in workbench.evaluations.metrics(evaluation.id) if not value.part][:4]
    text = " · ".join(f"{words(value.name)} {value.value:,.3g}" for value in shown)
    st.caption(f"Evaluated on {evaluation.item_count:,} held-out items {ago(evaluation.created_at)}: {plain(text)}")


def deploy_buttons(model: str, version: int, *, name: str, share: int, reason: str) -> None:
    """Deploy, or leave the form."""
    with st.container(horizontal=True):
        if st.button("Deploy", type="primary", icon=":material/rocket_launch:", key="deploy_go",
                     disabled=not may_deploy, help=ROLELESS):  # fmt: skip
            with st.spinner("Loading the version; the old one answers meanwhile"):
                made = endpoints.deploy(model, version, by=user, name=name, canary_percent=share, reason=reason)
            open_endpoint(made.name, f"{made.name} serves {made.traffic}.")
        if st.button("Cancel", key="deploy_cancel"):
            st.query_params.clear()
            st.rerun()


# --- one endpoint ----------------------------------------------------------------------------------------------------


def show_endpoint(endpoint: Endpoint) -> None:
    """One endpoint: ask it, share its traffic, see and undo its changes."""
    parts = [endpoint.model_name, endpoint.traffic, f"changed {ago(endpoint.updated_at)} by {endpoint.updated_by}"]
    actions = page_header(
        plain(endpoint.name), plain(" · ".join(parts)), status=endpoint.status, is_demo=endpoint.is_demo
    )
    with actions, guard():
        endpoint_actions(endpoint)
    if endpoint.message:
        st.warning(plain(endpoint.message), icon=":material/warning:")
    if endpoint.status in CHANGING:
        follow([endpoint.name])
    tab = choose_in_url("Part", TABS, key="tab", default="playground")
    with guard():
        if tab == "history":
            show_history(endpoint)
        elif endpoint.is_stopped:
            empty_state("This endpoint is stopped. Deploy a version to start it again.", icon=":material/stop_circle:")
        elif tab == "traffic":
            show_traffic(endpoint)
        else:
            playground(endpoint, by=user)


def endpoint_actions(endpoint: Endpoint) -> None:
    """Back, monitor, deploy another version, stop."""
    if st.button("All endpoints", icon=":material/arrow_back:", key="deploy_back"):
        st.query_params.clear()
        st.rerun()
    if st.button("Monitor", icon=":material/monitoring:", key="deploy_monitor"):
        st.switch_page("monitor.py", query_params={"endpoint": endpoint.name})
    if st.button("Deploy a version", type="primary", key="deploy_another", disabled=not may_deploy, help=ROLELESS):
        st.query_params.from_dict({"model": endpoint.model_name})
        st.rerun()
    if not endpoint.is_stopped:
        with st.popover("Stop", icon=":material/stop_circle:", disabled=not may_stop), guard():
            stop(endpoint)


def stop(endpoint: Endpoint) -> None:
    """Stop after the name was typed."""
    st.markdown("It answers nobody any more. History, requests and feedback stay.")
    typed = st.text_input(f"Type {plain(endpoint.name)} to confirm", key=f"deploy_stop_name_{endpoint.name}")
    reason = st.text_input("Reason", key=f"deploy_stop_reason_{endpoint.name}")
    if st.button("Stop the endpoint", type="primary", key="deploy_stop", disabled=typed != endpoint.name):
        endpoints.stop(endpoint.name, by=user, reason=reason)
        open_endpoint(endpoint.name, f"{endpoint.name} is stopped.", tab="history")


@st.fragment(run_every="3s")
def follow(names: list[str]) -> None:
    """Look until serving has settled; then the whole page comes back."""
    if any(endpoints.current(name).status not in CHANGING for name in names):
        st.rerun()
    st.caption(":material/hourglass_top: Serving is getting ready")


def show_traffic(endpoint: Endpoint) -> None:
    """What each version gets and got, and the shares to change."""
    measured = workbench.monitoring.performance(endpoint.name).by_version
    st.markdown("**Last 24 hours**")
    if measured.empty:
        st.caption("No request yet.")
    else:
        st.dataframe(
            measured, hide_index=True, alt="Requests of the last 24 hours by version",
            column_config={
                "version": st.column_config.NumberColumn("Version", format="v%d"),
                "requests": st.column_config.NumberColumn("Requests", format="localized"),
                "share": st.column_config.ProgressColumn("Share it got", format="percent", min_value=0, max_value=1),
                "failed": "Failed",
                "error_rate": st.column_config.NumberColumn("Errors", format="%.1f %%"),
                "p50_ms": st.column_config.NumberColumn("p50", format="%.0f ms"),
                "p95_ms": st.column_config.NumberColumn("p95", format="%.0f ms"),
            },
        )  # fmt: skip
    change_traffic(endpoint)


def change_traffic(endpoint: Endpoint) -> None:
    """A share for every version that is served or could be."""
    st.markdown("**Shares from now on**")
    now = {one.version: one.traffic_percent for one in endpoint.served}
    newest = [version.version for version in workbench.model_versions.find(model_name=endpoint.model_name)]
    shares: dict[int, int] = {}
    with st.grid(min_column_width=140):
        for version in sorted({*now, *newest[:OFFERED_VERSIONS]}):
            shares[version] = st.number_input(
                f"v{version} in percent", min_value=0, max_value=100, value=now.get(version, 0), step=5,
                key=f"deploy_share_{endpoint.name}_{endpoint.row_version}_{version}", disabled=not may_deploy,
            )  # fmt: skip
    total = sum(shares.values())
    st.caption(f"Together {total} %." if total == 100 else f":orange[Together {total} %; they must add up to 100 %.]")
    if st.button("Change traffic", type="primary", key="deploy_traffic", disabled=not may_deploy, help=ROLELESS):
        with st.spinner("Loading the versions"):
            changed = endpoints.set_traffic(endpoint.name, shares, by=user)
        open_endpoint(endpoint.name, f"{changed.name} serves {changed.traffic}.", tab="traffic")


# --- history ---------------------------------------------------------------------------------------------------------


def show_history(endpoint: Endpoint) -> None:
    """One click back, and every change ever made."""
    earlier = [] if endpoint.is_stopped else endpoints.earlier(endpoint.name)
    if earlier:
        with st.container(border=True, horizontal=True, vertical_alignment="bottom"):
            reason = st.text_input("Reason", key="deploy_rollback_reason", placeholder="What is worse?", width=320)
            if st.button(f"Roll back to {describe(earlier[0])}", type="primary", icon=":material/undo:",
                         key="deploy_rollback", disabled=not may_deploy, help=ROLELESS):  # fmt: skip
                roll_back(endpoint, reason)
    single = {served[0].version for served in earlier if len(served) == 1}
    offered: set[int] = set()
    for change in endpoints.history(endpoint.name):
        with st.container(border=True):
            version = change.served_after[0].version if len(change.served_after) == 1 else 0
            can_return = version in single and version not in offered and change.state == "succeeded"
            offered |= {version} if can_return else set()
            show_change(endpoint, change, to_version=version if can_return else None)


def show_change(endpoint: Endpoint, change: Deployment, *, to_version: int | None) -> None:
    """One change: what, how it went, who, when and why."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{words(change.action)}**", width="content")
        st.markdown(f"{describe(change.served_before)} → {describe(change.served_after)}", width="content")
        status_badge(change.state)
        st.space("stretch")
        if to_version is not None and st.button(
            f"Roll back to v{to_version}", key=f"deploy_back_to_{change.id}", disabled=not may_deploy, help=ROLELESS
        ):
            roll_back(endpoint, st.session_state.get("deploy_rollback_reason", ""), to_version=to_version)
    took = f", took {change.seconds:.1f} s" if change.seconds is not None else ""
    st.caption(plain(f"{change.by}, {change.started_at:%d %b %Y %H:%M} UTC{took}"))
    for text in filter(None, (change.reason, change.message)):
        st.markdown(plain(text))


def roll_back(endpoint: Endpoint, reason: str, *, to_version: int | None = None) -> None:
    """Go back, and say what is served now."""
    with st.spinner("Going back"):
        changed = endpoints.rollback(endpoint.name, by=user, reason=reason, to_version=to_version)
    open_endpoint(endpoint.name, f"{changed.name} serves {changed.traffic} again.", tab="history")


if endpoint_name := st.query_params.get("endpoint"):
    show_endpoint(endpoints.current(endpoint_name))
else:
    show_list()
