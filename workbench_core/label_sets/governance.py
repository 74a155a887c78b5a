"""What the published label set of a type imposes on others: usage rules of pairs, and whether models may be served."""

from __future__ import annotations

from workbench_core.errors import Conflict
from workbench_core.label_sets.records import newest_of_type
from workbench_core.ports import Store
from workbench_core.usage import ALL_USES, UsageRules


def rules_of_type(store: Store, label_type: str) -> UsageRules:
    """The usage rules of the label set that a label type follows; no restriction without one (spec 1.6)."""
    found = newest_of_type(store, label_type)
    return ALL_USES if found is None else found.usage


def check_may_serve(store: Store, label_type: str) -> None:
    """Raise Conflict when the label set that a label type follows may not be served."""
    found = newest_of_type(store, label_type)
    if found is not None and not found.may_serve:
        raise Conflict(
            f"The label set “{found.name}” {found.version} says that its classes may not be served.",
            hint="A data steward can publish a version of it that may be.",
        )
