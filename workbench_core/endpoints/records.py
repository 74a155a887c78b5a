"""The rows of endpoints and of their deployments: read, begin, close."""

from __future__ import annotations

from dataclasses import replace

from workbench_core import rows
from workbench_core.clock import Clock
from workbench_core.endpoints.model import (
    Deployment,
    DeploymentState,
    Endpoint,
    EndpointStatus,
    Served,
    deployment,
    endpoint,
    in_order,
    read_served,
    served_json,
)
from workbench_core.errors import AlreadyExists, Conflict, NotFound
from workbench_core.ports import Store, Value

_COLUMNS = (
    "id, name, model_name, served, status, message, is_demo, row_version, created_by, created_at, updated_by, "
    "updated_at"
)
_DEPLOYMENT = (
    "id, endpoint_id, sequence, action, served_before, served_after, reason, state, message, worker, by_user, "
    "started_at, finished_at"
)


class EndpointRecords:
    """What the store knows about endpoints; a finished deployment is never touched again."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def find(self, *, model_name: str = "", limit: int = 200) -> list[Endpoint]:
        """Endpoints by name."""
        found = self._store.query(
            f"SELECT {_COLUMNS} FROM endpoints WHERE :model IN ('', model_name) ORDER BY name LIMIT :limit",
            model=model_name,
            limit=limit,
        )
        return [endpoint(row) for row in found]

    def named(self, name: str) -> Endpoint | None:
        """One endpoint by its name, if there is one."""
        found = self._store.query(f"SELECT {_COLUMNS} FROM endpoints WHERE name = :name", name=name)
        return endpoint(found[0]) if found else None

    def get(self, name: str) -> Endpoint:
        """One endpoint by its name. Raises NotFound."""
        known = self.named(name)
        if known is None:
            raise NotFound(f"There is no endpoint “{name}”.", hint="Choose one on the Deploy page.")
        return known

    def by_id(self, endpoint_id: str) -> Endpoint:
        """One endpoint by its identifier. Raises NotFound."""
        found = self._store.query(f"SELECT {_COLUMNS} FROM endpoints WHERE id = :id", id=endpoint_id)
        if not found:
            raise NotFound("This endpoint does not exist.", hint="Choose one on the Deploy page.")
        return endpoint(found[0])

    def deployments(self, known: Endpoint, *, limit: int) -> list[Deployment]:
        """All changes of an endpoint, newest first."""
        found = self._store.query(
            f"SELECT {_DEPLOYMENT} FROM deployments WHERE endpoint_id = :id ORDER BY sequence DESC LIMIT :limit",
            id=known.id,
            limit=limit,
        )
        return [deployment(row) for row in found]

    def in_progress(self, known: Endpoint) -> Deployment | None:
        """The change under way, if there is one."""
        found = self._store.query(
            f"SELECT {_DEPLOYMENT} FROM deployments WHERE endpoint_id = :id AND state = 'in_progress' "
            "ORDER BY sequence DESC LIMIT 1",
            id=known.id,
        )
        return deployment(found[0]) if found else None

    def has_succeeded(self, deployment_id: str) -> bool:
        """Whether a deployment ended well."""
        found = self._store.query("SELECT state FROM deployments WHERE id = :id", id=deployment_id)
        return rows.text(found[0], "state") == DeploymentState.SUCCEEDED

    def earlier(self, known: Endpoint) -> list[Served]:
        """Configurations that were served successfully and differ from the present one, the latest first."""
        found = self._store.query(
            "SELECT served_after, MAX(sequence) AS latest FROM deployments WHERE endpoint_id = :id "
            "AND state = 'succeeded' AND action <> 'stop' AND served_after <> :now "
            "GROUP BY served_after ORDER BY latest DESC LIMIT 50",
            id=known.id,
            now=served_json(in_order(known.served)),
        )
        return [read_served(row, "served_after") for row in found]

    def begin(self, known: Endpoint, begun: Deployment, *, status: EndpointStatus, is_new: bool) -> Deployment:
        """Write a deployment down, with the endpoint when it is new. Raises Conflict when somebody was faster."""
        begun = replace(begun, sequence=self._next_sequence(known))
        try:
            with self._store.transaction():
                if is_new:
                    self._store.append("endpoints", [_endpoint_row(known)])
                else:
                    self.save(replace(known, status=status, message=""), by=begun.by)
                self._store.append("deployments", [_deployment_row(begun)])
        except AlreadyExists:
            raise Conflict(f"Somebody else is changing “{known.name}”.", hint="Reload and try again.") from None
        return begun

    def close(self, begun: Deployment, state: DeploymentState, message: str) -> None:
        """Record how a deployment in progress ended."""
        self._store.execute(
            "UPDATE deployments SET state = :state, message = :message, finished_at = :now "
            "WHERE id = :id AND state = 'in_progress'",
            touches="deployments",
            state=state,
            message=message,
            now=self._clock(),
            id=begun.id,
        )

    def save(self, changed: Endpoint, *, by: str) -> None:
        """Store what is served now, and how it stands."""
        self._store.execute(
            "UPDATE endpoints SET served = :served, status = :status, message = :message, updated_by = :by, "
            "updated_at = :now, row_version = row_version + 1 WHERE id = :id",
            touches="endpoints",
            served=served_json(changed.served),
            status=changed.status,
            message=changed.message,
            by=by,
            now=self._clock(),
            id=changed.id,
        )

    def _next_sequence(self, known: Endpoint) -> int:
        found = self._store.query(
            "SELECT COALESCE(MAX(sequence), 0) + 1 AS next FROM deployments WHERE endpoint_id = :id", id=known.id
        )
        return rows.whole(found[0], "next")


def _endpoint_row(new: Endpoint) -> dict[str, Value]:
    values = {name: getattr(new, name) for name in Endpoint.__dataclass_fields__}
    return values | {"served": served_json(new.served)}


def _deployment_row(begun: Deployment) -> dict[str, Value]:
    values = {name: getattr(begun, name) for name in Deployment.__dataclass_fields__ if name != "by"}
    return values | {
        "by_user": begun.by,
        "served_before": served_json(begun.served_before),
        "served_after": served_json(begun.served_after),
    }
