"""The words of endpoints: what is served, how it got there, and the rules of names and shares."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from workbench_core import rows
from workbench_core.clock import new_id
from workbench_core.errors import Invalid
from workbench_core.ports import EndpointState, Row, ServedVersion

MAX_NAME = 63
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")


class EndpointStatus(StrEnum):
    """Whether an endpoint answers. One that is updating answers with the versions it had before."""

    CREATING = "creating"
    READY = "ready"
    UPDATING = "updating"
    FAILED = "failed"
    STOPPED = "stopped"


class DeploymentAction(StrEnum):
    """What was done to an endpoint."""

    CREATE = "create"
    UPDATE = "update"
    ROLLBACK = "rollback"
    TRAFFIC = "traffic"
    STOP = "stop"


class DeploymentState(StrEnum):
    """How it went. A finished deployment never changes again."""

    IN_PROGRESS = "in_progress"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


Served = tuple[ServedVersion, ...]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint: a name that stays, one model, and the versions that answer with their shares of the traffic."""

    id: str
    name: str
    model_name: str
    served: Served
    status: EndpointStatus
    message: str
    is_demo: bool
    row_version: int
    created_by: str
    created_at: datetime
    updated_by: str
    updated_at: datetime

    @property
    def is_stopped(self) -> bool:
        """Whether somebody stopped it."""
        return self.status is EndpointStatus.STOPPED

    @property
    def answers(self) -> bool:
        """Whether a request gets an answer now."""
        return bool(self.served) and self.status in {EndpointStatus.READY, EndpointStatus.UPDATING}

    @property
    def main_version(self) -> int | None:
        """The version with the largest share; the newer one when two are equal; None when nothing is served."""
        largest = max(self.served, key=lambda one: (one.traffic_percent, one.version), default=None)
        return largest.version if largest else None

    @property
    def traffic(self) -> str:
        """Who answers, in words."""
        return describe(self.served)


@dataclass(frozen=True, slots=True)
class Deployment:
    """One change of an endpoint: what was served before, what was asked for, and how it went."""

    id: str
    endpoint_id: str
    sequence: int
    action: DeploymentAction
    served_before: Served
    served_after: Served
    reason: str
    state: DeploymentState
    message: str
    worker: str
    by: str
    started_at: datetime
    finished_at: datetime | None

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it is in progress."""
        return (self.finished_at - self.started_at).total_seconds() if self.finished_at else None


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A row of the sheet that a version was trained from, as a request record."""

    item_ref: str
    record: dict[str, str]


def name_for(model_name: str) -> str:
    """The endpoint name of a model when nobody gave one: “Mail_classifier” becomes “mail-classifier”."""
    last_part = model_name.rsplit(".", 1)[-1].lower()
    return re.sub(r"[^a-z0-9]+", "-", last_part).strip("-")[:MAX_NAME].rstrip("-")


def check_name(name: str) -> str:
    """The name without surrounding spaces. Raises Invalid."""
    stripped = name.strip()
    if not _NAME.fullmatch(stripped):
        raise Invalid(
            f"“{stripped}” cannot be the name of an endpoint.",
            hint=f"Use 1 to {MAX_NAME} letters, digits, - and _, and begin with a letter or digit.",
        )
    return stripped


def with_canary(served: Served, canary: ServedVersion) -> Served:
    """Give a version its share; the others keep theirs in proportion, rounded so that all add up to 100.

    Raises Invalid for a share outside 1 to 100, or below 100 when nothing else is served.
    """
    percent = canary.traffic_percent
    if not 1 <= percent <= 100:
        raise Invalid(f"A share of {percent} % is not possible.", hint="Choose 1 to 100 %.")
    others = [one for one in served if one.version != canary.version and one.traffic_percent]
    if not others and percent < 100:
        raise Invalid("Nothing else is served that could take the rest.", hint="Give this version 100 %.")
    kept = _apportion({one.version: one.traffic_percent for one in others}, 100 - percent)
    rest = [ServedVersion(canary.model_name, version, share) for version, share in kept.items() if share]
    return in_order([*rest, canary])


def from_shares(model_name: str, shares: Mapping[int, int]) -> Served:
    """Version -> percent as served versions (DP-6). Raises Invalid unless whole numbers from 0 that add up to 100."""
    if any(share < 0 for share in shares.values()):
        raise Invalid("A share cannot be below zero.", hint="Choose 0 to 100 % for each version.")
    if (total := sum(shares.values())) != 100:
        raise Invalid(f"The shares add up to {total} %.", hint="Make them add up to 100 %.")
    return in_order([ServedVersion(model_name, version, share) for version, share in shares.items() if share])


