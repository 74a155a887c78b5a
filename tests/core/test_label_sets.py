"""Label sets: written, published, versioned, archived and deleted, by whom, and two people at once (LS-1 to LS-3)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.core.conftest import ANN
from tests.core.label_set_parts import *  # noqa: F403  the fixtures
from tests.core.label_set_parts import DRAFT, SCHEMA, published
from workbench_core import usage
from workbench_core.errors import ChangedByOthers, Conflict, Invalid, InvalidTransition, NotFound, NotPermitted
from workbench_core.label_sets import (
    LIFECYCLE,
    LabelClass,
    LabelSetDraft,
    LabelSetFilter,
    LabelSetStatus,
    differences,
    problems_of,
)
from workbench_core.permissions import Role

BEN = "ben@example.com"
EDITORS = {Role.ADMIN, Role.DATA_STEWARD, Role.DATA_PRODUCER}
PUBLISHERS = {Role.ADMIN, Role.DATA_STEWARD}
HOSTILE = [
    "'; DROP TABLE label_sets; --",
    "100 % _sure_ !",
    '<script>alert(1)</script> "quoted" \\back',
    "{{ 7 * 7 }} ${x} :red[x]",
    "naïve 試験 🙂 e\u0301",
    "a" * 90,
]


def in_state(label_sets, status: LabelSetStatus):
    """A label set that stands there; an archived one was never published."""
    made = label_sets.create(DRAFT, by=ANN)
    if status is LabelSetStatus.DRAFT:
        return made
    return label_sets.move(made.id, "publish" if status is LabelSetStatus.PUBLISHED else "archive", by=ANN)


# --- LS-1 ------------------------------------------------------------------------------------------------------------


def test_the_list_is_filtered_by_status_type_use_case_and_any_tag(label_sets):
    """LS-1."""
    results = published(label_sets)
    colours = label_sets.create(
        LabelSetDraft("Colours", "colour", classes=(LabelClass("red"),), tags=("paint",), use_case="Paint shop"), by=ANN
    )
    assert label_sets.find() == [colours, results], "last changed first"
    assert label_sets.find(LabelSetFilter(status=LabelSetStatus.PUBLISHED)) == [results]
    assert label_sets.find(LabelSetFilter(label_type="colour")) == [colours]
    assert label_sets.find(LabelSetFilter(use_case="Inspection")) == [results]
    assert label_sets.find(LabelSetFilter(tags=("daily",))) == [results]
    assert label_sets.find(LabelSetFilter(tags=("daily", "paint"))) == [colours, results]
    assert label_sets.find(LabelSetFilter(tags=("dail",))) == [], "a tag counts as a whole"
    assert label_sets.counts() == {"draft": 1, "published": 1, "archived": 0}
    assert label_sets.counts(LabelSetFilter(label_type="colour"))[LabelSetStatus.DRAFT] == 1
    facets = label_sets.facets()
    assert (facets.label_types, facets.use_cases) == (("colour", "result"), ("Inspection", "Paint shop"))
    assert facets.tags == ("daily", "paint", "plant")


def test_the_list_has_pages(label_sets):
    for number in range(5):
        label_sets.create(replace(DRAFT, name=f"Set {number}"), by=ANN)
    assert [one.name for one in label_sets.find(limit=2, offset=2)] == ["Set 2", "Set 1"]
    assert label_sets.count() == 5


@pytest.mark.parametrize("text", ["%", "_", "!", "'", '"', "[", ",", "\\", "#"])
def test_every_character_of_a_search_counts_as_itself(label_sets, text):
    label_sets.create(replace(DRAFT, name="Plain"), by=ANN)
    meant = label_sets.create(replace(DRAFT, name=f"Set {text} x"), by=ANN)
    assert label_sets.find(LabelSetFilter(search=text)) == [meant]
    tagged = label_sets.create(replace(DRAFT, name="Tagged", tags=(f"a{text}b",)), by=ANN)
    assert label_sets.find(LabelSetFilter(tags=(f"a{text}b",))) == [tagged]
    assert label_sets.find(LabelSetFilter(tags=(text,))) == []


def test_a_search_looks_into_classes_tags_and_texts_whatever_the_case(label_sets):
    made = label_sets.create(replace(DRAFT, classes=(LabelClass("ÜBERHITZT", "Zu heiß"),)), by=ANN)
    for text in ("überhitzt", "HEISS", "RESULT", "Daily", "inspection SAYS", "results"):
        assert label_sets.find(LabelSetFilter(search=text)) == [made], text
    assert label_sets.find(LabelSetFilter(search="hotkey")) == [], "not in the words of the store"


# --- LS-2 ------------------------------------------------------------------------------------------------------------


def test_what_was_typed_comes_back(label_sets, history):
    """LS-2."""
    draft = replace(DRAFT, response_schema=SCHEMA, usage=usage.preset("personal_data"), may_serve=False)
    made = label_sets.create(draft, by=ANN)
    assert label_sets.get(made.id) == made
    assert made.draft == draft
    assert (made.version, made.status, made.row_version, made.created_by) == ("1.0.0", "draft", 1, ANN)
    assert [event.action for event in history.of("label_set", made.id)] == ["create"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_kept_as_they_are(label_sets, text):
    draft = replace(
        DRAFT, name=text, description=text, use_case=text, tags=(text[:50],),
        classes=(LabelClass(text, text, "#15803d", text, "1"), LabelClass("ok", "", "#d03a2b")),
    )  # fmt: skip
    made = label_sets.create(draft, by=ANN)
    assert label_sets.get(made.id).draft == draft
    assert label_sets.find(LabelSetFilter(search=text)) == [made]
    assert label_sets.stats(made.id).classes[0].name == text


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": "  "}, "The name must have 1 to 255"),
        ({"name": "x" * 256}, "The name must have 1 to 255"),
        ({"name": "a\u202eb"}, "The name holds a control character"),
        ({"label_type": ""}, "The label type must have"),
        ({"description": "half \ud800"}, "cannot be stored"),
        ({"description": "nul \x00"}, "cannot be stored"),
        ({"classes": (LabelClass(""),)}, "A class has no name"),
        ({"classes": (LabelClass("ok"), LabelClass(" OK "))}, "The class “ok” is there twice"),
        ({"classes": (LabelClass("a", hotkey="1"), LabelClass("b", hotkey="1"))}, "The hotkey “1” is given twice"),
        ({"classes": (LabelClass("a", hotkey="X"), LabelClass("b", hotkey="x"))}, "The hotkey “x” is given twice"),
        ({"classes": (LabelClass("a", hotkey="12"),)}, "give one character"),
        ({"classes": (LabelClass("a", hotkey="A"),)}, "has a meaning of its own"),
        ({"classes": (LabelClass("a", colour="red"),)}, "“red” is no colour"),
        ({"classes": (LabelClass("a", colour="#12345"),)}, "is no colour"),
        ({"classes": (LabelClass("a", threshold=1.01),)}, "must be 0 to 1"),
        ({"classes": (LabelClass("a", threshold=-0.1),)}, "must be 0 to 1"),
        ({"classes": (LabelClass("a", threshold=float("nan")),)}, "must be 0 to 1"),
        ({"classes": (LabelClass("x" * 101),)}, "longer than 100"),
        ({"classes": tuple(LabelClass(f"c{number}") for number in range(201))}, "more than 200 classes"),
        ({"response_schema": {"type": "objekt"}}, "is not valid under any"),
        ({"response_schema": {"$ref": "https://example.com/x"}}, "“$ref” is not supported"),
        ({"response_schema": {"properties": {"a": {"pattern": "(?<=a)b"}}}}, "The pattern “(?<=a)b” cannot be used"),
        ({"tags": tuple(f"t{number}" for number in range(21))}, "20 tags"),
        ({"tags": ("x" * 51,)}, "20 tags of up to 50"),
        (
            {"usage": usage.UsageRules(prohibited=frozenset({usage.Use.TRAINING}))},
            "training cannot be both allowed and prohibited",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_saved_is_refused_with_a_sentence_and_nothing_is_written(label_sets, change, sentence):
    """LS-2: names and hotkeys are unique."""
    with pytest.raises(Invalid) as caught:
        label_sets.create(replace(DRAFT, **change), by=ANN)
    assert sentence in caught.value.message
    assert not label_sets.count()
    made = label_sets.create(DRAFT, by=ANN)
    if "label_type" not in change:
        with pytest.raises(Invalid):
            label_sets.update(made.id, replace(DRAFT, **change), by=ANN, row_version=1)
    assert label_sets.get(made.id) == made


def test_stray_spaces_go_and_a_class_without_a_colour_gets_a_readable_one(label_sets):
    classes = (LabelClass(" ok ", hotkey=" X "), LabelClass("bad", colour="#2F6FDE "))
    made = label_sets.create(LabelSetDraft(" Set\n one ", " t ", classes=classes, tags=(" a", "a")), by=ANN)
    assert (made.name, made.label_type, made.tags) == ("Set  one", "t", ("a",))
    assert made.classes[0].hotkey == "x"
    assert made.classes[1].colour == "#2f6fde"
    assert made.classes[0].colour not in ("", "#2f6fde")


def test_a_draft_changes_and_keeps_its_label_type(label_sets, history):
    made = label_sets.create(DRAFT, by=ANN)
    changed = label_sets.update(made.id, replace(DRAFT, name="Verdicts"), by=ANN, row_version=1)
    assert (changed.name, changed.row_version) == ("Verdicts", 2)
    with pytest.raises(Conflict, match="stays “result”"):
        label_sets.update(made.id, replace(DRAFT, label_type="other"), by=ANN, row_version=2)
    assert [event.action for event in history.of("label_set", made.id)] == ["update", "create"]


@pytest.mark.parametrize("status", [LabelSetStatus.PUBLISHED, LabelSetStatus.ARCHIVED])
def test_only_a_draft_changes(label_sets, status):
    """INV-7."""
    made = in_state(label_sets, status)
    with pytest.raises(Conflict, match=f"is {status} and cannot change"):
        label_sets.update(made.id, replace(DRAFT, name="Other"), by=ANN, row_version=made.row_version)


def test_a_set_that_does_not_exist_says_so(label_sets):
    with pytest.raises(NotFound, match="does not exist"):
        label_sets.get("labelset-nowhere")


def test_a_copy_is_a_draft_of_its_own(label_sets):
    source = published(label_sets)
    copy = label_sets.duplicate(source.id, by=ANN)
    assert (copy.name, copy.version, copy.status, copy.parent_id) == ("Copy of Results", "1.0.0", "draft", None)
    assert copy.classes == source.classes
    assert copy.lineage_id != source.lineage_id
    assert label_sets.duplicate(source.id, by=ANN, name=" Mine ").name == "Mine"


# --- LS-3 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", list(LabelSetStatus))
@pytest.mark.parametrize("action", [*LIFECYCLE.table, "create_version"])
def test_every_step_from_every_state(label_sets, status, action):
    """LS-3: what the table allows works, everything else is refused with its reason."""
    made = in_state(label_sets, status)
    if action in made.actions:
        moved = label_sets.move(made.id, action, by=ANN)
        expected = {
            "publish": "published", "archive": "archived", "restore": "draft", "create_version": "draft",
        }[action]  # fmt: skip
        assert moved.status == expected
    else:
        with pytest.raises(Conflict, match=f"is {status}"):
            label_sets.move(made.id, action, by=ANN)
        assert label_sets.get(made.id) == made


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("action", ["create", "update", "duplicate", "delete", "create_version", *LIFECYCLE.table])
def test_every_action_by_every_role(label_sets, people, role, action):
    """Spec 2.14: producers write, stewards publish and archive."""
    starts = {"create_version": LabelSetStatus.PUBLISHED, "restore": LabelSetStatus.ARCHIVED}
    made = in_state(label_sets, starts.get(action, LabelSetStatus.DRAFT))
    person, steps = people[role], {
        "create": lambda: label_sets.create(DRAFT, by=people[role]),
        "update": lambda: label_sets.update(made.id, replace(DRAFT, name="New"), by=people[role], row_version=1),
        "duplicate": lambda: label_sets.duplicate(made.id, by=people[role]),
        "delete": lambda: label_sets.delete(made.id, by=people[role]),
    }  # fmt: skip
    step = steps.get(action, lambda: label_sets.move(made.id, action, by=person))
    if role in (PUBLISHERS if action in LIFECYCLE.table else EDITORS):
        step()
    else:
        before = label_sets.find()
        with pytest.raises(NotPermitted, match="may not"):
            step()
        assert label_sets.find() == before


def test_nobody_signed_in_may_write_nothing(label_sets):
    with pytest.raises(NotPermitted):
        label_sets.create(DRAFT, by="")


def test_publishing_needs_a_class_or_a_response_schema(label_sets):
    empty = label_sets.create(LabelSetDraft("Empty", "empty"), by=ANN)
    with pytest.raises(Invalid, match=r"“Empty” cannot be published\. Add at least one class, or a response schema"):
        label_sets.move(empty.id, "publish", by=ANN)
    only_schema = LabelSetDraft("Empty", "empty", response_schema=SCHEMA)
    label_sets.update(empty.id, only_schema, by=ANN, row_version=1)
    assert label_sets.move(empty.id, "publish", by=ANN).status is LabelSetStatus.PUBLISHED


def test_restricted_uses_need_a_reason_to_be_published(label_sets):
    rules = replace(usage.preset("held_out"), reason=" ")
    made = label_sets.create(replace(DRAFT, usage=rules), by=ANN)
    with pytest.raises(Invalid, match="Say why these uses are restricted"):
        label_sets.move(made.id, "publish", by=ANN)


def test_one_class_two_equal_colours_and_pale_colours_are_only_warned_of(label_sets):
    pale = LabelSetDraft("Pale", "pale", classes=(LabelClass("a", colour="#ffff66"), LabelClass("b", "B", "#ffff66")))
    found = problems_of(pale)
    assert all(problem.is_warning for problem in found)
    said = " ".join(problem.message for problem in found)
    assert "Hard to see on a light or on a dark page: the colour of “a”, “B”" in said
    assert "The same colour for “a”, “B”" in said
    assert label_sets.move(label_sets.create(pale, by=ANN).id, "publish", by=ANN).status == "published"


def test_publishing_remembers_who_and_when(label_sets):
    made = published(label_sets)
    assert made.published_by == ANN
    assert made.published_at == made.updated_at


def test_a_new_version_is_a_draft_and_there_is_one_of_them(label_sets):
    first = published(label_sets)
    second = label_sets.move(first.id, "create_version", by=ANN)
    assert (second.version, second.parent_id, second.lineage_id) == ("1.1.0", first.id, first.lineage_id)
    assert second.draft == first.draft
    assert second.published_at is None
    with pytest.raises(Conflict, match=r"has the open draft 1\.1\.0 already"):
        label_sets.move(first.id, "create_version", by=ANN)
    label_sets.move(second.id, "archive", by=ANN)
    third = label_sets.move(first.id, "create_version", by=ANN)
    assert third.version == "1.2.0"
    with pytest.raises(Conflict, match=r"has the open draft 1\.2\.0"):
        label_sets.move(second.id, "restore", by=ANN)
    assert [one.version for one in label_sets.versions(first.lineage_id)] == ["1.2.0", "1.1.0", "1.0.0"]


def test_a_deleted_version_keeps_its_number(label_sets):
    first = published(label_sets)
    second = label_sets.move(first.id, "create_version", by=ANN)
    label_sets.delete(second.id, by=ANN)
    assert label_sets.move(first.id, "create_version", by=ANN).version == "1.2.0"


def test_ten_versions_come_in_the_order_of_their_numbers(label_sets):
    newest = published(label_sets)
    for _ in range(10):
        newest = label_sets.move(label_sets.move(newest.id, "create_version", by=ANN).id, "publish", by=ANN)
    assert [one.version for one in label_sets.versions(newest.lineage_id)][:3] == ["1.10.0", "1.9.0", "1.8.0"]


def test_a_published_set_is_published_again_when_it_is_restored(label_sets):
    made = published(label_sets)
    label_sets.move(made.id, "archive", by=ANN)
    restored = label_sets.move(made.id, "restore", by=ANN)
    assert (restored.status, restored.published_at) == (LabelSetStatus.PUBLISHED, made.published_at)


def test_the_newest_published_set_of_a_type_is_the_one_that_counts(label_sets):
    assert label_sets.for_type("result") is None
    first = published(label_sets)
    label_sets.create(DRAFT, by=ANN)
    assert label_sets.for_type("result") == first
    second = label_sets.move(label_sets.move(first.id, "create_version", by=ANN).id, "publish", by=ANN)
    assert label_sets.for_type("result") == second
    label_sets.move(first.id, "archive", by=ANN)
    label_sets.move(first.id, "restore", by=ANN)
    assert label_sets.for_type("result") == second, "restoring an old version does not make it the newest"
    label_sets.move(second.id, "archive", by=ANN)
    assert label_sets.for_type("result").id == first.id
    assert label_sets.for_type("other") is None


# --- deleting --------------------------------------------------------------------------------------------------------


def test_a_published_set_is_not_deleted(label_sets):
    made = published(label_sets)
    with pytest.raises(Conflict, match="is published"):
        label_sets.delete(made.id, by=ANN)


def test_what_has_labels_of_its_type_is_not_deleted(label_sets, labels, inspections, label_items):
    """LS-2, INV-10."""
    made = published(label_sets)
    label_sets.move(made.id, "archive", by=ANN)
    label_items(inspections({"note": ["a", "b"]}), ["ok", "broken"])
    with pytest.raises(Conflict, match=r"2 canonical labels \(Inspections\)"):
        label_sets.delete(made.id, by=ANN)
    for label in label_sets.labels(made.id):
        labels.delete(label.id, by=ANN)
    label_sets.delete(made.id, by=ANN)
    assert not label_sets.count()


def test_what_has_later_versions_is_not_deleted(label_sets):
    first = published(label_sets)
    second = label_sets.move(first.id, "create_version", by=ANN)
    label_sets.move(first.id, "archive", by=ANN)
    with pytest.raises(Conflict, match=r"1 later version \(1\.1\.0\)"):
        label_sets.delete(first.id, by=ANN)
    label_sets.delete(second.id, by=ANN)
    label_sets.delete(first.id, by=ANN)


# --- two people ------------------------------------------------------------------------------------------------------


def test_two_people_on_one_draft_the_second_is_told_who_was_faster(label_sets):
    made = label_sets.create(DRAFT, by=ANN)
    label_sets.update(made.id, replace(DRAFT, name="Ben's"), by=BEN, row_version=made.row_version)
    with pytest.raises(ChangedByOthers, match=r"was just changed by ben@example\.com"):
        label_sets.update(made.id, replace(DRAFT, name="Ann's"), by=ANN, row_version=made.row_version)
    assert label_sets.get(made.id).name == "Ben's"


def test_who_publishes_publishes_what_was_seen(label_sets):
    made = label_sets.create(DRAFT, by=ANN)
    label_sets.update(made.id, replace(DRAFT, name="Ben's"), by=BEN, row_version=made.row_version)
    with pytest.raises(ChangedByOthers, match="changed by ben"):
        label_sets.move(made.id, "publish", by=ANN, row_version=made.row_version)
    assert label_sets.move(made.id, "publish", by=ANN, row_version=2).name == "Ben's"


def test_two_people_who_publish_at_once_publish_once(label_sets):
    made = label_sets.create(DRAFT, by=ANN)
    label_sets.move(made.id, "publish", by=ANN)
    with pytest.raises(InvalidTransition, match="is published: it cannot publish"):
        label_sets.move(made.id, "publish", by=BEN)


# --- governance ------------------------------------------------------------------------------------------------------


def test_usage_rules_of_a_stored_set_are_changed_by_stewards_only(label_sets, people, history):
    """Spec 2.14: governance lists."""
    made = label_sets.create(DRAFT, by=people[Role.DATA_PRODUCER])
    closed = replace(DRAFT, usage=usage.preset("held_out"), may_serve=False)
    with pytest.raises(NotPermitted, match="may not change usage rules"):
        label_sets.update(made.id, closed, by=people[Role.DATA_PRODUCER], row_version=1)
    label_sets.update(made.id, closed, by=people[Role.DATA_STEWARD], row_version=1)
    event = next(event for event in history.of("label_set", made.id) if event.action == "set usage")
    assert event.by == people[Role.DATA_STEWARD]
    assert (event.details["before"]["may_serve"], event.details["after"]["may_serve"]) == (True, False)
    assert event.details["after"]["usage_reason"] == "held-out test set"


# --- versions compared -----------------------------------------------------------------------------------------------


def test_two_versions_are_compared_field_by_field():
    after = replace(
        DRAFT, classes=(DRAFT.classes[0], LabelClass("bent", "Bent", "#b45309")), may_serve=False,
        response_schema=SCHEMA, usage=usage.preset("held_out"),
    )  # fmt: skip
    found = {one.field: one for one in differences(DRAFT, after)}
    assert set(found) == {"classes", "may_serve", "response_schema", "usage"}
    assert found["classes"].before == (
        "ok · “Fine” · #15803d · key 1 · threshold 0.5 · Nothing to see\n"
        "broken · “Broken” · #d03a2b · key 2 · Replace it"
    )
    assert found["classes"].after.endswith("\nbent · “Bent” · #b45309")
    assert (found["may_serve"].before, found["may_serve"].after) == ("yes", "no")
    assert '"severity"' in found["response_schema"].after
    assert "prohibited: training, validation, few_shot" in found["usage"].after
    assert differences(DRAFT, DRAFT) == []
