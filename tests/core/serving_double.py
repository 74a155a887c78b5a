"""A Serving that lives in memory, and model versions to put behind it; the contract tests cover the real one."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import pandas as pd

from workbench_core.errors import Invalid, NotFound, Unavailable, WorkbenchError
from workbench_core.ports import (
    Availability,
    EndpointState,
    Json,
    LoggedRequest,
    Prediction,
    QueryResult,
    ServedVersion,
    Store,
)
from workbench_core.prompt_templates import PromptTemplates, TemplateDraft
from workbench_core.sheets import Sheet

ANN = "ann@example.com"
TEMPLATE = TemplateDraft(
    name="Spam or not",
    label_type="spam",
    user_prompt="Subject: {{ subject }}\n{{ body }}",
    label_classes=("ham", "spam"),
)


class MemoryServing:
    """Endpoints that answer with the version's name; loading, asking or looking can be made to fail."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.broken: set[int] = set()  # versions that cannot be loaded
        self.interrupt: str = ""  # "before" or "after" the switch: the process dies there
        self.down: WorkbenchError | None = None
        self.loading: set[str] = set()
        self.removed: list[str] = []
        self.answer: Callable[[Mapping[str, Json]], str] = lambda record: "ham"
        self._states: dict[str, EndpointState] = {}
        self._log: list[LoggedRequest] = []

    def availability(self) -> Availability:
        return Availability(True)

    def apply(self, endpoint: str, served: Sequence[ServedVersion]) -> EndpointState:
        self._check_up()
        for one in served:
            if one.version in self.broken:
                raise Invalid(f"v{one.version} cannot be loaded: the weights are missing.")
        if self.interrupt == "before":
            raise KeyboardInterrupt
        before = self._states.get(endpoint)
        number = before.config_version + 1 if before else 1
        self._states[endpoint] = EndpointState(endpoint, "ready", tuple(served), number)
        if self.interrupt == "after":
            raise KeyboardInterrupt
        return self._states[endpoint]

    def remove(self, endpoint: str) -> None:
        self._check_up()
        self.removed.append(endpoint)
        self._states.pop(endpoint, None)

    def state(self, endpoint: str) -> EndpointState:
        self._check_up()
        if endpoint not in self._states:
            raise NotFound(f"There is no endpoint {endpoint}.")
        known = self._states[endpoint]
        if endpoint in self.loading:
            return EndpointState(endpoint, "updating", known.served, known.config_version)
        return known

    def query(
        self,
        endpoint: str,
        records: Sequence[Mapping[str, Json]],
        *,
        by: str,
        source: str = "playground",
        item_refs: Sequence[str] = (),
    ) -> QueryResult:
        main = max(self.state(endpoint).served, key=lambda one: one.traffic_percent)
        request = self.log(
            endpoint, main.version, records=records, item_refs=item_refs, by=by, source=source,
            answers=[self.answer(record) for record in records],
        )  # fmt: skip
        predictions = tuple(Prediction(str(one["prediction"]), 0.9) for one in request.predictions)
        return QueryResult(request.request_id, main.model_name, main.version, predictions, request.latency_ms)

    def predict(self, model_name: str, version: int, records: Sequence[Mapping[str, Json]]) -> list[Prediction]:
        return [Prediction(self.answer(record), 0.9) for record in records]

    def performance(self, endpoint: str, *, since: datetime, until: datetime) -> pd.DataFrame:
        columns = ["request_id", "requested_at", "version", "status_code", "latency_ms", "requested_by", "source"]
        found = [one for one in self._log if one.endpoint == endpoint and since <= one.requested_at < until]
        found.sort(key=lambda one: one.requested_at)
        frame = pd.DataFrame([[getattr(one, name) for name in columns] for one in found], columns=columns)
        frame["requested_at"] = pd.to_datetime(frame["requested_at"], utc=True)
        return frame.astype({"version": "int64", "status_code": "int64", "latency_ms": "float64"})

    def requests(
        self, endpoint: str, *, since: datetime, until: datetime, limit: int = 1000, newest_first: bool = True
    ) -> list[LoggedRequest]:
        found = [one for one in self._log if one.endpoint == endpoint and since <= one.requested_at < until]
        return sorted(found, key=lambda one: one.requested_at, reverse=newest_first)[:limit]

    def request(self, request_id: str) -> LoggedRequest:
        for one in self._log:
            if one.request_id == request_id:
                return one
        raise NotFound(f"There is no request “{request_id}” in the log.")

    # --- for the tests -----------------------------------------------------------------------------------------------

    def log(
        self,
        endpoint: str,
        version: int,
        *,
        at: datetime | None = None,
        latency_ms: float = 10.0,
        status_code: int = 200,
        records: Sequence[Mapping[str, Json]] = (),
        answers: Sequence[str] = (),
        item_refs: Sequence[str] = (),
        by: str = ANN,
        source: str = "api",
    ) -> LoggedRequest:
        """Write a finished request into the log, as traffic would."""
        made = LoggedRequest(
            request_id=str(uuid.uuid4()), endpoint=endpoint, model_name="mail-classifier", version=version,
            requested_at=at or self.clock(), latency_ms=latency_ms, status_code=status_code,
            error="" if status_code < 400 else "the model failed", requested_by=by, source=source,
            item_refs=tuple(item_refs), records=tuple(records),
            predictions=tuple({"prediction": answer, "confidence": 0.9} for answer in answers),
        )  # fmt: skip
        self._log.append(made)
        return made

    def traffic(
        self, endpoint: str, latencies: Sequence[float], *, until: datetime, version: int = 1, failed: int = 0
    ) -> None:
        """One request a second, the last one a second before `until`; the first `failed` of them fail."""
        for number, latency in enumerate(latencies):
            at = until - timedelta(seconds=len(latencies) - number)
            self.log(endpoint, version, at=at, latency_ms=latency, status_code=500 if number < failed else 200)

    def set_outside(self, endpoint: str, *served: ServedVersion) -> None:
        """Change an endpoint behind the workbench's back."""
        self._states[endpoint] = EndpointState(endpoint, "ready", tuple(served), 99)

    def forget(self, endpoint: str) -> None:
        """Lose an endpoint."""
        del self._states[endpoint]

    def _check_up(self) -> None:
        if self.down is not None:
            raise self.down


