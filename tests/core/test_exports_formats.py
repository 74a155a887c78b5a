"""Acceptance 4: the records of every format, byte for byte, with and without a system message (TS-17)."""

from __future__ import annotations

import csv
import hashlib
import io
import json

import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.core.export_parts import HOSTILE
from workbench_core.errors import Unavailable
from workbench_core.exports import (
    COLUMNS,
    ExportFormat,
    ExportPair,
    FileLayout,
    Turn,
    file_stem,
    line_of,
    turns_from,
    write_files,
)

S, U, A = "You sort mails.", "Is “it's”\nspam? {{ 🙂 }}", 'He said "no"\\'
ASKED = [Turn("system", S), Turn("user", U)]
SHOTS = [Turn("system", S), Turn("user", "Q1"), Turn("assistant", "A1"), Turn("user", U)]
JSON_U, JSON_A = '"Is “it\'s”\\nspam? {{ 🙂 }}"', '"He said \\"no\\"\\\\"'
EXPECTED = {
    "openai_chat": (
        '{"messages": [{"role": "system", "content": "You sort mails."}, {"role": "user", "content": U}, '
        '{"role": "assistant", "content": A}]}'
    ),
    "anthropic": '{"system": "You sort mails.", "prompt": U, "completion": A}',
    "anthropic_messages": (
        '{"system": "You sort mails.", "messages": [{"role": "user", "content": U}, '
        '{"role": "assistant", "content": A}]}'
    ),
    "gemini": (
        '{"system_instruction": {"parts": [{"text": "You sort mails."}]}, "contents": [{"role": "user", '
        '"parts": [{"text": U}]}, {"role": "model", "parts": [{"text": A}]}]}'
    ),
    "gemini_vertex": (
        '{"systemInstruction": {"role": "system", "parts": [{"text": "You sort mails."}]}, "contents": '
        '[{"role": "user", "parts": [{"text": U}]}, {"role": "model", "parts": [{"text": A}]}]}'
    ),
}
WITHOUT_SYSTEM = {
    "openai_chat": '{"messages": [{"role": "user", "content": U}, {"role": "assistant", "content": A}]}',
    "anthropic": '{"prompt": U, "completion": A}',
    "anthropic_messages": '{"messages": [{"role": "user", "content": U}, {"role": "assistant", "content": A}]}',
    "gemini": '{"contents": [{"role": "user", "parts": [{"text": U}]}, {"role": "model", "parts": [{"text": A}]}]}',
    "gemini_vertex": (
        '{"contents": [{"role": "user", "parts": [{"text": U}]}, {"role": "model", "parts": [{"text": A}]}]}'
    ),
}


def pair(turns=ASKED, answer=A) -> ExportPair:
    return ExportPair("m1", turns, answer, "mail_class", "approved")


def spelled(shape: str) -> str:
    return shape.replace(": U", f": {JSON_U}").replace(": A", f": {JSON_A}")


@pytest.mark.parametrize("format", EXPECTED)
def test_acceptance_4_a_record_is_what_the_vendor_expects(format):
    line = line_of(ExportFormat(format), with_system=True)(pair())
    assert line == spelled(EXPECTED[format])
    assert json.dumps(json.loads(line), ensure_ascii=False) == line, "as the json module writes it"


@pytest.mark.parametrize("format", WITHOUT_SYSTEM)
def test_acceptance_4_the_system_message_is_left_out_when_absent_or_not_wanted(format):
    expected = spelled(WITHOUT_SYSTEM[format])
    assert line_of(ExportFormat(format), with_system=False)(pair()) == expected
    assert line_of(ExportFormat(format), with_system=True)(pair(ASKED[1:])) == expected


@pytest.mark.parametrize("format", EXPECTED)
def test_every_character_survives(format):
    every = "".join(map(chr, [*range(1, 0x300), 0x2028, 0x2029, 0xFEFF, 0xFFFF, 0x1F642])) + HOSTILE
    line = line_of(ExportFormat(format), with_system=True)(pair([Turn("system", every), Turn("user", every)], every))
    assert "\n" not in line
    assert line.encode().decode() == line
    found = json.dumps(json.loads(line), ensure_ascii=False)
    assert found.count(json.dumps(every, ensure_ascii=False)) == 3


def test_examples_stay_turns_where_there_are_messages_and_are_folded_into_the_prompt_elsewhere():
    lines = {format: json.loads(line_of(ExportFormat(format), with_system=True)(pair(SHOTS))) for format in EXPECTED}
    assert [message["role"] for message in lines["openai_chat"]["messages"]] == [
        "system", "user", "assistant", "user", "assistant",
    ]  # fmt: skip
    assert [turn["content"] for turn in lines["anthropic_messages"]["messages"]] == ["Q1", "A1", U, A]
    assert [turn["role"] for turn in lines["gemini"]["contents"]] == ["user", "model", "user", "model"]
    assert lines["gemini_vertex"]["contents"] == lines["gemini"]["contents"]
    assert lines["anthropic"] == {"system": S, "prompt": f"Human: Q1\n\nAssistant: A1\n\nHuman: {U}", "completion": A}


