"""Speed and memory of an export: from the pairs of a training sheet in a SQLite file to the data files of one format.

A tenth of the pairs may not be used for training and a tenth waits for review. What is timed is the run itself, from
its start to its end, after which the files lie in place with their manifest. It happens in a process of its own, which
opens a workbench that another one filled, so that its peak memory is that of the work. The last line is the result as
JSON: all pairs that were looked at, by the seconds of the run; `busy_seconds` are
those in which a processor worked for it, `of_it_before_mb` is what the opened workbench takes.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from workbench_core.exports import ExportFormat, ExportRequest, PartShares
from workbench_core.prompt_templates import AnswerSource, TemplateDraft
from workbench_core.settings import read_settings
from workbench_core.sheets import SheetDraft
from workbench_core.training_sheets import GenerationRequest
from workbench_core.usage import UsageRules, Use
from workbench_core.workbench import Workbench, open_workbench

SOURCE = "bank.payments.complaints"
PERSON = "benchmark@example.com"
CLASSES = ("billing", "card", "loan", "account", "other")
SYSTEM_PROMPT = """\
You sort complaints of bank customers by the team that answers them.
billing: fees and charges. card: anything about debit and credit cards. loan: credits and mortgages.
account: opening, closing and access. other: what fits nowhere else. Answer with one word."""
USER_PROMPT = "Subject: {{ subject }}\n\n{{ complaint|trim }}"


def source_query(rows: int) -> str:
    """The query that makes the table."""
    classes = ", ".join(f"'{name}'" for name in CLASSES)
    return f"""
        SELECT 'complaint-' || lpad(n::VARCHAR, 9, '0') AS complaint_id,
               'Problem no. ' || n || ' with my ' || ['card', 'loan', 'fee', 'login'][1 + n % 4] AS subject,
               'On day ' || (n % 365) || ' I was charged twice for “service ' || (n % 1000) || '”. I called, nobody '
               || 'could tell me why, and the sum was not returned. Please look into it and answer in writing.'
               AS complaint,
               [{classes}][1 + (n * 31) % {len(CLASSES)}] AS team
        FROM range({rows}) AS numbers(n)"""


def workbench_at(home: Path) -> Workbench:
    """A workbench of the embedded default whose store and lake lie in this folder."""
    return open_workbench(read_settings({"WORKBENCH_HOME": str(home)}))


def fill(home: Path, rows: int) -> str:
    """Generate a training sheet; then most of its pairs are approved as reviewers would have left them."""
    import duckdb

    workbench = workbench_at(home)
    file = home / "upload.parquet"
    duckdb.execute(f"COPY ({source_query(rows)}) TO '{file}' (FORMAT parquet)")
    workbench.lake.put_table(SOURCE, file, original_name="upload.parquet")
    file.unlink()
    sheet = workbench.sheets.create(SheetDraft("Complaints", SOURCE, "complaint_id"), by=PERSON)
    workbench.sheets.move(sheet.id, "publish", by=PERSON)
    draft = TemplateDraft(
        "Team of a complaint", "team", USER_PROMPT, system_prompt=SYSTEM_PROMPT, label_classes=CLASSES,
        answer_source=AnswerSource.EXISTING_COLUMN,
    )  # fmt: skip
    template = workbench.prompt_templates.create(draft, by=PERSON)
    workbench.prompt_templates.move(template.id, "publish", by=PERSON)
    mapping = {"subject": "subject", "complaint": "complaint"}
    request = GenerationRequest(sheet.id, template.id, mapping, answer_column="team", row_limit=rows)
    made = workbench.training_sheets.generate(request, by=PERSON)
    workbench.worker().run_one()
    approve(workbench, made.id)
    workbench.training_sheets.move(made.id, "close_review", by=PERSON, leave_out=True)
    workbench.close()
    return made.id


def approve(workbench: Workbench, training_sheet_id: str) -> None:
    """Nine of ten pairs are verified, and one of ten may not be trained on."""
    workbench.store.execute(
        "UPDATE pairs SET review_status = 'approved', response_source = 'human_verified', row_version = 2 "
        "WHERE training_sheet_id = :sheet AND sequence_number % 10 <> 3",
        touches="pairs",
        sheet=training_sheet_id,
    )
    rules = UsageRules(frozenset(Use) - {Use.TRAINING}, frozenset({Use.TRAINING}), reason="patient data")
    workbench.store.execute(
        "UPDATE pairs SET allowed_uses = :allowed_uses, prohibited_uses = :prohibited_uses, "
        "usage_reason = :usage_reason, classification = :classification "
        "WHERE training_sheet_id = :sheet AND sequence_number % 10 = 7",
        touches="pairs",
        sheet=training_sheet_id,
        **rules.columns(),
    )


def export(home: Path, training_sheet_id: str, format: ExportFormat, *, is_split: bool) -> dict[str, float]:
    """Export in this process, and check what came of it."""
    workbench = workbench_at(home)
    shares = PartShares() if is_split else None
    request = ExportRequest(training_sheet_id, format, shares=shares, stratify_by_label=is_split)
    made = workbench.exports.start(request, by=PERSON)
    worker, base = workbench.worker(), peak_mb()
    started, busy_before = time.perf_counter(), time.process_time()
    worker.run_one()
    seconds, busy_seconds = time.perf_counter() - started, time.process_time() - busy_before
    peak = peak_mb()
    done = workbench.exports.get(made.id)
    assert done.is_done, done.run
    pairs = workbench.pairs.count(training_sheet_id)
    assert sum(file.pairs for file in done.files) == done.exported_pairs == pairs - 2 * (pairs // 10)
    workbench.close()
    return {
        "pairs": pairs,
        "seconds": round(seconds, 2),
        "busy_seconds": round(busy_seconds, 2),
        "pairs_per_second": round(pairs / seconds),
        "peak_mb": round(peak),
        "of_it_before_mb": round(base),
    }


def peak_mb() -> float:
    """The most memory that this program had; what `getrusage` says includes that of the process it was forked from."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Fill a workbench once, then export each format in a fresh process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--formats", nargs="*", default=["openai_chat"], choices=list(map(str, ExportFormat)))
    parser.add_argument("--split", action="store_true", help="three parts, stratified by class")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        order = json.loads(asked.child)
        format = ExportFormat(order["format"])
        print(json.dumps(export(Path(order["home"]), order["sheet"], format, is_split=asked.split)))
        return
    with tempfile.TemporaryDirectory() as folder:
        sheet = fill(Path(folder), asked.pairs)
        for format in asked.formats:
            order = json.dumps({"home": folder, "sheet": sheet, "format": format})
            command = [sys.executable, __file__, "--child", order, *(["--split"] if asked.split else [])]
            print(format)
            print(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
