"""Templates, their dependants and what is attached to sheets, on a real PostgreSQL."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, text

from tests.core.generation_parts import ANN, Parts
from workbench_core import usage
from workbench_core.errors import Conflict
from workbench_core.metrics import FieldType
from workbench_core.prompt_templates import AnswerSource, InputField, OutputField, file_of

CHANGES = {
    "label_classes": (),
    "output_schema": (OutputField("level", FieldType.NUMBER, rules={"minimum": 1}),),
    "inputs": (InputField("subject", description="The first line"),),
    "feature_columns": ("subject",),
    "target_column": "verdict",
    "tags": ("mail",),
    "model": "rule-model",
    "answer_source": AnswerSource.HYBRID,
    "usage": usage.preset("personal_data"),
}


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


def test_every_field_comes_back_from_the_store(parts):
    template = parts.templates.get(parts.make_template(**CHANGES))
    assert {name: getattr(template, name) for name in CHANGES} == CHANGES
    assert parts.templates.find(search="MAIL CLASS") == [template]


def test_a_template_is_attached_replaced_told_of_newer_versions_and_detached(parts):
    sheet_id, template_id = parts.make_sheet(3), parts.make_template(**CHANGES)
    attached = parts.template_attachments.attach(sheet_id, template_id, by=ANN)
    assert (attached.answer_column, attached.newer_version) == ("verdict", "")
    assert parts.template_attachments.attach(sheet_id, template_id, by=ANN).mapping == {"subject": "subject"}
    newer = parts.templates.create_version(template_id, by=ANN)
    parts.templates.move(newer.id, "publish", by=ANN)
    assert parts.template_attachments.of(sheet_id).newer_version == "1.1.0"
    parts.templates.move(template_id, "archive", by=ANN)
    with pytest.raises(Conflict, match=r"1 sheet that it is attached to \(Mails\), 1 later version \(1\.1\.0\)"):
        parts.templates.delete(template_id, by=ANN)
    parts.template_attachments.detach(sheet_id, by=ANN)
    assert parts.template_attachments.of(sheet_id) is None


def test_a_file_becomes_a_version(parts):
    first = parts.templates.get(parts.make_template(**CHANGES))
    text_of_file = file_of(first, first.version).replace("You sort mails.", "You sort mails with care.")
    second = parts.templates.import_file(text_of_file, by=ANN, lineage_id=first.lineage_id)
    assert (second.version, second.system_prompt) == ("1.1.0", "You sort mails with care.")
