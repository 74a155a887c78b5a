"""The demo data: loaded twice is loaded once, and removal takes away all that was made from it and nothing else."""

from __future__ import annotations

import sqlite3

import pytest

from tests.core.generation_parts import ANN
from tests.core.improve_parts import MODEL, Improving, RuleServing, item
from workbench_core.canonical_labels import LabelEntry
from workbench_core.data_quality import Criticality, QueueFilter, ScanOptions
from workbench_core.demo import SOURCES, Demo
from workbench_core.demo.service import REMOVALS
from workbench_core.errors import Conflict, NotPermitted, Unavailable
from workbench_core.pairs import Decision
from workbench_core.ports import Prediction
from workbench_core.prompt_templates import AnswerSource
from workbench_core.sheets import SheetDraft, SheetStatus
from workbench_core.training_jobs import JobRequest
from workbench_core.training_sheets import GenerationRequest

LOADED = {"sheets": 5, "prompt templates": 3, "label sets": 3, "quality rules": 14}


@pytest.fixture
def world(tmp_path, clock):
    made = Improving(tmp_path, clock=clock)
    made.demo = demo_of(made)
    yield made
    made.store.close()


def demo_of(world, serving=None):
    return Demo(
        world.store, world.lake, world.history, world.permissions,
        sheets=world.sheets, prompt_templates=world.templates, label_sets=world.label_sets,
        data_quality=world.data_quality,
        serving=serving or world.serving,
    )  # fmt: skip


def content(world):
    """Every row of every table but the history, which keeps what happened."""
    path = world.folder / "store.db"
    with sqlite3.connect(path) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            name: sorted(map(repr, connection.execute(f"SELECT * FROM {name}")))
            for name in names
            if name not in {"history", "schema_files"}
        }


def demo_mails(world):
    return next(sheet for sheet in world.sheets.find() if sheet.is_demo and sheet.name == "E-mails")


def demo_template(world):
    return next(template for template in world.templates.find() if template.name == "Spam or ham")


def label_and_train(world, sheet_id, template_id, *, where, column="label", model="mail-classifier"):
    """Everything that hangs on a sheet: pairs, reviews, labels, a job, a version, an evaluation."""
    mapping = world.training_sheets.propose_mapping(template_id, sheet_id)
    request = GenerationRequest(
        sheet_id, template_id, mapping, answer_source=AnswerSource.EXISTING_COLUMN, answer_column=column,
        filter=where, row_limit=150,
    )  # fmt: skip
    made = world.training_sheets.generate(request, by=ANN)
    world.work()
    waiting = world.pairs.queue(made.id, limit=200)
    result = world.pairs.decide([Decision(pair.id, "approve", pair.row_version) for pair in waiting], by=ANN)
    assert not result.refused
    job = world.jobs.submit(JobRequest(made.id, model, "counting"), by=ANN)
    world.work()
    assert world.versions.of_job(job.id) is not None
    return made


def use_all_of_it(world):
    """The demo loop up to a labelling task with a computed closure, on the demo mails."""
    sheet, template = demo_mails(world), demo_template(world)
    made = label_and_train(world, sheet.id, template.id, where="format = 'plain'")
    world.serving.predict = lambda name, version, records: [answer(record, version) for record in records]
    world.sheet_id = sheet.id
    refs = world.lake.page(sheet.selection(extra_filter="format = 'html'"), columns=("mail_id",), limit=300)["item_ref"]
    plain = world.lake.page(sheet.selection(extra_filter="format = 'plain'"), columns=("mail_id",), limit=600)[
        "item_ref"
    ]
    world.judge(list(refs)[:60], rating="negative")
    world.judge(list(plain)[-100:], rating="positive")
    world.gaps.analyse(MODEL, 1, by=ANN)
    world.work()
    gap = world.gaps.find()[0]
    task = world.tasks.create(gap.id, by=ANN, target=80)
    world.work()
    waiting = world.pairs.queue(task.training_sheet_id, limit=200)
    decisions = [Decision(pair.id, "edit", pair.row_version, answer="ham") for pair in waiting]
    assert not world.pairs.decide(decisions, by=ANN).refused
    check_and_set_aside(world)
    second = world.jobs.submit(JobRequest(made.id, MODEL, "counting", seed=7), by=ANN)
    world.work()
    assert world.jobs.get(second.id).status == "succeeded"
    world.gaps.start_closing(gap.id, 2, by=ANN)
    world.work()
    assert world.gaps.closures(gap.id)


