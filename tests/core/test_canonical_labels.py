"""Canonical labels: one answer for an item and label type, every version kept, reuse counted."""

from __future__ import annotations

import pytest

from tests.core.generation_parts import ANN, BEN, Parts
from workbench_core import usage
from workbench_core.canonical_labels import LabelEntry, LabelFilter, LabelingMode, same_answer
from workbench_core.errors import ChangedByOthers, Conflict, Invalid, NotFound, NotPermitted
from workbench_core.permissions import Role

ODD = "He said “no”; DROP TABLE pairs; -- 'x' %_! {{ x }} 🚀\nline two"


@pytest.fixture
def parts(tmp_path, clock):
    made = Parts(tmp_path, clock=clock)
    yield made
    made.store.close()


@pytest.fixture
def sheet_id(parts):
    return parts.make_sheet(20)


def put(parts, sheet_id, answers, **options):
    entries = [LabelEntry(item, answer) for item, answer in answers.items()]
    return parts.labels.label(entries, sheet_id=sheet_id, label_type="mail_class", by=ANN, **options)


def only(parts, sheet_id, item="m00001"):
    return parts.labels.lookup(sheet_id, [item], "mail_class")[item]


def test_a_new_label_starts_at_version_one(parts, sheet_id):
    result = put(parts, sheet_id, {"m00001": " spam ", "m00002": "ham"})
    label = only(parts, sheet_id)
    assert result.created == ("m00001", "m00002")
    assert (label.answer, label.version, label.reuse_count, label.labeled_by) == ("spam", 1, 0, ANN)
    assert label.labeling_mode is LabelingMode.STANDALONE_TOOL
    assert result.ids["m00001"] == label.id
    assert [version.reason for version in parts.labels.versions(label.id)] == ["created"]


def test_an_equal_answer_only_links_and_another_one_conflicts_unless_replaced(parts, sheet_id):
    put(parts, sheet_id, {"m00001": "spam", "m00002": "ham"})
    again = put(parts, sheet_id, {"m00001": "spam", "m00002": "spam", "m00003": "ham"})
    assert (again.created, again.linked, again.conflicts) == (("m00003",), ("m00001",), {"m00002": "ham"})
    assert only(parts, sheet_id, "m00002").answer == "ham"

    replaced = put(parts, sheet_id, {"m00002": "spam"}, replace=True)
    label = only(parts, sheet_id, "m00002")
    assert (replaced.updated, replaced.versions) == (("m00002",), {"m00002": 2})
    assert (label.answer, label.version) == ("spam", 2)
    assert [(v.version, v.answer) for v in parts.labels.versions(label.id)] == [(2, "spam"), (1, "ham")]


@pytest.mark.parametrize(
    ("left", "right", "is_same"),
    [
        ("spam", " spam\n", True),
        ("spam", "Spam", False),
        ('{"a": 1, "b": [2]}', '{"b":[2],"a":1}', True),
        ('{"a": 1}', '{"a": 2}', False),
        ("{a}", "{ a }", False),
        ("1", "1.0", False),
    ],
)
def test_answers_are_the_same_by_text_or_by_json_value(left, right, is_same):
    assert same_answer(left, right) is is_same


def test_lookup_takes_thousands_of_items_at_once(parts, sheet_id):
    put(parts, sheet_id, {f"x{n}": "spam" for n in range(12_000)})
    found = parts.labels.lookup(sheet_id, [f"x{n}" for n in range(0, 20_000)], "mail_class")
    assert len(found) == 12_000
    assert parts.labels.lookup(sheet_id, [], "mail_class") == {}
    assert parts.labels.lookup(sheet_id, ["x1"], "other") == {}


def test_any_text_is_stored_and_found_again_literally(parts, sheet_id):
    put(parts, sheet_id, {"it'em%1": ODD, "m2": "plain"})
    assert parts.labels.lookup(sheet_id, ["it'em%1"], "mail_class")["it'em%1"].answer == ODD
    for search in ("%_!", "🚀", "DROP table", "'x'", "em%1"):
        assert [label.item_ref for label in parts.labels.find(LabelFilter(sheet_id, search=search))] == ["it'em%1"]
    assert parts.labels.count(LabelFilter(sheet_id, search="%%")) == 0
    assert parts.labels.count(LabelFilter(sheet_id)) == 2


@pytest.mark.parametrize("answer", ["", "  \n", "x" * 1_000_001])
def test_an_empty_or_huge_answer_is_refused_and_nothing_is_written(parts, sheet_id, answer):
    with pytest.raises(Invalid, match="m00002"):
        put(parts, sheet_id, {"m00001": "spam", "m00002": answer})
    assert parts.labels.count(LabelFilter(sheet_id)) == 0


