"""Forgetting the kept answers of a model, so that every question is asked and paid for anew."""

from __future__ import annotations

from workbench_core.history import History
from workbench_core.permissions import Action, Permissions
from workbench_core.ports import Store


class AnswerRemoval:
    """Remove kept answers; pairs that were made from them stay as they are."""

    def __init__(self, store: Store, history: History, permissions: Permissions) -> None:
        self._store = store
        self._history = history
        self._permissions = permissions

    def forget(self, name: str, *, by: str) -> int:
        """Remove all kept answers of a model, configured or not; their number. Raises NotPermitted."""
        self._permissions.check(by, Action.ADMINISTER)
        with self._store.transaction():
            removed = self._store.execute(
                "DELETE FROM model_answers WHERE model_name = :model", touches="model_answers", model=name
            )
            if removed:
                self._history.add("chat_model", name, "forget answers", by=by, answers=removed)
        return removed
