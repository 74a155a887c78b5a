"""The store contract: the same promises on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import create_engine, text

from tests.contract.conftest import SCHEMAS
from workbench_core.adapters.store import open_store
from workbench_core.errors import AlreadyExists, BackendError, Conflict, Invalid, Unavailable

NOW = datetime(2026, 1, 5, 9, 30, 15, 123456, tzinfo=UTC)
HOSTILE = "Robert'); DROP TABLE history;-- “quotes” 😀 \\ % _ \n {{ x }} \x00"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store_url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    url = request.getfixturevalue("postgres_url")
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return url


@pytest.fixture
def store(store_url):
    opened = open_store(store_url, schemas=SCHEMAS)
    yield opened
    opened.close()


def event(number: int, **changes):
    row = {
        "id": f"event-{number}",
        "subject_kind": "sheet",
        "subject_id": "sheet-1",
        "action": "create",
        "by_user": "ann",
        "happened_at": NOW + timedelta(seconds=number),
        "details": "{}",
    }
    return row | changes


def role(store, email="ann", name="admin"):
    return store.execute(
        "INSERT INTO role_assignments (email, role, assigned_by, assigned_at) VALUES (:e, :r, 'x', :at)",
        touches="role_assignments",
        e=email,
        r=name,
        at=NOW,
    )


def test_every_schema_file_is_applied_once(store, store_url):
    files = sorted(file.name for file in SCHEMAS.glob("*.sql"))
    again = open_store(store_url, schemas=SCHEMAS)
    assert [row["name"] for row in again.query("SELECT name FROM schema_files ORDER BY name")] == files
    again.close()


def test_appended_rows_come_back_as_they_went_in(store):
    assert store.append("history", [event(n, details=HOSTILE) for n in range(3)]) == 3
    found = store.query("SELECT id, details, happened_at FROM history ORDER BY happened_at")
    assert [row["id"] for row in found] == ["event-0", "event-1", "event-2"]
    assert found[0]["details"] == HOSTILE.replace("\x00", "")
    assert found[0]["happened_at"] == NOW


def test_times_of_any_zone_are_kept_as_utc(store):
    local = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    store.append("history", [event(0, happened_at=local)])
    back = store.query("SELECT happened_at FROM history")[0]["happened_at"]
    assert back == NOW
    assert back.tzinfo is UTC
    assert store.query("SELECT id FROM history WHERE happened_at >= :at", at=local)


def test_hostile_text_in_a_parameter_is_only_text(store):
    store.append("history", [event(0, subject_id=HOSTILE)])
    assert store.query("SELECT id FROM history WHERE subject_id = :id", id=HOSTILE)


def test_a_list_parameter_expands(store):
    store.append("history", [event(n) for n in range(5)])
    found = store.query("SELECT id FROM history WHERE id IN :ids ORDER BY id", ids=["event-1", "event-4", "none"])
    assert [row["id"] for row in found] == ["event-1", "event-4"]
    assert store.query("SELECT id FROM history WHERE id IN :ids", ids=[]) == []


def test_frame_keeps_the_columns_of_an_empty_result(store):
    frame = store.frame("SELECT id, happened_at FROM history ORDER BY id")
    assert list(frame.columns) == ["id", "happened_at"]
    assert frame.empty


def test_a_second_row_with_the_same_key_is_told(store):
    role(store)
    with pytest.raises(AlreadyExists):
        role(store)


def test_a_reference_to_nothing_and_a_broken_check_are_told(store):
    with pytest.raises(Conflict):
        store.append("pair_reviews", [dict.fromkeys(("id", "pair_id"), "x") | {
            "training_sheet_id": "x", "action": "approve", "status_before": "pending", "status_after": "approved",
            "answer_before": "", "answer_after": "", "source_before": "empty", "row_version": 1, "by_user": "ann",
            "reviewed_at": NOW}])  # fmt: skip
    with pytest.raises(Conflict):
        store.append("runs", [{"id": "r", "kind": "k", "subject_id": "s", "title": "t", "status": "odd",
                               "started_by": "ann", "queued_at": NOW}])  # fmt: skip


def test_a_transaction_keeps_all_or_nothing(store):
    with pytest.raises(RuntimeError), store.transaction():
        store.append("history", [event(0)])
        with store.transaction():
            store.append("history", [event(1)])
        raise RuntimeError
    assert store.query("SELECT id FROM history") == []
    with store.transaction():
        store.append("history", [event(0)])
        assert store.query("SELECT id FROM history"), "a transaction sees its own writes"
    assert len(store.query("SELECT id FROM history")) == 1


def test_the_revision_grows_only_with_a_commit(store):
    before = store.revision("history")
    with pytest.raises(RuntimeError), store.transaction():
        store.append("history", [event(0)])
        raise RuntimeError
    assert store.revision("history") == before
    with store.transaction():
        store.append("history", [event(0)])
        assert store.revision("history") == before
    assert store.revision("history") > before
    assert store.revision("sheets") == 0


def test_execute_tells_how_many_rows_changed(store):
    store.append("history", [event(n) for n in range(3)])
    changed = store.execute("UPDATE history SET action = 'x' WHERE id <> :id", touches="history", id="event-0")
    assert changed == 2


def test_compare_and_set_has_one_winner_among_threads(store):
    store.append("history", [event(0, action="0")])
    won = []

    def attempt(name: str) -> None:
        if store.execute("UPDATE history SET action = :name WHERE action = '0'", touches="history", name=name):
            won.append(name)

    threads = [threading.Thread(target=attempt, args=(f"thread-{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert store.query("SELECT action FROM history")[0]["action"] == won[0]


def test_taking_queued_work_never_gives_a_run_twice(store):
    from workbench_core.clock import utc_now
    from workbench_core.runs import Runs

    runs = Runs(store, utc_now)
    for number in range(20):
        runs.start("generate", f"sheet-{number}", title="t", by="ann")
    taken: list[str] = []

    def take() -> None:
        while run := runs.take(threading.current_thread().name):
            taken.append(run.id)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken)) == 20


def test_a_name_that_is_no_name_is_refused(store):
    with pytest.raises(Invalid):
        store.append("history; DROP TABLE history", [event(0)])


def test_a_wrong_statement_is_told_as_ours(store):
    with pytest.raises(BackendError):
        store.query("SELECT nothing FROM nowhere")


def test_a_search_without_case_finds_every_letter(tmp_path):
    """PostgreSQL folds letters by the locale of its database; SQLite knows ASCII only, so the adapter does it."""
    opened = open_store(f"sqlite:///{tmp_path / 'store.db'}", schemas=SCHEMAS)
    opened.append("history", [event(0, subject_id="ÄRZTE in Łódź")])
    assert opened.query("SELECT id FROM history WHERE LOWER(subject_id) LIKE :pattern", pattern="%ärzte in łódź%")
    opened.close()


def test_booleans_and_nulls(store):
    store.append("runs", [{"id": "r", "kind": "k", "subject_id": "s", "title": "t", "status": "queued",
                           "cancel_requested": True, "started_at": None, "started_by": "ann",
                           "queued_at": NOW}])  # fmt: skip
    row = store.query("SELECT cancel_requested, started_at FROM runs WHERE cancel_requested = TRUE")[0]
    assert bool(row["cancel_requested"]) is True
    assert row["started_at"] is None


def test_a_store_that_does_not_answer_is_told():
    with pytest.raises(Unavailable, match="does not answer"):
        open_store("postgresql://nobody@127.0.0.1:9/none", schemas=SCHEMAS)


@pytest.mark.parametrize("url", ["mysql://x", "not a url"])
def test_an_unusable_address_names_the_setting(url):
    with pytest.raises(Invalid) as caught:
        open_store(url, schemas=SCHEMAS)
    assert "WORKBENCH_STORE_URL" in caught.value.hint


# --- many rows -----------------------------------------------------------------------------------------------------

COLUMNS = ("id", "subject_kind", "subject_id", "action", "by_user", "happened_at", "details")


def event_rows(count, *, details=lambda number: "{}", happened_at=lambda number: NOW):
    return [(f"event-{n:05d}", "sheet", "s", "create", "ann", happened_at(n), details(n)) for n in range(count)]


@pytest.mark.parametrize("count", [0, 1, 199, 200, 401, 1_250])
def test_many_rows_are_inserted_whatever_their_number(store, count):
    assert store.append_rows("history", COLUMNS, event_rows(count)) == count
    assert store.query("SELECT COUNT(*) AS n FROM history")[0]["n"] == count
    assert (store.revision("history") > 0) is (count > 0)


def test_many_rows_come_back_as_they_went_in_whatever_stands_beside_them(store):
    odd = {7: HOSTILE, 250: "a\ud800b", 251: "ünï", 399: "\x00"}
    zone = timezone(timedelta(hours=-7))
    rows = event_rows(
        450,
        details=lambda n: odd.get(n, "{}"),
        happened_at=lambda n: (NOW + timedelta(seconds=n)).astimezone(zone if n % 2 else UTC),
    )
    store.append_rows("history", COLUMNS, iter(rows))
    found = store.query("SELECT details, happened_at FROM history ORDER BY id")
    expected = {7: HOSTILE.replace("\x00", ""), 250: "a?b", 251: "ünï", 399: ""}
    assert [row["details"] for row in found] == [expected.get(n, "{}") for n in range(450)]
    assert [row["happened_at"] for row in found] == [NOW + timedelta(seconds=n) for n in range(450)]


def test_many_rows_with_one_that_does_not_fit_are_refused_altogether(store):
    rows = event_rows(900)
    with pytest.raises(AlreadyExists):
        store.append_rows("history", COLUMNS, [*rows, rows[3]])
    assert store.query("SELECT id FROM history") == []
    with pytest.raises(Conflict):
        store.append_rows("runs", ("id", "kind", "subject_id", "title", "status", "started_by", "queued_at"),
                          [(f"r{n}", "k", f"s{n}", "t", "odd" if n == 800 else "queued", "ann", NOW)
                           for n in range(900)])  # fmt: skip
    assert store.query("SELECT id FROM runs") == []


def by_column(rows):
    return dict(zip(COLUMNS, zip(*rows, strict=True), strict=True))


@pytest.mark.parametrize("count", [1, 199, 1_250])
def test_prepared_rows_come_back_as_they_went_in_whatever_stands_beside_them(store, count):
    odd = {0: HOSTILE, 1: "a\ud800b", 2: "ünï", 3: "\x00", 4: ""}
    rows = event_rows(count, details=lambda n: odd.get(n % 200, f"“{n}”"), happened_at=lambda n: NOW.astimezone(
        timezone(timedelta(hours=n % 5))) + timedelta(seconds=n % 40))  # fmt: skip
    prepared = store.prepare_rows("history", by_column(rows))
    assert store.query("SELECT id FROM history") == []
    assert store.append_prepared(prepared) == prepared.number == count
    expected = {0: HOSTILE.replace("\x00", ""), 1: "a?b", 2: "ünï", 3: "", 4: ""}
    found = store.query("SELECT id, details, happened_at FROM history ORDER BY id")
    assert [row["details"] for row in found] == [expected.get(n % 200, f"“{n}”") for n in range(count)]
    assert [row["happened_at"] for row in found] == [NOW + timedelta(seconds=n % 40) for n in range(count)]
    assert [row["id"] for row in found] == [row[0] for row in rows]


def test_prepared_numbers_gaps_and_truths_keep_their_kind(store):
    store.execute("CREATE TABLE kinds (n INTEGER, x DOUBLE PRECISION, b BOOLEAN, t TEXT, u TEXT, m DOUBLE PRECISION)",
                  touches="kinds")  # fmt: skip
    count = 300
    columns = {
        "n": range(5, 5 + count),
        "x": [number / 7 for number in range(count)],  # too many different ones for a block
        "b": [number % 3 == 0 for number in range(count)],
        "t": [None if number % 2 else f"t{number}" for number in range(count)],
        "u": [(None, "", "u")[number % 3] for number in range(count)],
        "m": [(None, 0.1, 1.0)[number % 3] for number in range(count)],
    }
    for names in ("nbtum", "nxbtum"):
        store.execute("DELETE FROM kinds", touches="kinds")
        chosen = {name: columns[name] for name in names}
        assert store.append_prepared(store.prepare_rows("kinds", chosen)) == count
        found = store.query(f"SELECT {', '.join(names)} FROM kinds ORDER BY n")
        assert [tuple(row.values()) for row in found] == list(zip(*chosen.values(), strict=True))


def test_prepared_rows_with_one_that_does_not_fit_are_refused_altogether_and_none_are_none(store):
    rows = event_rows(900)
    with pytest.raises(AlreadyExists):
        store.append_prepared(store.prepare_rows("history", by_column([*rows, rows[3]])))
    with store.transaction():
        assert store.append_prepared(store.prepare_rows("history", {name: [] for name in COLUMNS})) == 0
    assert store.query("SELECT id FROM history") == []
    assert store.revision("history") == 0


def test_rows_whose_making_fails_leave_nothing_behind(store):
    def broken():
        yield from event_rows(650)
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        store.append_rows("history", COLUMNS, broken())
    assert store.query("SELECT id FROM history") == []


def test_a_list_parameter_of_any_length_finds_exactly_its_texts(store):
    wanted = [f"event-{n:05d}" for n in range(0, 40_000, 40)]
    store.append_rows("history", COLUMNS, event_rows(1_250))
    hostile = ["'); --", '"', "\\", "ü\ud800", "\x00event-00001", "1", "null", "{}", "😀"]
    found = store.query("SELECT id FROM history WHERE id IN :ids ORDER BY id", ids=[*wanted, *hostile] * 3)
    there = [item for item in wanted if item < "event-01250"]
    assert [row["id"] for row in found] == sorted([*there, "event-00001"])
    left = store.query("SELECT COUNT(*) AS n FROM history WHERE id NOT IN :ids", ids=wanted)
    assert left[0]["n"] == 1_250 - len(there)
    changed = store.execute("UPDATE history SET action = 'x' WHERE id IN :ids", touches="history", ids=wanted)
    assert changed == len(there)
