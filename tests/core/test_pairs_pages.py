"""Lists of pairs (TS-6): pages by position, filters of every kind, counts beside them, whatever people type."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tests.core.generation_parts import ANN, BEN, Parts
from tests.core.generation_steps import generate
from tests.core.pair_steps import decide, ids, made, pairs_in
from workbench_core import usage
from workbench_core.pairs import PairFilter, QualityFlag, ResponseSource, ReviewStatus
from workbench_core.pairs.filters import SPECIAL
from workbench_core.pairs.pages import PairPages
from workbench_core.prompt_templates import AnswerSource
from workbench_core.usage import Use

HOSTILE = [
    "%", "_", "!", "100 %_!!", "O'Neil", "'; DROP TABLE pairs; --", '"quotes"', "“curly”", "\\", ":name", "🚀 emoji",
    "ÄÖÜ ß", "line\nbreak", "{{ x }}", "<b>bold</b>", "NULL", "a" * 5_000,
]  # fmt: skip


@pytest.fixture
def parts(tmp_path, clock):
    opened = Parts(tmp_path, clock=clock)
    yield opened
    opened.store.close()


@pytest.fixture
def mixed(parts):
    """A training sheet with pairs of every kind."""
    parts.model.failing = frozenset({"m00003", "m00017"})
    training_sheet_id = made(parts, 60)
    chance = random.Random(5)
    for number, pair in enumerate(pairs_in(parts, training_sheet_id)):
        if action := (None, "approve", "reject", "flag", None, "edit")[number % 6]:
            flags = tuple(chance.sample(list(QualityFlag), chance.randrange(3)))
            decide(parts, pair, action, note=f"n{number}", answer="ham" if action == "edit" else None, flags=flags,
                   by=ANN if number % 4 else BEN)  # fmt: skip
    parts.pairs.set_usage(ids(pairs_in(parts, training_sheet_id)[::7]), usage.preset("personal_data"), by=ANN)
    return training_sheet_id


def walk(parts, training_sheet_id, wanted, *, limit):
    """All pages forwards, then all backwards from the last one."""
    page, forwards = parts.pairs.page(training_sheet_id, wanted, limit=limit), []
    while True:
        forwards.append(page)
        if page.after is None:
            break
        page = parts.pairs.page(training_sheet_id, wanted, after=page.after, limit=limit)
    backwards = [page]
    while page.before is not None:
        page = parts.pairs.page(training_sheet_id, wanted, before=page.before, limit=limit)
        backwards.append(page)
    return forwards, backwards[::-1]


FILTERS = [
    PairFilter(), PairFilter(statuses=(ReviewStatus.PENDING,)), PairFilter(flags=(QualityFlag.PII, QualityFlag.TOXIC)),
    PairFilter(statuses=(ReviewStatus.APPROVED, ReviewStatus.FLAGGED)), PairFilter(has_error=True),
    PairFilter(sources=(ResponseSource.EMPTY, ResponseSource.AI_GENERATED)), PairFilter(not_eligible_for=Use.TRAINING),
    PairFilter(eligible_for=Use.TRAINING, has_error=False), PairFilter(search="PRIZE"), PairFilter(reviewed_by=BEN),
    PairFilter(score_from=1), PairFilter(score_to=0.5), PairFilter(statuses=(ReviewStatus.REJECTED,), search="n2"),
]  # fmt: skip


@pytest.mark.parametrize("wanted", FILTERS, ids=str)
@pytest.mark.parametrize("limit", [1, 4, 7, 100])
def test_pages_together_are_the_whole_list_in_both_directions_ts_6(parts, mixed, wanted, limit, monkeypatch):
    monkeypatch.setattr("workbench_core.pairs.pages._FIRST_STRETCH", 3)
    expected = [pair.item_ref for pair in pairs_in(parts, mixed, wanted)]
    forwards, backwards = walk(parts, mixed, wanted, limit=limit)
    assert [line.item_ref for page in forwards for line in page.lines] == expected
    assert forwards[0].before is None
    assert backwards == forwards
    assert parts.pairs.count(mixed, wanted) == len(expected)
    assert [pair.item_ref for pair in parts.pairs.queue(mixed, wanted, limit=200)] == expected


def test_a_page_stays_where_it_is_when_pairs_in_front_are_decided(parts):
    training_sheet_id = made(parts, 30)
    pending = PairFilter(statuses=(ReviewStatus.PENDING,))
    first = parts.pairs.page(training_sheet_id, pending, limit=10)
    second = parts.pairs.page(training_sheet_id, pending, after=first.after, limit=10)
    for pair in pairs_in(parts, training_sheet_id)[:5]:
        decide(parts, pair, "approve")
    assert parts.pairs.page(training_sheet_id, pending, after=first.after, limit=10) == second
    back = parts.pairs.page(training_sheet_id, pending, before=second.before, limit=10)
    assert [line.item_ref for line in back.lines] == [f"m{n:05d}" for n in range(5, 15)]  # a whole first page again
    assert back.before is None
    for pair in pairs_in(parts, training_sheet_id)[5:]:
        decide(parts, pair, "approve")
    assert parts.pairs.page(training_sheet_id, pending, after=first.after).lines == ()
    assert parts.pairs.page("ts-none").lines == ()


def test_a_line_says_what_the_list_shows_and_never_reads_the_question(parts, mixed, monkeypatch):
    asked = []
    query = parts.store.query
    monkeypatch.setattr(parts.store, "query", lambda sql, **params: asked.append(sql) or query(sql, **params))
    pair = pairs_in(parts, mixed)[3]
    parts.pairs.comment(pair.id, "which one?", by=BEN)
    asked.clear()
    line = parts.pairs.page(mixed, after=3, limit=1).lines[0]
    parts.pairs.facets(mixed)
    parts.pairs.facets(mixed, PairFilter(search="prize"))
    assert asked
    assert not [sql for sql in asked if "messages" in sql]
    assert (line.id, line.sequence_number, line.excerpt) == (pair.id, 4, "You won prize no. 3")
    assert (line.note, line.comments, line.row_version) == ("The model refused this item.", 1, pair.row_version)
    assert (line.review_status, line.quality_flags) == (pair.review_status, pair.quality_flags)
    long = parts.make_template(name="Free", label_type="free", label_classes=())
    free = generate(parts, parts.make_sheet(1), template_id=long, source=AnswerSource.MANUAL).id
    decide(parts, pairs_in(parts, free)[0], "edit", answer="x" * 1_000)
    assert len(parts.pairs.page(free).lines[0].answer) == 300


@pytest.mark.parametrize("wanted", FILTERS, ids=str)
def test_facets_count_each_value_with_all_other_parts_applied(parts, mixed, wanted):
    facets = parts.pairs.facets(mixed, wanted)
    assert facets.total == parts.pairs.count(mixed, wanted)
    for status in ReviewStatus:
        assert facets.by_status[status] == parts.pairs.count(mixed, replace(wanted, statuses=(status,)))
    for source in ResponseSource:
        assert facets.by_source[source] == parts.pairs.count(mixed, replace(wanted, sources=(source,)))
    for flag in QualityFlag:
        assert facets.by_flag[flag] == parts.pairs.count(mixed, replace(wanted, flags=(flag,)))
    not_eligible = replace(wanted, eligible_for=None, not_eligible_for=Use.TRAINING)
    assert facets.not_eligible == parts.pairs.count(mixed, not_eligible)


def test_counts_of_a_training_sheet_are_those_of_its_rows(parts, mixed):
    counts, pairs = parts.pairs.counts(mixed), pairs_in(parts, mixed)
    assert counts.total == len(pairs)
    for status in ReviewStatus:
        assert getattr(counts, status) == sum(pair.review_status is status for pair in pairs)
    assert counts.errors == sum(bool(pair.generation_error) for pair in pairs)
    assert counts.by_source == {
        source: number for source in ResponseSource
        if (number := sum(pair.response_source is source for pair in pairs))
    }  # fmt: skip
    again = generate(parts, pairs[0].sheet_id and parts.training_sheets.get(mixed).sheet_id).id
    assert parts.pairs.counts(again).auto_approved == counts.labelled
    assert parts.pairs.counts_of([mixed, again, "ts-none"])["ts-none"].total == 0


@pytest.mark.parametrize("text", HOSTILE)
def test_a_search_finds_what_was_typed_and_nothing_else(parts, text):
    free = parts.make_template(name="Free", label_type="free", label_classes=())
    training_sheet_id = generate(parts, parts.make_sheet(3), template_id=free, source=AnswerSource.MANUAL).id
    pair = pairs_in(parts, training_sheet_id)[1]
    assert decide(parts, pair, "edit", answer=f"before {text} after").done
    for search in {text, text.upper(), text.lower()}:
        if search.lower() != text.lower():  # ß is SS in capitals
            continue
        wanted = PairFilter(search=search)
        found = [line.id for line in parts.pairs.page(training_sheet_id, wanted).lines]
        assert found == [pair.id]
        assert parts.pairs.ids(training_sheet_id, wanted) == (pair.id,)
        assert parts.pairs.facets(training_sheet_id, wanted).total == 1
    assert parts.pairs.count(training_sheet_id, PairFilter(reviewed_by=text)) == 0


def test_changed_since_shows_what_happened_after_a_moment(parts, clock):
    training_sheet_id = made(parts, 4)
    moment = clock()
    clock.move(seconds=1)
    decide(parts, pairs_in(parts, training_sheet_id)[2], "reject")
    lines = parts.pairs.page(training_sheet_id, PairFilter(changed_since=moment)).lines
    assert [line.item_ref for line in lines] == ["m00002"]
    assert parts.pairs.count(training_sheet_id, PairFilter(changed_since=clock())) == 0


def test_special_pairs_are_found_by_the_index_that_was_made_for_them(parts):
    plan = parts.store.query(
        "EXPLAIN QUERY PLAN SELECT COUNT(*) FROM pairs WHERE training_sheet_id = 'a' AND "
        f"{SPECIAL} AND generation_error <> ''"
    )
    assert any("COVERING INDEX pairs_special" in str(row["detail"]) for row in plan), plan
    pages = PairPages(parts.store, None)
    assert pages.last("ts-none") == 0