def in_order(served: Sequence[ServedVersion]) -> Served:
    """Served versions by number, so that equal configurations are equal."""
    return tuple(sorted(served, key=lambda one: one.version))


def describe(served: Sequence[ServedVersion]) -> str:
    """“v2”, or “v1 90 %, v2 10 %”."""
    if not served:
        return "nothing"
    if len(served) == 1:
        return f"v{served[0].version}"
    return ", ".join(f"v{one.version} {one.traffic_percent} %" for one in served)


def served_json(served: Sequence[ServedVersion]) -> str:
    """Served versions as the tables keep them."""
    return rows.to_json(
        [
            {"model_name": one.model_name, "version": one.version, "traffic_percent": one.traffic_percent}
            for one in served
        ]
    )


def new_endpoint(name: str, model_name: str, *, by: str, now: datetime, is_demo: bool) -> Endpoint:
    """An endpoint that serves nothing yet."""
    return Endpoint(
        id=new_id("endpoint"),
        name=name,
        model_name=model_name,
        served=(),
        status=EndpointStatus.CREATING,
        message="",
        is_demo=is_demo,
        row_version=1,
        created_by=by,
        created_at=now,
        updated_by=by,
        updated_at=now,
    )


def overlay(known: Endpoint, actual: EndpointState) -> Endpoint:
    """What the store knows, corrected by what serving says."""
    served = in_order(actual.served)
    if actual.state == "stopped":
        if known.is_stopped or known.status is EndpointStatus.FAILED:
            return replace(known, served=())
        return replace(
            known,
            served=(),
            status=EndpointStatus.FAILED,
            message="Serving does not know this endpoint any more. Deploy a version to it again.",
        )
    is_changed = actual.state != known.status
    return replace(
        known,
        served=served,
        status=EndpointStatus(actual.state),
        message=actual.message if is_changed or actual.message else known.message,
    )


def endpoint(row: Row) -> Endpoint:
    """An endpoint out of its row."""
    return Endpoint(
        id=rows.text(row, "id"),
        name=rows.text(row, "name"),
        model_name=rows.text(row, "model_name"),
        served=read_served(row, "served"),
        status=EndpointStatus(rows.text(row, "status")),
        message=rows.text(row, "message"),
        is_demo=rows.flag(row, "is_demo"),
        row_version=rows.whole(row, "row_version"),
        created_by=rows.text(row, "created_by"),
        created_at=rows.time(row, "created_at"),
        updated_by=rows.text(row, "updated_by"),
        updated_at=rows.time(row, "updated_at"),
    )


def deployment(row: Row) -> Deployment:
    """A deployment out of its row."""
    return Deployment(
        id=rows.text(row, "id"),
        endpoint_id=rows.text(row, "endpoint_id"),
        sequence=rows.whole(row, "sequence"),
        action=DeploymentAction(rows.text(row, "action")),
        served_before=read_served(row, "served_before"),
        served_after=read_served(row, "served_after"),
        reason=rows.text(row, "reason"),
        state=DeploymentState(rows.text(row, "state")),
        message=rows.text(row, "message"),
        worker=rows.text(row, "worker"),
        by=rows.text(row, "by_user"),
        started_at=rows.time(row, "started_at"),
        finished_at=rows.time_or_none(row, "finished_at"),
    )


def read_served(row: Row, name: str) -> Served:
    """Served versions out of a column."""
    found = [entry for entry in rows.json_list(row, name) if isinstance(entry, dict)]
    return tuple(
        ServedVersion(str(entry["model_name"]), int(str(entry["version"])), int(str(entry["traffic_percent"])))
        for entry in found
    )


def _apportion(weights: Mapping[int, int], total: int) -> dict[int, int]:
    """Split a whole number in proportion to weights, by largest remainder."""
    whole = sum(weights.values())
    exact = {key: total * weight / whole for key, weight in weights.items()}
    parts = {key: int(value) for key, value in exact.items()}
    by_remainder = sorted(exact, key=lambda key: (parts[key] - exact[key], key))
    for key in by_remainder[: total - sum(parts.values())]:
        parts[key] += 1
    return parts