class MemoryTracker:
    """A registry that remembers aliases."""

    def __init__(self) -> None:
        self.aliases: dict[tuple[str, str], int] = {}
        self.is_down = False

    def versions(self, model_name: str) -> list[object]:
        return []

    def set_alias(self, model_name: str, alias: str, version: int) -> None:
        if self.is_down:
            raise Unavailable("The registry does not answer.")
        self.aliases[model_name, alias] = version


def add_version(
    store: Store,
    templates: PromptTemplates,
    sheet: Sheet,
    version: int,
    *,
    profile: Mapping[str, Json] | None = None,
    model_name: str = "mail-classifier",
    template: TemplateDraft = TEMPLATE,
) -> None:
    """Write down a trained version with its training sheet and job, as a finished training leaves them."""
    kept = templates.create(template, by=ANN)
    now, key = sheet.created_at, f"{model_name}-{version}"
    people = {"created_by": ANN, "created_at": now}
    store.append("training_sheets", [{
        "id": f"training-sheet-{key}", "name": "Mails", "sheet_id": sheet.id, "prompt_template_id": kept.id,
        "template_version": kept.version, "template_snapshot": json.dumps(kept.snapshot()),
        "label_type": kept.label_type, "mapping": json.dumps({"subject": "subject", "body": "body"}),
        "answer_source": "manual", "row_limit": 100, "status": "trained",
        "updated_by": ANN, "updated_at": now, **people,
    }])  # fmt: skip
    store.append("training_jobs", [{
        "id": f"job-{key}", "training_sheet_id": f"training-sheet-{key}", "model_name": model_name,
        "trainer": "classifier", "train_share": 0.7, "validation_share": 0.1, "status": "succeeded",
        "fingerprint": key, **people,
    }])  # fmt: skip
    store.append("model_versions", [{
        "model_name": model_name, "version": version, "job_id": f"job-{key}",
        "training_sheet_id": f"training-sheet-{key}", "sheet_id": sheet.id, "prompt_template_id": kept.id,
        "template_version": kept.version, "label_type": kept.label_type, "answer_kind": kept.answer_kind,
        "reference_profile": json.dumps(profile or {}), "created_at": now,
    }])  # fmt: skip


class ServedModel:
    """A model with versions, its sheet, and everything that deploys and watches it."""

    def __init__(self, store, lake, history, permissions, clock, folder) -> None:
        from workbench_core.alerts import Alerts
        from workbench_core.endpoints import Endpoints
        from workbench_core.feedback import Feedback
        from workbench_core.model_versions import ModelVersions
        from workbench_core.monitoring import Monitoring
        from workbench_core.sheets import SheetDraft, Sheets

        self.store, self.clock, self.history = store, clock, history
        self.serving, self.tracker = MemoryServing(clock), MemoryTracker()
        self.versions = ModelVersions(store)
        self.sheets = Sheets(store, lake, history, permissions, clock)
        self.templates = PromptTemplates(store, self.sheets, history, permissions, clock, lake=lake)
        file = folder / "mails.csv"
        file.write_text("mail_id,subject,body\nm1,Win now,Free money\nm2,Lunch,At noon?\n")
        lake.put_table("main.office.mails", file, original_name="mails.csv")
        draft = SheetDraft("Mails", "main.office.mails", "mail_id", metadata_columns=("subject", "body"))
        self.sheet = self.sheets.create(draft, by=ANN)
        self.make_endpoints = lambda: Endpoints(
            store, self.serving, history, permissions, clock,
            versions=self.versions, sheets=self.sheets, tracker=self.tracker,
        )  # fmt: skip
        self.endpoints = self.make_endpoints()
        self.feedback = Feedback(
            store, self.serving, history, permissions, clock, endpoints=self.endpoints, versions=self.versions
        )
        self.alerts = Alerts(store, self.serving, history, permissions, clock, endpoints=self.endpoints)
        self.monitoring = Monitoring(
            store, self.serving, history, permissions, clock,
            endpoints=self.endpoints, versions=self.versions, feedback=self.feedback, alerts=self.alerts,
        )  # fmt: skip

    def add(self, version: int, **more) -> None:
        add_version(self.store, self.templates, self.sheet, version, **more)

    def deploy(self, version: int = 1, **more):
        return self.endpoints.deploy("mail-classifier", version, by=ANN, **more)
