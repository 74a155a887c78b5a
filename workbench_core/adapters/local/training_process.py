"""The child process of a training job: `python -m workbench_core.adapters.local.training_process <job folder>`."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TextIO

from workbench_core.adapters.local.processes import exit_with_parent
from workbench_core.adapters.local.tracking import (
    MlflowTracker,
    TrainedModel,
    adopted_result,
    prepare_environment,
    register_model,
)
from workbench_core.adapters.local.training import REGISTERING, Job, as_json, read_job
from workbench_core.errors import WorkbenchError
from workbench_core.ports import TrainingEvent, TrainingResult

log = logging.getLogger(__name__)


class Reporter:
    """Prints one JSON object a line to the app, and keeps the measured values for MLflow."""

    def __init__(self, output: TextIO) -> None:
        self._output = output
        self.measured: list[TrainingEvent] = []

    def __call__(self, event: TrainingEvent) -> None:
        """Report progress, values or a sentence."""
        if event.metrics:
            self.measured.append(event)
        self.line(event=as_json(event))

    def line(self, **content: object) -> None:
        """Print one line."""
        print(json.dumps(content, ensure_ascii=False), file=self._output, flush=True)


def claim_output() -> TextIO:
    """The real standard output for our lines alone; what libraries print goes to the log with the errors."""
    own = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return own


def read_arguments() -> argparse.Namespace:
    """The job's folder and the process to end with."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--parent", type=int, default=0, help="end with this process; 0 means never")
    return parser.parse_args()


def run(job: Job, report: Reporter) -> TrainingResult:
    """Train and register one job, or adopt what an earlier attempt registered."""
    prepare_environment()
    tracker = MlflowTracker(job.home)
    report(TrainingEvent(message=f"Preparing {len(job.request.train)} training examples."))
    if adopted := adopted_result(tracker, job.request):
        report(TrainingEvent(message=f"An earlier attempt registered version {adopted.version} already."))
        return adopted
    trained = _train_function(job.trainer)(job, report)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a cancel comes too late from here on
    report(TrainingEvent(message=REGISTERING))
    result = register_model(tracker, job.request, trained)
    for path in trained.artifacts.values():  # the registry has its own copy
        path.unlink()
    return result


def _train_function(trainer: str) -> Callable[[Job, Reporter], TrainedModel]:
    if trainer == "classifier":
        from workbench_core.adapters.local.classifier_training import train_classifier

        return train_classifier
    from workbench_core.adapters.local.lora_training import train_lora

    return train_lora


def main() -> int:
    """Run the job; give the exit code."""
    report = Reporter(claim_output())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    arguments = read_arguments()
    exit_with_parent(arguments.parent)
    try:
        result = run(read_job(arguments.folder), report)
    except WorkbenchError as error:
        log.exception("The job failed")
        report.line(error={"kind": type(error).__name__, "message": error.message, "hint": error.hint})
        return 1
    report.line(result=as_json(result))
    return 0


def end(code: int) -> NoReturn:
    """End at once: leaving Python tidily takes seconds with MLflow and PyTorch loaded, and everything is on disk."""
    logging.shutdown()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    end(main())
