"""The services up to LABEL with exports, and training sheets that are ready to be exported."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from tests.core.generation_parts import ANN, Parts
from tests.core.generation_steps import generate, label
from workbench_core.clock import Clock, utc_now
from workbench_core.exports import EXPORT_KIND, Export, ExportFormat, ExportRequest, Exports
from workbench_core.ports import Message
from workbench_core.prompt_templates import AnswerSource
from workbench_core.runs import Worker
from workbench_core.training_sheets import TrainingSheet
from workbench_core.usage import UsageRules

HOSTILE = 'It\'s “so”:\n\t"{{ x }}" \\n {} 🙂\u2028<b>&amp;</b> \r\nend '


class ExportParts(Parts):
    """The same services, and exports that lie in the folder `exports` of their home."""

    def __init__(self, folder: Path, *, clock: Clock = utc_now, url: str = "") -> None:
        super().__init__(folder, clock=clock, url=url)
        self.exports = Exports(
            self.store, lake=self.lake, folder=folder / "exports", sheets=self.sheets,
            training_sheets=self.training_sheets, runs=self.runs, history=self.history, permissions=self.permissions,
            clock=clock,
        )  # fmt: skip

    def worker(self) -> Worker:
        handlers = {"generate": self.training_sheets.handle, EXPORT_KIND: self.exports.handle}
        return Worker(self.runs, handlers, threads=1)

    def export(self, training_sheet_id: str, format: str = "openai_chat", **asked: object) -> Export:
        """Export, and wait for the files."""
        request = ExportRequest(training_sheet_id, ExportFormat(format), **asked)  # type: ignore[arg-type]
        made = self.exports.start(request, by=ANN)
        self.work()
        done = self.exports.get(made.id)
        assert done.is_done, done.run
        return done

    def read(self, export: Export, part: str = "") -> str:
        """The text of the file of a part."""
        name = next(file.name for file in export.files if file.part == part)
        return self.exports.file_path(export.id, name, by=ANN).read_bytes().decode()

    def lines(self, export: Export, part: str = "") -> list[dict]:
        """The records of the file of a part."""
        return [json.loads(line) for line in self.read(export, part).split("\n")[:-1]]

    def hashes(self, export: Export) -> dict[str, str]:
        """The hashes of the data files as the disk has them; each is the one that the manifest says."""
        found = {}
        for file in export.files:
            content = self.exports.file_path(export.id, file.name, by=ANN).read_bytes()
            found[file.name] = hashlib.sha256(content).hexdigest()
            assert (found[file.name], len(content)) == (file.sha256, file.size_bytes)
        return found

    def change(self, training_sheet_id: str, item: int, **values: object) -> None:
        """Make a pair what it could have become on the pages."""
        if "messages" in values:
            values["messages"] = messages_json(values["messages"])
        if isinstance(rules := values.pop("usage", None), UsageRules):
            values |= rules.columns()
        changes = ", ".join(f"{name} = :{name}" for name in values)
        changed = self.store.execute(
            f"UPDATE pairs SET {changes}, row_version = row_version + 1 "
            "WHERE training_sheet_id = :sheet AND item_ref = :item",
            touches="pairs", sheet=training_sheet_id, item=f"m{item:05d}", **values,
        )  # fmt: skip
        assert changed == 1


def messages_json(messages: Sequence[Message | dict]) -> str:
    """Messages as a pair keeps them."""
    return json.dumps(
        [
            message
            if isinstance(message, dict)
            else {"role": message.role, "content": message.content}
            | ({"attachments": list(message.attachments)} if message.attachments else {})
            for message in messages
        ],
        ensure_ascii=False,
    )


def approved_sheet(parts: ExportParts, count: int, *, is_open: bool = False, **template: object) -> TrainingSheet:
    """A training sheet of so many mails, all approved by their canonical labels; its review is closed."""
    sheet_id = parts.make_sheet(count)
    label(parts, sheet_id, range(count))
    made = generate(parts, sheet_id, source=AnswerSource.CANONICAL, template_id=parts.make_template(**template))
    return made if is_open else close(parts, made)


def close(parts: ExportParts, training_sheet: TrainingSheet) -> TrainingSheet:
    """Close the review, whatever is left."""
    return parts.training_sheets.move(training_sheet.id, "close_review", by=ANN, leave_out=True)