def test_content_that_is_not_text_is_written_as_json_text():
    stored = json.dumps([{"role": "user", "content": {"täxt": ["a", 1]}}, {"role": "user", "content": "plain"}])
    assert turns_from(stored) == [Turn("user", '{"täxt": ["a", 1]}'), Turn("user", "plain")]


def test_several_system_messages_stand_as_paragraphs():
    turns = [Turn("system", "One."), Turn("system", "Two."), Turn("user", U)]
    assert json.loads(line_of(ExportFormat.ANTHROPIC, with_system=True)(pair(turns)))["system"] == "One.\n\nTwo."
    kept = json.loads(line_of(ExportFormat.OPENAI_CHAT, with_system=True)(pair(turns)))["messages"]
    assert [message["content"] for message in kept] == ["One.", "Two.", U, A]


# --- files -----------------------------------------------------------------------------------------------------------


def written(tmp_path, format, pairs, **layout):
    made = write_files(pairs, FileLayout(ExportFormat(format), "mails", **layout), tmp_path)
    return made, (tmp_path / made.files[0].name).read_bytes()


def test_lines_end_with_a_line_end_and_are_utf_8(tmp_path):
    made, content = written(tmp_path, "openai_chat", [(pair(), ""), (pair(), "")])
    assert content.decode() == 2 * (spelled(EXPECTED["openai_chat"]) + "\n")
    assert (made.files[0].name, made.files[0].pairs) == ("mails.jsonl", 2)
    assert made.files[0].sha256 == hashlib.sha256(content).hexdigest()


def test_each_part_has_its_file_even_without_pairs(tmp_path):
    parts = ("train", "validation", "test")
    made, _ = written(tmp_path, "anthropic", [(pair(), "train"), (pair(), "validation")], parts=parts)
    assert [(file.name, file.pairs) for file in made.files] == [
        ("mails_train.jsonl", 1), ("mails_val.jsonl", 1), ("mails_test.jsonl", 0),
    ]  # fmt: skip


def test_csv_reads_back_exactly_and_every_cell_is_quoted(tmp_path):
    turns = [Turn("system", "=S"), *SHOTS[1:]]
    made, content = written(tmp_path, "csv", [(pair(turns, HOSTILE), ""), (pair(answer="-1 bullet\r\n"), "")])
    assert content.startswith(
        b'"item_ref","system","user","assistant","label_type","review_status","split"\n"m1","=S",'
    )
    found = list(csv.reader(io.StringIO(content.decode(), newline="")))
    folded = f"Human: Q1\n\nAssistant: A1\n\nHuman: {U}"
    assert found == [
        list(COLUMNS),
        ["m1", "=S", folded, HOSTILE, "mail_class", "approved", ""],
        ["m1", S, U, "-1 bullet\r\n", "mail_class", "approved", ""],
    ]
    frame = pd.read_csv(io.BytesIO(content), keep_default_na=False)
    assert frame["assistant"].tolist() == [HOSTILE, "-1 bullet\r\n"]
    assert made.formula_texts == 2


def test_csv_for_a_spreadsheet_runs_nothing(tmp_path):
    pairs = [(pair(answer=text), "") for text in ("=1+1", " @SUM(A1)", "-2", "plain", "'quoted")]
    made, content = written(tmp_path, "csv", pairs, for_spreadsheets=True)
    assert content.startswith("\ufeff".encode())
    found = [row[3] for row in csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))][1:]
    assert found == ["'=1+1", "' @SUM(A1)", "-2", "plain", "'quoted"]
    assert made.formula_texts == 2


def test_parquet_holds_the_same_columns(tmp_path):
    _, content = written(tmp_path, "parquet", [(pair(SHOTS, HOSTILE), "test")], parts=("test",))
    table = pq.read_table(io.BytesIO(content))
    assert table.column_names == list(COLUMNS)
    assert table.to_pylist() == [
        {
            "item_ref": "m1", "system": S, "user": f"Human: Q1\n\nAssistant: A1\n\nHuman: {U}", "assistant": HOSTILE,
            "label_type": "mail_class", "review_status": "approved", "split": "test",
        }
    ]  # fmt: skip


def test_the_same_pairs_give_the_same_parquet_however_many_there_are(tmp_path):
    pairs = [(ExportPair(f"m{n}", ASKED, "x" * (n % 50), "t", "approved"), "") for n in range(25_000)]
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    first, second = (written(tmp_path / name, "parquet", iter(pairs)) for name in "ab")
    assert first == second
    file = pq.ParquetFile(io.BytesIO(first[1]))
    assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == [10_000, 10_000, 5_000]
    assert file.read().num_rows == 25_000


@pytest.mark.parametrize(
    ("title", "stem"),
    [
        ("Q3 mails (final)", "q3_mails_final"),
        ("../../etc/passwd", "etc_passwd"),
        ("邮件", "training_sheet"),
        ("CON", "con_pairs"),
        ("x" * 300, "x" * 80),
        ("a\x00b\nc<script>", "a_b_c_script"),
    ],
)
def test_hostile_names_make_harmless_file_names(title, stem):
    assert file_stem(title) == stem


def test_a_disk_that_takes_nothing_is_a_sentence(tmp_path):
    with pytest.raises(Unavailable, match="cannot be written"):
        write_files([], FileLayout(ExportFormat.CSV, "mails"), tmp_path / "missing")