def check_and_set_aside(world):
    """Everything that hangs on the rules of a sheet: a profile, a run, failing items, decisions."""
    flights = next(sheet for sheet in world.sheets.find() if sheet.name == "January flights")
    world.data_quality.profile(flights.id, by=ANN)
    world.data_quality.start(flights.id, by=ANN, options=ScanOptions(find_duplicates=True))
    world.work()
    assert world.data_quality.latest(flights.id).failed == 606, "521 cancelled and 85 diverted flights"
    done = world.data_quality.fix_queue.decide_all(
        flights.id, "set_aside", QueueFilter(severity=Criticality.ERROR), reason="did not arrive", by=ANN
    )
    assert done.done == 606


def answer(record, version):
    return Prediction("ham" if version == 2 else "spam")


def test_loading_puts_tables_sheets_and_templates_in_place(world):
    found = world.demo.load(by=ANN)
    assert found.is_loaded
    assert found.told == LOADED
    entries = {entry.name: entry for entry in world.lake.tables()}
    for source in world.demo.sources():
        assert entries[source.name].is_demo
        assert entries[source.name].licence == source.licence
    assert {sheet.status for sheet in world.sheets.find()} == {SheetStatus.ACTIVE}
    assert {template.status for template in world.templates.find()} == {"published"}
    for sheet in world.sheets.find():
        assert world.sheets.validate(sheet.id, by=ANN).is_valid


def test_loading_twice_is_the_same_as_loading_once(world):
    world.demo.load(by=ANN)
    before = content(world)
    again = world.demo.load(by=ANN)
    assert content(world) == before
    assert again.told == LOADED


