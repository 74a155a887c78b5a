"""The real services of DATA, GENERATE and LABEL over one folder, and chat models that answer by rule."""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from workbench_core.adapters.local.lake import LocalLake
from workbench_core.adapters.store import open_store
from workbench_core.canonical_labels import CanonicalLabels
from workbench_core.chat_models import ChatModels
from workbench_core.clock import Clock, utc_now
from workbench_core.data_quality import DataQuality
from workbench_core.errors import WorkbenchError
from workbench_core.history import History
from workbench_core.label_sets import LabelSets
from workbench_core.pairs import Pairs
from workbench_core.permissions import Permissions
from workbench_core.ports import Availability, BulkAnswers, ChatAnswer, ChatOptions, Conversation, TokenPrice
from workbench_core.prompt_templates import PromptTemplates, TemplateAttachments, TemplateDraft, TemplateTrials
from workbench_core.runs import Runs, Worker
from workbench_core.sheets import SheetDraft, Sheets
from workbench_core.training_sheets import TrainingSheets

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
ANN = "ann@example.com"
BEN = "ben@example.com"
SOURCE = "demo.acme.mails"


@dataclass
class RuleModel:
    """A chat model that answers by a rule, as slowly and with the failures that a test asks for."""

    rule: Callable[[str], str] = lambda question: "spam" if "prize" in question else "ham"
    seconds: float = 0.0
    failing: frozenset[str] = frozenset()  # items that come back with an error
    unreachable: WorkbenchError | None = None
    after: int = sys.maxsize  # answers before it becomes unreachable
    reason: str = ""
    name: str = "rule-model"
    title: str = "rule model"
    price: TokenPrice | None = None
    concurrency: int = 4
    reads_pictures: bool = False
    tokens: tuple[int, int] = (0, 0)  # in and out, of each answer
    asked: list[str] = field(default_factory=list)
    options: ChatOptions | None = None

    def availability(self) -> Availability:
        return Availability(not self.reason, self.reason)

    def answer(
        self,
        conversations: Sequence[Conversation],
        *,
        options: ChatOptions,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Iterator[ChatAnswer]:
        self.options = options
        for conversation in self._in_order_of_completion(conversations):
            if cancelled():
                return
            if self.unreachable is not None and len(self.asked) >= self.after:
                raise self.unreachable
            time.sleep(self.seconds)
            self.asked.append(conversation.id)
            if conversation.id in self.failing:
                yield ChatAnswer(conversation.id, None, "The model refused this item.")
            else:
                text = self.rule(conversation.messages[-1].content)
                yield ChatAnswer(conversation.id, text, None, *self.tokens, latency_ms=1.0)

    def _in_order_of_completion(self, conversations: Sequence[Conversation]) -> Iterator[Conversation]:
        """It is not the order of asking: what is worked on at the same time ends as it likes."""
        for start in range(0, len(conversations), self.concurrency):
            yield from reversed(conversations[start : start + self.concurrency])


class Parts:
    """Everything that a person works with on the pages up to LABEL."""

    def __init__(
        self,
        folder: Path,
        *,
        model: RuleModel | None = None,
        more_models: Sequence[RuleModel] = (),
        clock: Clock = utc_now,
        url: str = "",
        bulk_answers: BulkAnswers | None = None,
    ) -> None:
        self.folder = folder
        self.model = model or RuleModel()
        self.store = open_store(url or f"sqlite:///{folder / 'store.db'}", schemas=SCHEMAS)
        self.lake = LocalLake(folder / "lake")
        self.history = History(self.store, clock)
        self.permissions = Permissions(self.store, self.history, clock, default_role="admin")
        self.runs = Runs(self.store, clock)
        shared = (self.history, self.permissions, clock)
        self.chat_models = ChatModels(self.store, [self.model, *more_models], clock, lake=self.lake)
        self.sheets = Sheets(self.store, self.lake, *shared)
        self.data_quality = DataQuality(
            self.store, self.lake, self.history, self.permissions, self.runs, clock,
            sheets=self.sheets, chat_model=self.model,
        )  # fmt: skip
        self.templates = PromptTemplates(self.store, self.sheets, *shared, lake=self.lake, chat_models=self.chat_models)
        self.template_attachments = TemplateAttachments(
            self.store, *shared, sheets=self.sheets, templates=self.templates
        )
        self.labels = CanonicalLabels(self.store, *shared)
        self.label_sets = LabelSets(self.store, self.lake, *shared, sheets=self.sheets)
        self.template_trials = TemplateTrials(
            self.permissions, templates=self.templates, labels=self.labels, chat_models=self.chat_models
        )
        self.pairs = Pairs(self.store, self.labels, *shared, runs=self.runs)
        self.training_sheets = TrainingSheets(
            self.store,
            lake=self.lake,
            sheets=self.sheets,
            templates=self.templates,
            labels=self.labels,
            pairs=self.pairs,
            chat_models=self.chat_models,
            runs=self.runs,
            history=self.history,
            permissions=self.permissions,
            clock=clock,
            bulk_answers=bulk_answers,
        )

    def worker(self) -> Worker:
        handlers = {
            "generate": self.training_sheets.handle,
            "answer_pairs": self.training_sheets.handle_answering,
            "decide_pairs": self.pairs.handle,
            "check_quality": self.data_quality.handle,
            "profile_sheet": self.data_quality.handle_profile,
        }
        return Worker(self.runs, handlers, threads=1)

    def work(self) -> None:
        """Do everything that is queued."""
        worker = self.worker()
        while worker.run_one():
            pass

    def put_mails(self, items: Sequence[int], *, source: str = SOURCE, tags: tuple[str, ...] = ()) -> str:
        """Make a table with these mails in this order; every third is spam."""
        file = self.folder / "mails.csv"
        with file.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["mail_id", "subject", "verdict"])
            writer.writerows([f"m{item:05d}", subject(item), truth(item)] for item in items)
        names = {entry.name for entry in self.lake.tables()}
        if source in names:
            self.lake.drop(source)
        from workbench_core.ports import TableEntry

        self.lake.put_table(source, file, original_name="mails.csv", entry=TableEntry(source, "table", tags=tags))
        return source

    def make_sheet(self, count: int, *, tags: tuple[str, ...] = ()) -> str:
        """A published sheet over a new table of mails."""
        source = self.put_mails(range(count), tags=tags)
        draft = SheetDraft("Mails", source, "mail_id", metadata_columns=("subject", "verdict"))
        sheet = self.sheets.create(draft, by=ANN)
        return self.sheets.move(sheet.id, "publish", by=ANN).id

    def make_template(self, **changes: object) -> str:
        """A published template that asks for spam or ham."""
        values: dict[str, object] = {
            "name": "Mail class",
            "label_type": "mail_class",
            "user_prompt": "Is this mail spam? {{ subject }}",
            "system_prompt": "You sort mails.",
            "label_classes": ("spam", "ham"),
        }
        template = self.templates.create(TemplateDraft(**(values | changes)), by=ANN)  # type: ignore[arg-type]
        return self.templates.move(template.id, "publish", by=ANN).id


def subject(item: int) -> str:
    """The subject of a mail."""
    return f"You won prize no. {item}" if item % 3 == 0 else f"Minutes of meeting no. {item}"


def truth(item: int) -> str:
    """What the mail is."""
    return "spam" if item % 3 == 0 else "ham"
