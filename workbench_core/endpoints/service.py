"""Deploy versions, shift traffic, go back, stop and ask; serving's own state always wins over the store's."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from workbench_core.clock import Clock, new_id
from workbench_core.endpoints import inputs
from workbench_core.endpoints.model import (
    Deployment,
    DeploymentAction,
    DeploymentState,
    Endpoint,
    EndpointStatus,
    Served,
    SheetRow,
    check_name,
    describe,
    from_shares,
    in_order,
    name_for,
    new_endpoint,
    overlay,
    with_canary,
)
from workbench_core.endpoints.records import EndpointRecords
from workbench_core.errors import Conflict, Invalid, NotFound, WorkbenchError
from workbench_core.history import History
from workbench_core.label_sets import check_may_serve
from workbench_core.model_versions import ModelVersions
from workbench_core.permissions import Action, Permissions
from workbench_core.ports import EndpointState, Json, QueryResult, ServedVersion, Serving, Store, Tracker
from workbench_core.sheets import Sheets

log = logging.getLogger(__name__)

ALIAS = "production"
ABANDONED = "The app ended before this was done."
ABANDONED_AFTER = timedelta(minutes=15)  # a deployment of another machine that is open for longer has no owner


@dataclass(frozen=True, slots=True)
class _Change:
    """What is about to be done to an endpoint."""

    endpoint: Endpoint
    is_new: bool
    action: DeploymentAction
    served_after: Served
    reason: str


class Endpoints:
    """Put model versions behind endpoints, and keep one row for every change that was tried (INV-T4, INV-T6)."""

    def __init__(
        self,
        store: Store,
        serving: Serving,
        history: History,
        permissions: Permissions,
        clock: Clock,
        *,
        versions: ModelVersions,
        sheets: Sheets,
        tracker: Tracker | None = None,
    ) -> None:
        self._store = store
        self._records = EndpointRecords(store, clock)
        self._serving = serving
        self._history = history
        self._permissions = permissions
        self._clock = clock
        self._versions = versions
        self._sheets = sheets
        self._tracker = tracker
        self._worker = f"{socket.gethostname()}:{os.getpid()}:{new_id('worker')}"
        self._locks: dict[str, threading.Lock] = {}
        self._locks_guard = threading.Lock()

    # --- changing ----------------------------------------------------------------------------------------------------

    def deploy(
        self,
        model_name: str,
        version: int,
        *,
        by: str,
        name: str = "",
        canary_percent: int = 100,
        reason: str = "",
        is_demo: bool = False,
    ) -> Endpoint:
        """Serve a version: on a new endpoint, or on an existing one, where the versions before keep the rest (DP-3).

        A blank name becomes the model's. Raises Invalid, NotFound for an unknown version, Conflict when the endpoint
        serves another model, serves just this already or is being changed, or when a label set forbids to serve its
        classes, and what serving raises.
        """
        self._permissions.check(by, Action.DEPLOY)
        made = self._versions.get(model_name, version)
        check_may_serve(self._store, made.label_type)
        name = check_name(name) if name.strip() else name_for(model_name)
        with self._alone(name):
            known = self._free(name)
            if known and known.model_name != model_name:
                raise Conflict(
                    f"The endpoint “{name}” serves the model {known.model_name}.",
                    hint="Choose another name: an endpoint keeps its model, so that its numbers can be compared.",
                )
            before = () if known is None or known.is_stopped else known.served
            action = DeploymentAction.UPDATE if before else DeploymentAction.CREATE
            served = with_canary(before, ServedVersion(made.model_name, made.version, canary_percent))
            target = known or new_endpoint(name, model_name, by=by, now=self._clock(), is_demo=is_demo)
            return self._change(_Change(target, known is None, action, served, reason), by=by)

    def set_traffic(self, name: str, shares: Mapping[int, int], *, by: str, reason: str = "") -> Endpoint:
        """Share the traffic among versions: version -> whole percent, 100 together (DP-6).

        Raises Invalid, NotFound for an unknown version, Conflict when stopped or nothing would change.
        """
        self._permissions.check(by, Action.DEPLOY)
        with self._alone(name):
            known = self._running(name)
            served = from_shares(known.model_name, shares)
            for one in served:
                self._versions.get(one.model_name, one.version)
            return self._change(_Change(known, False, DeploymentAction.TRAFFIC, served, reason), by=by)

    def rollback(self, name: str, *, by: str, reason: str = "", to_version: int | None = None) -> Endpoint:
        """Go back (DP-5): to what the last successful deployment served that differs from now, or to one version.

        Raises Conflict when there is nothing to go back to, when that version is what is served, or when it was never
        served successfully here.
        """
        self._permissions.check(by, Action.DEPLOY)
        with self._alone(name):
            known = self._running(name)
            earlier = self._records.earlier(known)
            if to_version is None:
                if not earlier:
                    raise Conflict(f"“{name}” has no earlier deployment to go back to.", hint="Deploy another version.")
                served = earlier[0]
            else:
                served = (ServedVersion(known.model_name, to_version, 100),)
                tried = {one.version for config in (known.served, *earlier) for one in config}
                if to_version not in tried:
                    raise Conflict(
                        f"“{name}” never served version {to_version}.",
                        hint=f"It served {', '.join(f'v{version}' for version in sorted(tried))}. Deploy it instead.",
                    )
            return self._change(_Change(known, False, DeploymentAction.ROLLBACK, served, reason), by=by)

    def stop(self, name: str, *, by: str, reason: str = "") -> Endpoint:
        """Stop answering; history, requests and feedback stay, and it can be deployed again (DP-7)."""
        self._permissions.check(by, Action.DELETE_ENDPOINTS)
        with self._alone(name):
            return self._change(_Change(self._running(name), False, DeploymentAction.STOP, (), reason), by=by)

    def reconcile(self) -> list[Endpoint]:
        """Close the deployments of dead processes and take over what serving says; give the endpoints that changed.

        Called at start and every minute. An endpoint that is being changed right now is left alone.
        """
        changed: list[Endpoint] = []
        for known in self.find():
            lock = self._lock(known.name)
            if not lock.acquire(blocking=False):
                continue
            try:
                after = self._reconcile(known)
            finally:
                lock.release()
            if after != known:
                changed.append(after)
        return changed

    # --- asking ------------------------------------------------------------------------------------------------------

    def query(
        self,
        name: str,
        records: Sequence[Mapping[str, Json]],
        *,
        by: str,
        source: str = "playground",
        item_refs: Sequence[str] = (),
    ) -> QueryResult:
        """Ask an endpoint (DP-11); the request is in its log before the answer is here.

        Raises NotFound, Conflict when stopped, Invalid for unsuitable records, Unavailable.
        """
        self._permissions.check(by, Action.QUERY)
        _check_running(self.get(name))
        if not any(str(value).strip() for record in records for value in record.values() if value is not None):
            raise Invalid("The request is empty.", hint="Fill in at least one field.")
        return self._serving.query(name, records, by=by, source=source, item_refs=item_refs)

    def input_fields(self, name: str) -> tuple[str, ...]:
        """The fields that a request needs: the template variables of all served versions, the main one's first."""
        known = self.get(name)
        ordered = sorted(known.served, key=lambda one: (-one.traffic_percent, -one.version))
        variables = [
            inputs.variables_of(self._store, self._versions.get(one.model_name, one.version)) for one in ordered
        ]
        return tuple(dict.fromkeys(field for fields in variables for field in fields))

    def sheet_row(self, name: str, number: int) -> SheetRow:
        """A row of the sheet that the main version was trained from, as a record: what “fill from a sheet row” fills.

        `number` counts from 1 in the sheet's order. Raises NotFound behind the last row or without a sheet.
        """
        known = self.get(name)
        if known.main_version is None:
            raise NotFound(f"“{name}” serves no version.", hint="Deploy one first.")
        made = self._versions.get(known.model_name, known.main_version)
        return inputs.sheet_row(self._store, self._sheets, made, number)

    # --- looking -----------------------------------------------------------------------------------------------------

    def find(self, *, model_name: str = "", limit: int = 200) -> list[Endpoint]:
        """Endpoints by name, as the store knows them; of one model with `model_name` (DP-9)."""
        return self._records.find(model_name=model_name, limit=limit)

    def get(self, name: str) -> Endpoint:
        """One endpoint by its name, as the store knows it. Raises NotFound."""
        return self._records.get(name)

    def overview(self) -> list[Endpoint]:
        """All endpoints by name, with state and shares as serving reports them now (DP-1, INV-T6)."""
        return [self._as_served(known) for known in self.find()]

    def current(self, name: str) -> Endpoint:
        """One endpoint with state and shares as serving reports them now (DP-2). Raises NotFound."""
        return self._as_served(self.get(name))

    def history(self, name: str, *, limit: int = 50) -> list[Deployment]:
        """Every change of an endpoint, newest first (DP-8)."""
        return self._records.deployments(self.get(name), limit=limit)

    def earlier(self, name: str) -> list[Served]:
        """The configurations that a rollback may go back to, each once, the latest first; all were successful."""
        return self._records.earlier(self.get(name))

    # --- one change --------------------------------------------------------------------------------------------------

    def _change(self, change: _Change, *, by: str) -> Endpoint:
        """Write the deployment down, do it, and close it by what serving says."""
        known = change.endpoint
        if known.status is not EndpointStatus.FAILED and known.served and known.served == change.served_after:
            raise Conflict(f"“{known.name}” serves {known.traffic} already.", hint="Choose another version.")
        begun = self._begin(change, by=by)
        failure: WorkbenchError | None = None
        actual: EndpointState | None
        try:
            actual = self._do(change)
        except WorkbenchError as error:
            failure = error
            actual = self._ask(change.endpoint.name)
        after = self._settle(self.get(change.endpoint.name), begun, actual, error=_words(failure))
        if failure is not None and not self._records.has_succeeded(begun.id):
            raise failure
        return after

    def _do(self, change: _Change) -> EndpointState:
        name = change.endpoint.name
        if change.action is DeploymentAction.STOP:
            self._serving.remove(name)
            return EndpointState(name, EndpointStatus.STOPPED, (), 0)
        return self._serving.apply(name, change.served_after)

    def _free(self, name: str) -> Endpoint | None:
        """The endpoint as serving has it, if it exists. Raises Conflict while somebody changes it."""
        known = self._records.named(name)
        if known is None:
            return None
        known = self._reconcile(known)
        if (opened := self._records.in_progress(known)) is not None:
            raise Conflict(
                f"“{name}” is being changed by {opened.by} since {opened.started_at:%H:%M} UTC.",
                hint="Wait until that has ended, then reload.",
            )
        return known

    def _running(self, name: str) -> Endpoint:
        known = self._free(name) or self.get(name)
        _check_running(known)
        return known

    def _begin(self, change: _Change, *, by: str) -> Deployment:
        known = change.endpoint
        begun = Deployment(
            id=new_id("deployment"),
            endpoint_id=known.id,
            sequence=0,
            action=change.action,
            served_before=() if known.is_stopped else known.served,
            served_after=change.served_after,
            reason=change.reason.strip(),
            state=DeploymentState.IN_PROGRESS,
            message="",
            worker=self._worker,
            by=by,
            started_at=self._clock(),
            finished_at=None,
        )
        is_first = change.action is DeploymentAction.CREATE
        status = EndpointStatus.CREATING if is_first else EndpointStatus.UPDATING
        return self._records.begin(known, begun, status=status, is_new=change.is_new)

    def _settle(self, known: Endpoint, begun: Deployment, actual: EndpointState | None, *, error: str = "") -> Endpoint:
        """Close a deployment by what serving has; it stays open while serving is still at it."""
        served = in_order(actual.served) if actual else begun.served_before
        is_done = actual is not None and actual.state != "failed" and served == begun.served_after
        if actual is not None and actual.state == "updating" and not is_done:
            return known
        if is_done:
            state, message = DeploymentState.SUCCEEDED, self._point_alias(begun)
            status = EndpointStatus.READY if served else EndpointStatus.STOPPED
        else:
            state, message = DeploymentState.FAILED, error or (actual.message if actual else "")
            is_ready = actual is not None and actual.state == "ready" and bool(served)
            status = EndpointStatus.READY if is_ready else EndpointStatus.FAILED
        note = message if is_done else f"The last change failed: {message}"
        after = replace(known, served=served, status=status, message=note)
        with self._store.transaction():
            self._records.close(begun, state, message)
            self._records.save(after, by=begun.by)
            self._history.add(
                "endpoint", known.id, begun.action, by=begun.by, state=state, before=describe(begun.served_before),
                after=describe(begun.served_after), reason=begun.reason,
            )  # fmt: skip
        return self.get(known.name)

    def _point_alias(self, begun: Deployment) -> str:
        """Let the registry's alias follow the version with the largest share; a failure is told, not fatal."""
        if self._tracker is None or not begun.served_after:
            return ""
        main = max(begun.served_after, key=lambda one: (one.traffic_percent, one.version))
        try:
            self._tracker.set_alias(main.model_name, ALIAS, main.version)
        except WorkbenchError as error:
            log.warning("The alias of %s could not be moved: %s", main.model_name, error.message)
            return f"Served, but the registry's alias “{ALIAS}” could not be moved: {error.message}"
        return ""

    def _reconcile(self, known: Endpoint) -> Endpoint:
        opened = self._records.in_progress(known)
        if opened is not None and not self._is_abandoned(opened):
            return known
        actual = self._ask(known.name)
        if opened is not None:
            return self._settle(known, opened, actual, error=ABANDONED)
        if actual is None or actual.state == "updating":
            return known
        seen = overlay(known, actual)
        if (seen.served, seen.status) == (known.served, known.status):
            return known
        with self._store.transaction():
            self._records.save(seen, by=known.updated_by)
            self._history.add(
                "endpoint", known.id, "changed outside", by="serving", before=describe(known.served),
                after=describe(seen.served), state=seen.status,
            )  # fmt: skip
        return self.get(known.name)

    # --- inside ------------------------------------------------------------------------------------------------------

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """Let one change at a time happen to an endpoint."""
        lock = self._lock(name)
        if not lock.acquire(blocking=False):
            raise Conflict(f"“{name}” is being changed right now.", hint="Wait a moment and reload.")
        try:
            yield
        finally:
            lock.release()

    def _lock(self, name: str) -> threading.Lock:
        with self._locks_guard:
            return self._locks.setdefault(name, threading.Lock())

    def _is_abandoned(self, begun: Deployment) -> bool:
        """Whether nobody works on an open deployment any more. The caller holds the endpoint's lock."""
        host, process, _ = begun.worker.rsplit(":", 2) if begun.worker.count(":") >= 2 else ("", "", "")
        if host != socket.gethostname():
            return begun.started_at < self._clock() - ABANDONED_AFTER
        if int(process) == os.getpid():
            return True
        try:
            os.kill(int(process), 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False

    def _ask(self, name: str) -> EndpointState | None:
        """What serving says; None when it cannot be asked."""
        try:
            return self._serving.state(name)
        except NotFound:
            return EndpointState(name, EndpointStatus.STOPPED, (), 0)
        except WorkbenchError as error:
            log.warning("Serving cannot be asked about %s: %s", name, error.message)
            return None

    def _as_served(self, known: Endpoint) -> Endpoint:
        if known.is_stopped:
            return known
        actual = self._ask(known.name)
        if actual is None:
            return replace(known, status=EndpointStatus.FAILED, message="The serving process does not answer.")
        return overlay(known, actual)


def _check_running(known: Endpoint) -> None:
    if known.is_stopped:
        raise Conflict(
            f"“{known.name}” was stopped by {known.updated_by}.", hint="Deploy a version to it to start it again."
        )


def _words(error: WorkbenchError | None) -> str:
    return f"{error.message} {error.hint}".strip() if error else ""
