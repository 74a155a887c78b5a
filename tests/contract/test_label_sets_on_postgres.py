"""Label sets, their numbers and what keeps them from being deleted, on a real PostgreSQL."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from sqlalchemy import create_engine, text

from tests.core.generation_parts import ANN, BEN, Parts
from tests.core.label_set_parts import DRAFT, SCHEMA, published
from workbench_core import usage
from workbench_core.canonical_labels import LabelEntry
from workbench_core.errors import AlreadyExists, Conflict
from workbench_core.label_sets import LabelClass, LabelSetFilter, definition_of
from workbench_core.prompt_templates import AnswerSource
from workbench_core.training_sheets import GenerationRequest

FULL = replace(
    DRAFT, label_type="mail_class", response_schema=SCHEMA, usage=usage.preset("client_data"), may_serve=False,
    tags=('a"b', "100 %_!", "é"), classes=(LabelClass("spam", "", "#d03a2b", "", "1", 0.25), LabelClass("ham")),
)  # fmt: skip


@pytest.fixture
def parts(postgres_url, tmp_path):
    """The services of DATA to LABEL over an empty database."""
    engine = create_engine(postgres_url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    made = Parts(tmp_path, url=postgres_url)
    yield made
    made.store.close()


def test_every_field_comes_back_and_is_found(parts):
    made = parts.label_sets.create(FULL, by=ANN)
    assert parts.label_sets.get(made.id) == made
    for tag in FULL.tags:
        assert parts.label_sets.find(LabelSetFilter(tags=("none", tag), search=tag)) == [made]
    assert parts.label_sets.find(LabelSetFilter(search="%%")) == []
    assert parts.label_sets.find(LabelSetFilter(search="RESULTS")) == [made]
    assert parts.label_sets.counts() == {"draft": 1, "published": 0, "archived": 0}
    assert parts.label_sets.facets().tags == tuple(sorted(FULL.tags))


def test_versions_are_published_archived_restored_and_the_newest_counts(parts):
    first = published(parts.label_sets, FULL)
    second = parts.label_sets.move(first.id, "create_version", by=ANN)
    assert parts.label_sets.for_type("mail_class") == first
    second = parts.label_sets.move(second.id, "publish", by=ANN)
    assert parts.label_sets.for_type("mail_class") == second
    parts.label_sets.move(first.id, "archive", by=ANN)
    assert parts.label_sets.move(first.id, "restore", by=ANN).status == "published"
    changed = definition_of(replace(FULL, description="x"), "1")
    third = parts.label_sets.import_definition(changed, by=ANN, lineage_id=first.lineage_id)
    assert third.version == "1.2.0"
    with pytest.raises(Conflict, match=r"1 later version \(1\.1\.0\)"):
        parts.label_sets.delete(parts.label_sets.move(first.id, "archive", by=ANN).id, by=ANN)


def test_the_numbers_and_what_stands_on_a_set(parts):
    made = published(parts.label_sets, FULL)
    sheet_id, template_id = parts.make_sheet(9), parts.make_template()
    request = GenerationRequest(
        sheet_id, template_id, {"subject": "subject"}, name="First try", answer_source=AnswerSource.EXISTING_COLUMN,
        answer_column="verdict",
    )  # fmt: skip
    parts.training_sheets.generate(request, by=ANN)
    parts.work()
    entries = [LabelEntry(f"m{item:05d}", "spam" if item < 3 else "ham" if item < 7 else "odd") for item in range(8)]
    parts.labels.label(entries, sheet_id=sheet_id, label_type="mail_class", by=ANN)
    stats = parts.label_sets.stats(made.id)
    assert [(one.name, one.labels) for one in stats.classes] == [("spam", 3), ("ham", 4)]
    assert (stats.labels, stats.others, stats.sheets, stats.templates, stats.training_sheets) == (8, 1, 1, 1, 1)
    assert [(use.kind, use.name) for use in parts.label_sets.used_in(made.id)] == [
        ("template", "Mail class"), ("training_sheet", "First try"), ("sheet", "Mails"),
    ]  # fmt: skip
    assert parts.label_sets.count_labels(made.id, search="ODD") == 1
    assert len(parts.label_sets.labels(made.id, limit=3, offset=6)) == 2
    assert parts.label_sets.label_counts(["mail_class", "other"]) == {"mail_class": 8, "other": 0}
    parts.label_sets.move(made.id, "archive", by=ANN)
    with pytest.raises(Conflict, match=r"8 canonical labels \(Mails\), 1 training sheet \(First try\)"):
        parts.label_sets.delete(made.id, by=ANN)


def test_classes_come_from_columns_and_from_labels(parts):
    sheet_id = parts.make_sheet(9)
    found = parts.label_sets.derive_from_column(sheet_id, "verdict")
    assert [(one.name, times) for one, times in zip(found.classes, found.counts, strict=True)] == [
        ("ham", 6), ("spam", 3),
    ]  # fmt: skip
    entries = [LabelEntry("m00000", "spam"), LabelEntry("m00001", "ham"), LabelEntry("m00002", "ham")]
    parts.labels.label(entries, sheet_id=sheet_id, label_type="mail_class", by=ANN)
    assert parts.label_sets.derive_from_labels("", "mail_class").counts == (2, 1)


def test_two_people_who_open_a_version_at_once_open_one(parts):
    first = published(parts.label_sets, FULL)
    opened, refused, gate = [], [], threading.Barrier(2)

    def open_version(person: str) -> None:
        gate.wait()
        try:
            opened.append(parts.label_sets.move(first.id, "create_version", by=person))
        except (Conflict, AlreadyExists) as error:
            refused.append(error.message)

    threads = [threading.Thread(target=open_version, args=(person,)) for person in (ANN, BEN)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(opened), len(refused)) == (1, 1)
    assert "open draft" in refused[0]