def test_one_item_twice_in_one_go_is_refused(parts, sheet_id):
    entries = [LabelEntry("m1", "spam"), LabelEntry("m1", "ham")]
    with pytest.raises(Invalid, match="more than once"):
        parts.labels.label(entries, sheet_id=sheet_id, label_type="mail_class", by=ANN)


def test_editing_a_label_keeps_the_former_version_and_refuses_a_stale_one(parts, sheet_id):
    put(parts, sheet_id, {"m00001": "spam"})
    label = only(parts, sheet_id)
    edited = parts.labels.update(label.id, "ham", by=BEN, version=1, reason="misread")
    assert (edited.answer, edited.version, edited.updated_by, edited.labeled_by) == ("ham", 2, BEN, ANN)
    assert [(v.answer, v.reason) for v in parts.labels.versions(label.id)] == [
        ("ham", "misread"), ("spam", "created"),
    ]  # fmt: skip
    with pytest.raises(ChangedByOthers, match=BEN):
        parts.labels.update(label.id, "spam", by=ANN, version=1)


def test_governance_changes_no_answer_and_no_version(parts, sheet_id):
    put(parts, sheet_id, {"m00001": "spam"})
    label = only(parts, sheet_id)
    parts.labels.set_usage([label.id], usage.preset("personal_data"), by=ANN)
    governed = parts.labels.get(label.id)
    assert governed.usage == usage.preset("personal_data")
    assert (governed.answer, governed.version) == ("spam", 1)
    assert [event.action for event in parts.history.of("canonical_label", label.id)] == ["set usage"]
    with pytest.raises(Invalid, match="reason"):
        parts.labels.set_usage([label.id], usage.ALL_USES, by=ANN)


def test_coverage_counts_one_label_type_or_all(parts, sheet_id):
    put(parts, sheet_id, {f"m{n:05d}": "spam" for n in range(5)})
    (coverage,) = parts.labels.coverage(sheet_id, "mail_class")
    assert (coverage.labelled, coverage.items, coverage.share) == (5, 20, 0.25)
    (nothing,) = parts.labels.coverage(sheet_id, "other")
    assert (nothing.labelled, nothing.items, nothing.share) == (0, 20, 0.0)
    assert [entry.label_type for entry in parts.labels.coverage(sheet_id)] == ["mail_class"]


def test_reuse_is_counted_for_many_labels_at_once(parts, sheet_id):
    result = put(parts, sheet_id, {f"m{n}": "spam" for n in range(3)})
    parts.labels.count_reuse([result.ids["m0"], result.ids["m1"]])
    parts.labels.count_reuse([result.ids["m0"]])
    counts = {label.item_ref: label.reuse_count for label in parts.labels.find(LabelFilter(sheet_id))}
    assert counts == {"m0": 2, "m1": 1, "m2": 0}
    assert [label.item_ref for label in parts.labels.find(LabelFilter(sheet_id, minimum_reuse=2))] == ["m0"]


def test_a_label_in_use_cannot_be_deleted(parts, sheet_id):
    from workbench_core.training_sheets import GenerationRequest

    put(parts, sheet_id, {"m00001": "spam", "m99999": "ham"})
    request = GenerationRequest(sheet_id, parts.make_template(), {"subject": "subject"})
    parts.training_sheets.generate(request, by=ANN)
    parts.work()
    label = only(parts, sheet_id)
    with pytest.raises(Conflict, match="1 pairs in 1 training sheets"):
        parts.labels.delete(label.id, by=ANN)
    unused = only(parts, sheet_id, "m99999")
    parts.labels.delete(unused.id, by=ANN)
    with pytest.raises(NotFound):
        parts.labels.get(unused.id)


def test_roles_decide_who_labels_edits_and_governs(parts, sheet_id):
    parts.permissions.assign("lena", Role.LABELER, by=ANN)
    parts.permissions.assign("carl", Role.DATA_CONSUMER, by=ANN)
    entry = [LabelEntry("m1", "spam")]
    parts.labels.label(entry, sheet_id=sheet_id, label_type="mail_class", by="lena")
    label = only(parts, sheet_id, "m1")
    with pytest.raises(NotPermitted):
        parts.labels.label(entry, sheet_id=sheet_id, label_type="mail_class", by="carl")
    with pytest.raises(NotPermitted):
        parts.labels.update(label.id, "ham", by="lena", version=1)
    with pytest.raises(NotPermitted):
        parts.labels.set_usage([label.id], usage.preset("synthetic"), by="lena")
    with pytest.raises(NotPermitted):
        parts.labels.delete(label.id, by="lena")


def test_labels_of_an_unknown_sheet_are_refused(parts):
    with pytest.raises(NotFound):
        put(parts, "sheet-none", {"m1": "spam"})
