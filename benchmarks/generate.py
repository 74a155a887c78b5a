"""Speed and memory of a generation: from the rows of a table to question-and-answer pairs in a SQLite file.

The template has filters, a condition and a default; a third of the items have a canonical label, the answers of the
others come from a column and are checked against the classes. No model is asked. What is timed is the run itself, from
its start to its end, after which the review is open. It happens in a process of its own, which opens a workbench that
another one filled, so that its peak memory is that of the work. The last line is the result as JSON:
`pairs_per_second` and `peak_mb` of the best of all repeats.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from workbench_core.canonical_labels import LabelEntry
from workbench_core.prompt_templates import AnswerSource, TemplateDraft
from workbench_core.settings import read_settings
from workbench_core.sheets import SheetDraft
from workbench_core.training_sheets import GenerationRequest, TrainingSheet, TrainingSheetStatus
from workbench_core.usage import ALL_USES
from workbench_core.workbench import Workbench, open_workbench

SOURCE = "bank.payments.complaints"
PERSON = "benchmark@example.com"
CLASSES = ("billing", "card", "loan", "account", "other")
LABEL_BATCH = 10_000
SYSTEM_PROMPT = """\
You sort complaints of bank customers by the team that answers them.
billing: fees and charges. card: anything about debit and credit cards. loan: credits and mortgages.
account: opening, closing and access. other: what fits nowhere else. Answer with one word."""
USER_PROMPT = """\
Subject: {{ subject|trim|upper }}
Channel: {{ channel|default('unknown', true)|capitalize }}
{% if amount|float > 100 %}Large sum: {{ amount|float|round(2) }} EUR, treat it with care.
{% else %}Sum: {{ amount }} EUR
{% endif %}{% if region %}Region: {{ region|title }}
{% endif %}
{{ complaint|trim }}"""
MAPPING = {"subject": "subject", "channel": "channel", "amount": "amount", "region": "region", "complaint": "complaint"}


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured run: its pairs, the seconds it took, those in which a processor was busy, and the peak in MB."""

    pairs: int
    seconds: float
    busy_seconds: float
    peak_mb: float

    @property
    def pairs_per_second(self) -> float:
        """The rate of the whole run."""
        return self.pairs / self.seconds


def source_query(rows: int) -> str:
    """The query that makes the table: each row has texts, a number, a few gaps and the answer of its team."""
    classes = ", ".join(f"'{name}'" for name in CLASSES)
    return f"""
        SELECT 'complaint-' || lpad(n::VARCHAR, 9, '0') AS complaint_id,
               '  Problem no. ' || n || ' with my ' || ['card', 'loan', 'fee', 'login'][1 + n % 4] AS subject,
               CASE WHEN n % 7 = 0 THEN NULL ELSE ['phone', 'branch', 'e-mail'][1 + n % 3] END AS channel,
               ((n * 7919) % 50000) / 100.0 AS amount,
               CASE WHEN n % 5 = 0 THEN NULL ELSE 'north rhine ' || (n % 16) END AS region,
               'On day ' || (n % 365) || ' I was charged twice for “service ' || (n % 1000) || '”. I called, nobody '
               || 'could tell me why, and the sum was not returned. Please look into it and answer in writing.'
               AS complaint,
               [{classes}][1 + (n * 31) % {len(CLASSES)}] AS team
        FROM range({rows}) AS numbers(n) ORDER BY hash(n)"""


def workbench_at(home: Path) -> Workbench:
    """A workbench of the embedded default whose store and lake lie in this folder."""
    return open_workbench(read_settings({"WORKBENCH_HOME": str(home)}))