def test_a_load_that_was_cut_off_after_the_tables_is_finished_by_the_next_one(world, monkeypatch):
    monkeypatch.setattr(world.demo, "_create", lambda *, by: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        world.demo.load(by=ANN)
    assert not world.demo.is_loaded()
    monkeypatch.undo()
    assert world.demo.load(by=ANN).told == LOADED


def test_removal_leaves_the_store_and_the_lake_as_they_were(world):
    before, tables = content(world), world.lake.tables()
    world.demo.load(by=ANN)
    removed = world.demo.remove(by=ANN)
    assert removed.told == LOADED
    assert (content(world), world.lake.tables()) == (before, tables)
    assert not world.demo.is_loaded()
    assert world.demo.remove(by=ANN).counts == {}, "removing nothing is no error"


def test_removal_takes_away_everything_made_from_the_demo_data(world):
    before = content(world)
    world.demo.load(by=ANN)
    use_all_of_it(world)
    told = world.demo.content().told
    assert all(
        told[name] for name in ("pairs", "canonical labels", "model versions", "gaps", "labelling tasks", "feedback")
    )
    assert world.demo.remove(by=ANN).told == told
    assert content(world) == before
    assert world.serving.removed == ["mails"]
    assert world.history.recent(limit=1)[0].details["gaps"] == 1


def test_removal_leaves_what_a_user_made_from_own_data_as_it_was(world):
    world.put_table(items=400)
    world.make_office_sheet(text_columns=("subject",))
    entries = [LabelEntry(item(number), "ham") for number in range(300, 320)]
    world.labels.label(entries, sheet_id=world.sheet_id, label_type="mail_class", by=ANN)
    template = world.make_template(user_prompt="{{ subject }}")
    label_and_train(world, world.sheet_id, template, where="batch = 'trained'", column="verdict", model="own-model")
    before, tables = content(world), world.lake.tables()
    world.demo.load(by=ANN)
    use_all_of_it(world)
    world.demo.remove(by=ANN)
    assert (content(world), world.lake.tables()) == (before, tables)


def test_a_demo_template_used_on_own_data_becomes_the_users(world):
    world.demo.load(by=ANN)
    world.put_table(items=200)
    world.make_office_sheet()
    template = demo_template(world)
    request = GenerationRequest(
        world.sheet_id, template.id, {"subject": "subject", "body": "subject"}, answer_source=AnswerSource.MANUAL
    )
    made = world.training_sheets.generate(request, by=ANN)
    world.work()
    version = world.templates.create_version(template.id, by=ANN)
    assert world.demo.remove(by=ANN).told == LOADED | {"prompt templates": 2}
    assert not world.templates.get(template.id).is_demo
    assert world.templates.get(version.id).parent_id == template.id
    assert world.training_sheets.get(made.id).counts.total == 200


def test_an_own_version_of_a_removed_demo_template_stays(world):
    world.demo.load(by=ANN)
    version = world.templates.create_version(demo_template(world).id, by=ANN)
    world.demo.remove(by=ANN)
    assert [template.id for template in world.templates.find()] == [version.id]


def test_an_own_sheet_over_a_demo_table_goes_with_its_table(world):
    world.demo.load(by=ANN)
    mine = SheetDraft("My mails", "demo.mail.messages", "mail_id", text_columns=("subject",))
    world.sheets.create(mine, by=ANN)
    assert world.demo.content().told["sheets"] == LOADED["sheets"] + 1
    world.demo.remove(by=ANN)
    assert world.sheets.find() == []


def test_an_own_job_that_continues_a_demo_job_forgets_it(world):
    world.demo.load(by=ANN)
    label_and_train(world, demo_mails(world).id, demo_template(world).id, where="format = 'plain'")
    [parent] = world.jobs.find()
    world.put_table(items=400)
    world.make_office_sheet()
    template = world.make_template(user_prompt="{{ subject }}")
    label_and_train(world, world.sheet_id, template, where="batch = 'trained'", column="verdict", model="own-model")
    mine = next(job for job in world.jobs.find() if job.id != parent.id)
    world.store.execute(
        "UPDATE training_jobs SET parent_job_id = :parent WHERE id = :id",
        touches="training_jobs", parent=parent.id, id=mine.id,
    )  # fmt: skip
    world.demo.remove(by=ANN)
    assert world.jobs.get(mine.id).request.parent_job_id is None


def test_removal_waits_for_work_on_the_demo_data(world):
    world.demo.load(by=ANN)
    sheet, template = demo_mails(world), demo_template(world)
    mapping = world.training_sheets.propose_mapping(template.id, sheet.id)
    request = GenerationRequest(sheet.id, template.id, mapping, answer_source=AnswerSource.MANUAL, row_limit=20)
    world.training_sheets.generate(request, by=ANN)
    with pytest.raises(Conflict, match="under way on the demo data"):
        world.demo.remove(by=ANN)
    assert world.demo.is_loaded()
    world.work()
    world.demo.remove(by=ANN)


def test_an_endpoint_that_does_not_answer_does_not_stop_the_removal(world):
    class Down(RuleServing):
        def remove(self, endpoint):
            raise Unavailable("The gateway does not answer.")

    world.demo.load(by=ANN)
    use_all_of_it(world)
    assert demo_of(world, Down()).remove(by=ANN).told["endpoints"] == 1
    assert not world.demo.is_loaded()


@pytest.mark.parametrize("role", ["data_steward", "data_producer", "labeler", "data_consumer"])
def test_only_administrators_load_and_remove(world, role):
    world.demo.load(by=ANN)
    world.permissions.assign("lea@example.com", role, by=ANN)
    with pytest.raises(NotPermitted):
        world.demo.load(by="lea@example.com")
    with pytest.raises(NotPermitted):
        world.demo.remove(by="lea@example.com")
    assert world.demo.is_loaded()


def test_every_table_that_refers_to_a_removed_one_is_removed_before_it(world):
    """A new feature that stands on sheets, pairs or versions must say what a removal takes away."""
    order = [table for table, _ in REMOVALS]
    with sqlite3.connect(world.folder / "store.db") as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            for reference in connection.execute(f"PRAGMA foreign_key_list({name})"):
                target = reference[2]
                if target in order and target != name:
                    assert name in order, f"{name} refers to {target}"
                    assert order.index(name) < order.index(target)


def test_the_sheets_and_templates_use_the_shipped_columns(world):
    world.demo.load(by=ANN)
    names = {source.name for source in SOURCES}
    for sheet in world.sheets.find():
        assert sheet.source in names
        known = {column.name for column in world.lake.columns(sheet.relation)}
        assert set(sheet.columns) <= known
