"""Take feedback on logged answers, find it, count it, and settle what becomes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from workbench_core import rows
from workbench_core.clock import Clock, new_id
from workbench_core.endpoints import Endpoints
from workbench_core.errors import Conflict, Invalid, NotFound
from workbench_core.feedback.model import (
    LIFECYCLE,
    FeedbackItem,
    FeedbackStats,
    FeedbackStatus,
    Rating,
    feedback_item,
    feedback_row,
    measure,
    read_rating,
    read_reason,
    texts,
)
from workbench_core.history import History
from workbench_core.model_versions import ModelVersions
from workbench_core.permissions import Action, Permissions
from workbench_core.ports import LoggedRequest, Serving, Store
from workbench_core.prompt_templates import TemplateSnapshot, from_snapshot

if TYPE_CHECKING:
    import pandas as pd

MAX_TEXT = 4000
MAX_DAYS = 365
_COLUMNS = (
    "f.id, f.endpoint_id, e.name AS endpoint, f.model_name, f.version, f.request_id, f.record_number, f.sheet_id, "
    "f.item_ref, f.input, f.output, f.rating, f.correction, f.reason, f.comment, f.status, f.created_by, f.created_at"
)
_FROM = "FROM feedback f JOIN endpoints e ON e.id = f.endpoint_id"


class Feedback:
    """Take feedback on logged answers, find it, count it, and settle what becomes of it."""

    def __init__(
        self,
        store: Store,
        serving: Serving,
        history: History,
        permissions: Permissions,
        clock: Clock,
        *,
        endpoints: Endpoints,
        versions: ModelVersions,
    ) -> None:
        self._store = store
        self._serving = serving
        self._history = history
        self._permissions = permissions
        self._clock = clock
        self._endpoints = endpoints
        self._versions = versions

    def submit(
        self,
        request_id: str,
        record_number: int = 0,
        *,
        rating: str,
        by: str,
        correction: str = "",
        reason: str = "",
        comment: str = "",
        sheet_id: str = "",
    ) -> FeedbackItem:
        """Rate one answer (FB-1); a person's second feedback on it replaces the first, which the history keeps.

        Input, output, version and item come from the request log. A correction must be a valid answer of the version's
        template. Raises NotFound for an unknown request, Invalid, Conflict when the first was converted already.
        """
        self._permissions.check(by, Action.GIVE_FEEDBACK)
        request = self._serving.request(request_id)
        new = self._read(request, record_number, sheet_id=sheet_id, by=by)
        new = replace(
            new,
            rating=read_rating(rating),
            correction=correction.strip(),
            reason=read_reason(reason),
            comment=comment.strip(),
        )
        self._check(new)
        known = self._own(new)
        if known is not None and known.status is FeedbackStatus.CONVERTED:
            raise Conflict("Your feedback on this answer became a pair already.", hint="Change the pair instead.")
        with self._store.transaction():
            if known is None:
                self._store.append("feedback", [feedback_row(new)])
                self._history.add("feedback", new.id, "submit", by=by, rating=new.rating)
            else:
                self._replace(known, new, by=by)
        return self.get(known.id if known else new.id)

    def move(self, feedback_ids: Sequence[str], action: str, *, by: str, note: str = "") -> int:
        """Triage, dismiss or reopen many at once (FB-9); give their number.

        Raises NotFound, InvalidTransition when one of them does not allow it; then none is changed.
        """
        self._permissions.check(by, Action.IMPROVE)
        if action == "convert":
            raise Invalid("Feedback is converted by making a pair of it.", hint="Use the Improve page.")
        found = self._many(feedback_ids)
        leads_to = {LIFECYCLE.next(item.status, action, subject="This feedback") for item in found}
        with self._store.transaction():
            self._store.execute(
                "UPDATE feedback SET status = :status WHERE id IN :ids",
                touches="feedback",
                status=leads_to.pop(),
                ids=[item.id for item in found],
            )
            self._history.add_many("feedback", [item.id for item in found], action, by=by, note=note.strip())
        return len(found)

    # --- looking -----------------------------------------------------------------------------------------------------

    def get(self, feedback_id: str) -> FeedbackItem:
        """One feedback. Raises NotFound."""
        return self._many([feedback_id])[0]

    def of_request(self, request_id: str, *, by: str) -> FeedbackItem | None:
        """What this person said about the first answer of a request."""
        found = self._store.query(
            f"SELECT {_COLUMNS} {_FROM} WHERE f.request_id = :request AND f.created_by = :by AND f.record_number = 0",
            request=request_id,
            by=by,
        )
        return feedback_item(found[0]) if found else None

    def correction_choices(self, model_name: str, version: int) -> tuple[str, ...]:
        """The classes that a correction can be; empty when the answer is free. Raises NotFound."""
        return self._template(model_name, version).label_classes

    def find(
        self,
        *,
        endpoint: str = "",
        rating: Rating | None = None,
        status: FeedbackStatus | None = None,
        model_name: str = "",
        version: int | None = None,
        search: str = "",
        limit: int = 100,
        offset: int = 0,
    ) -> list[FeedbackItem]:
        """Feedback that matches, newest first (FB-2)."""
        found = self._store.query(
            f"SELECT {_COLUMNS} {_FROM} WHERE :endpoint IN ('', e.name) AND :model IN ('', f.model_name) "
            "AND (CAST(:version AS INTEGER) IS NULL OR f.version = :version) "
            "AND f.rating IN :ratings AND f.status IN :statuses "
            "AND LOWER(f.input || ' ' || f.output || ' ' || f.correction || ' ' || f.comment) "
            "LIKE LOWER(:pattern) ESCAPE '!' "
            "ORDER BY f.created_at DESC, f.id LIMIT :limit OFFSET :offset",
            endpoint=endpoint,
            model=model_name,
            version=version,
            ratings=[rating] if rating else list(Rating),
            statuses=[status] if status else list(FeedbackStatus),
            pattern=rows.search_pattern(search),
            limit=limit,
            offset=offset,
        )
        return [feedback_item(row) for row in found]

    def stats(self, endpoint: str = "", *, days: int = 30) -> FeedbackStats:
        """Feedback of the last `days` days, of one endpoint or all, without dismissed ones (FB-3). Raises Invalid."""
        if not 1 <= days <= MAX_DAYS:
            raise Invalid(f"{days} days is not possible.", hint=f"Choose 1 to {MAX_DAYS} days.")
        now = self._clock()
        frame = self._ratings(endpoint, since=now - timedelta(days=2 * days))
        start = now - timedelta(days=days)
        return measure(frame[frame["created_at"] >= start], frame[frame["created_at"] < start], start, now)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _read(self, request: LoggedRequest, record_number: int, *, sheet_id: str, by: str) -> FeedbackItem:
        """The rated answer as the log has it."""
        if request.status_code >= 400 or not 0 <= record_number < len(request.predictions):
            raise Invalid("This request has no such answer to rate.", hint="Rate an answer that was given.")
        output = request.predictions[record_number].get("prediction")
        item_ref = request.item_refs[record_number] if record_number < len(request.item_refs) else ""
        made = self._versions.get(request.model_name, request.version)
        return FeedbackItem(
            id=new_id("feedback"),
            endpoint_id=self._endpoints.get(request.endpoint).id,
            endpoint=request.endpoint,
            model_name=request.model_name,
            version=request.version,
            request_id=request.request_id,
            record_number=record_number,
            sheet_id=(sheet_id or made.sheet_id) if item_ref else "",
            item_ref=item_ref,
            input=texts(request.records[record_number]),
            output="" if output is None else str(output),
            rating=Rating.POSITIVE,
            correction="",
            reason="",
            comment="",
            status=FeedbackStatus.NEW,
            created_by=by,
            created_at=self._clock(),
        )

    def _check(self, new: FeedbackItem) -> None:
        for name, value in (("comment", new.comment), ("correction", new.correction)):
            if len(value) > MAX_TEXT:
                raise Invalid(f"The {name} has {len(value):,} characters.", hint=f"At most {MAX_TEXT:,} are kept.")
        if not new.correction:
            return
        if new.rating is Rating.POSITIVE:
            raise Invalid("A good answer needs no correction.", hint="Choose thumb down, or leave the correction out.")
        if new.correction == new.output.strip():
            raise Invalid("The correction is what the model answered.", hint="Enter the right answer.")
        if faults := self._template(new.model_name, new.version).answer_faults(new.correction):
            raise Invalid(
                f"The correction is no valid answer. {' '.join(faults)}", hint="Correct it and send it again."
            )

    def _template(self, model_name: str, version: int) -> TemplateSnapshot:
        made = self._versions.get(model_name, version)
        found = self._store.query(
            "SELECT template_snapshot FROM training_sheets WHERE id = :id", id=made.training_sheet_id
        )
        return from_snapshot(rows.json_object(found[0], "template_snapshot"))

    def _own(self, new: FeedbackItem) -> FeedbackItem | None:
        found = self._store.query(
            f"SELECT {_COLUMNS} {_FROM} WHERE f.request_id = :request AND f.record_number = :record "
            "AND f.created_by = :by",
            request=new.request_id,
            record=new.record_number,
            by=new.created_by,
        )
        return feedback_item(found[0]) if found else None

    def _replace(self, known: FeedbackItem, new: FeedbackItem, *, by: str) -> None:
        self._store.execute(
            "UPDATE feedback SET rating = :rating, correction = :correction, reason = :reason, comment = :comment, "
            "status = 'new', created_at = :now WHERE id = :id",
            touches="feedback",
            rating=new.rating,
            correction=new.correction,
            reason=new.reason,
            comment=new.comment,
            now=new.created_at,
            id=known.id,
        )
        self._history.add(
            "feedback", known.id, "replace", by=by, rating=known.rating, correction=known.correction,
            reason=known.reason, comment=known.comment, status=known.status,
        )  # fmt: skip

    def _many(self, feedback_ids: Sequence[str]) -> list[FeedbackItem]:
        wanted = list(dict.fromkeys(feedback_ids))
        if not wanted:
            raise Invalid("No feedback is chosen.", hint="Choose at least one.")
        found = self._store.query(f"SELECT {_COLUMNS} {_FROM} WHERE f.id IN :ids ORDER BY f.id", ids=wanted)
        if len(found) < len(wanted):
            raise NotFound("This feedback does not exist.", hint="Reload the list.")
        return [feedback_item(row) for row in found]

    def _ratings(self, endpoint: str, *, since: datetime) -> pd.DataFrame:
        import pandas as pd

        frame = self._store.frame(
            "SELECT f.rating, f.version, f.reason, f.comment, f.correction, f.created_at "
            f"{_FROM} WHERE :endpoint IN ('', e.name) AND f.created_at >= :since AND f.status <> 'dismissed' "
            "ORDER BY f.created_at",
            endpoint=endpoint,
            since=since,
        )
        return frame.assign(created_at=pd.to_datetime(frame["created_at"], utc=True))