def fill(home: Path, rows: int) -> GenerationRequest:
    """Make the table, a published sheet, labels for a third of its items and a published template."""
    workbench = workbench_at(home)
    file = home / "upload.parquet"
    duckdb.execute(f"COPY ({source_query(rows)}) TO '{file}' (FORMAT parquet)")
    workbench.lake.put_table(SOURCE, file, original_name="upload.parquet")
    file.unlink()
    sheet = workbench.sheets.create(SheetDraft("Complaints", SOURCE, "complaint_id"), by=PERSON)
    workbench.sheets.move(sheet.id, "publish", by=PERSON)
    for entries in label_batches(rows):
        workbench.canonical_labels.label(entries, sheet_id=sheet.id, label_type="team", by=PERSON)
    draft = TemplateDraft(
        "Team of a complaint",
        "team",
        USER_PROMPT,
        system_prompt=SYSTEM_PROMPT,
        label_classes=CLASSES,
        answer_source=AnswerSource.EXISTING_COLUMN,
    )
    template = workbench.prompt_templates.create(draft, by=PERSON)
    workbench.prompt_templates.move(template.id, "publish", by=PERSON)
    workbench.close()
    return GenerationRequest(sheet.id, template.id, MAPPING, answer_column="team", row_limit=rows)


def label_batches(rows: int) -> Iterator[list[LabelEntry]]:
    """Labels for every third item."""
    numbers = range(0, rows, 3)
    for start in range(0, len(numbers), LABEL_BATCH):
        chosen = numbers[start : start + LABEL_BATCH]
        yield [LabelEntry(f"complaint-{n:09d}", CLASSES[n % len(CLASSES)], ALL_USES) for n in chosen]


def generate(home: Path, request: GenerationRequest) -> Figure:
    """Generate in this process and check what came of it."""
    workbench = workbench_at(home)
    training_sheet = workbench.training_sheets.generate(request, by=PERSON)
    worker = workbench.worker()
    started, busy_before = time.perf_counter(), time.process_time()
    worker.run_one()
    seconds, busy_seconds = time.perf_counter() - started, time.process_time() - busy_before
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    check(workbench.training_sheets.get(training_sheet.id), request)
    workbench.close()
    return Figure(request.row_limit, seconds, busy_seconds, peak_mb)


def check(made: TrainingSheet, request: GenerationRequest) -> None:
    """A fast wrong result is no result. Raises AssertionError."""
    counts = made.counts
    labelled = len(range(0, request.row_limit, 3))
    assert made.status is TrainingSheetStatus.REVIEW, made.error
    assert (counts.total, counts.errors, counts.auto_approved) == (request.row_limit, 0, labelled), counts


def measured(home: Path, request: GenerationRequest) -> Figure:
    """Generate in a fresh process."""
    order = {"home": str(home), "sheet_id": request.sheet_id, "template_id": request.prompt_template_id}
    command = [sys.executable, __file__, "--child", json.dumps(order | {"rows": request.row_limit})]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return Figure(**json.loads(output.strip().splitlines()[-1]))


def child(order: str) -> None:
    """The work of the fresh process: one run, told as JSON."""
    told = json.loads(order)
    request = GenerationRequest(
        told["sheet_id"], told["template_id"], MAPPING, answer_column="team", row_limit=told["rows"]
    )
    print(json.dumps(asdict(generate(Path(told["home"]), request))))


def show(figures: Sequence[Figure]) -> None:
    """One line a run, then the best one as JSON."""
    print(f"{'pairs':>10}{'seconds':>10}{'busy':>10}{'pairs/s':>12}{'peak':>10}")
    for one in figures:
        times = f"{one.seconds:>10.2f}{one.busy_seconds:>10.2f}"
        print(f"{one.pairs:>10,}{times}{one.pairs_per_second:>12,.0f}{one.peak_mb:>7.0f} MB")
    best = max(figures, key=lambda one: one.pairs_per_second)
    result = {
        "pairs_per_second": round(best.pairs_per_second),
        "peak_mb": round(max(one.peak_mb for one in figures)),
        "microseconds_per_pair": round(1_000_000 / best.pairs_per_second, 1),
        "load": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(result))


def main(arguments: Sequence[str] | None = None) -> None:
    """Fill, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="items (default 100,000)")
    parser.add_argument("--repeats", type=int, default=3, help="runs, each into a store of its own")
    parser.add_argument("--child", default="", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.child:
        child(chosen.child)
        return
    figures = []
    for _ in range(chosen.repeats):
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            figures.append(measured(home, fill(home, chosen.rows)))
    show(figures)


if __name__ == "__main__":
    main()
