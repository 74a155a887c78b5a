"""Model versions: what the registry holds, and the exact data that each version was made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from workbench_core import rows
from workbench_core.errors import NotFound
from workbench_core.ports import Json, Row, Store
from workbench_core.sheets import tables_of
from workbench_core.training_gate import Split

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = (
    "v.model_name, v.version, v.job_id, v.training_sheet_id, v.sheet_id, v.prompt_template_id, v.template_version, "
    "v.label_type, v.answer_kind, v.metrics, v.details, v.reference_profile, v.created_at, j.trainer, j.created_by"
)
_FROM = "FROM model_versions v JOIN training_jobs j ON j.id = v.job_id"


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One registered version with its provenance (INV-T2)."""

    model_name: str
    version: int
    job_id: str
    training_sheet_id: str
    sheet_id: str
    prompt_template_id: str
    template_version: str
    label_type: str
    answer_kind: str
    trainer: str
    metrics: dict[str, Json]
    details: dict[str, Json]
    reference_profile: dict[str, Json]
    created_by: str
    created_at: datetime

    @property
    def title(self) -> str:
        """How pages name it."""
        return f"{self.model_name} v{self.version}"


@dataclass(frozen=True, slots=True)
class Lineage:
    """What went into a version: every pair with its part, the canonical labels behind them, and their origin."""

    version: ModelVersion
    sheet_name: str
    source: str
    template_name: str
    training_sheet_name: str
    pairs: pd.DataFrame  # pair_id, item_ref, split, reason, answer, canonical_label_id, canonical_label_version

    def count(self, split: Split) -> int:
        """How many pairs a part has."""
        return int((self.pairs["split"] == split).sum())


class ModelVersions:
    """Find model versions and follow them back to their data."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, *, model_name: str = "", limit: int = 200) -> list[ModelVersion]:
        """Versions of one model or of all, newest first."""
        found = self._store.query(
            f"SELECT {_COLUMNS} {_FROM} WHERE :name IN ('', v.model_name) "
            "ORDER BY v.created_at DESC, v.model_name, v.version DESC LIMIT :limit",
            name=model_name,
            limit=limit,
        )
        return [_version(row) for row in found]

    def get(self, model_name: str, version: int) -> ModelVersion:
        """One version. Raises NotFound."""
        found = self._store.query(
            f"SELECT {_COLUMNS} {_FROM} WHERE v.model_name = :name AND v.version = :version",
            name=model_name,
            version=version,
        )
        if not found:
            raise NotFound(f"There is no version {version} of {model_name}.", hint="Choose one on the Train page.")
        return _version(found[0])

    def get_by_text(self, model_name: str, version: str) -> ModelVersion:
        """One version, its number as it stands in an address; without a number the latest. Raises NotFound."""
        if version.isdecimal() and len(version) < 10:
            return self.get(model_name, int(version))
        latest = None if version else self.latest(model_name)
        if latest is None:
            raise NotFound(f"There is no version {version} of {model_name}.", hint="Choose one on the Train page.")
        return latest

    def of_job(self, job_id: str) -> ModelVersion | None:
        """The version that a training job made, if it made one."""
        found = self._store.query(f"SELECT {_COLUMNS} {_FROM} WHERE v.job_id = :job", job=job_id)
        return _version(found[0]) if found else None

    def latest(self, model_name: str) -> ModelVersion | None:
        """The version with the highest number."""
        found = self.find(model_name=model_name)
        return max(found, key=lambda version: version.version, default=None)

    def lineage(self, model_name: str, version: int) -> Lineage:
        """The exact pairs, labels, template and sheet of a version. Raises NotFound."""
        made = self.get(model_name, version)
        names = self._store.query(
            "SELECT s.name AS sheet_name, s.source, s.join_config, t.name AS training_sheet_name, "
            "p.name AS template_name FROM training_sheets t JOIN sheets s ON s.id = t.sheet_id "
            "JOIN prompt_templates p ON p.id = t.prompt_template_id WHERE t.id = :id",
            id=made.training_sheet_id,
        )[0]
        pairs = self._store.frame(
            "SELECT pair_id, item_ref, split, reason, answer, canonical_label_id, canonical_label_version "
            "FROM training_job_pairs WHERE job_id = :job ORDER BY item_ref, pair_id",
            job=made.job_id,
        )
        return Lineage(
            version=made,
            sheet_name=rows.text(names, "sheet_name"),
            source=", ".join(tables_of(rows.text(names, "source"), rows.text(names, "join_config"))),
            template_name=rows.text(names, "template_name"),
            training_sheet_name=rows.text(names, "training_sheet_name"),
            pairs=pairs,
        )

    def used_items(self, model_name: str, version: int) -> set[str]:
        """Items that the version has seen in training or validation: never to be evaluated on (INV-T3)."""
        found = self._store.query(
            "SELECT DISTINCT item_ref FROM training_job_pairs WHERE job_id = :job "
            "AND split IN ('train', 'validation') ORDER BY item_ref",
            job=self.get(model_name, version).job_id,
        )
        return {rows.text(row, "item_ref") for row in found}

    def trained_on(
        self, *, pair_id: str = "", canonical_label_id: str = "", training_sheet_id: str = ""
    ) -> list[ModelVersion]:
        """Which versions were trained or tuned on a pair, a canonical label or a training sheet (LN-7)."""
        found = self._store.query(
            f"SELECT DISTINCT {_COLUMNS} {_FROM} JOIN training_job_pairs p ON p.job_id = v.job_id "
            "WHERE p.split IN ('train', 'validation') "
            "AND (p.pair_id = :pair OR p.canonical_label_id = :label OR v.training_sheet_id = :training_sheet) "
            "ORDER BY v.model_name, v.version",
            pair=pair_id,
            label=canonical_label_id,
            training_sheet=training_sheet_id,
        )
        return [_version(row) for row in found]


def _version(row: Row) -> ModelVersion:
    return ModelVersion(
        model_name=rows.text(row, "model_name"),
        version=rows.whole(row, "version"),
        job_id=rows.text(row, "job_id"),
        training_sheet_id=rows.text(row, "training_sheet_id"),
        sheet_id=rows.text(row, "sheet_id"),
        prompt_template_id=rows.text(row, "prompt_template_id"),
        template_version=rows.text(row, "template_version"),
        label_type=rows.text(row, "label_type"),
        answer_kind=rows.text(row, "answer_kind"),
        trainer=rows.text(row, "trainer"),
        metrics=rows.json_object(row, "metrics"),
        details=rows.json_object(row, "details"),
        reference_profile=rows.json_object(row, "reference_profile"),
        created_by=rows.text(row, "created_by"),
        created_at=rows.time(row, "created_at"),
    )
