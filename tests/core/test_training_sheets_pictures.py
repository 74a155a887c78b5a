"""Questions about pictures: what the model sees, what stands in the text, and which pictures are never asked about."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from PIL import Image

from tests.core.generation_parts import ANN, Parts, RuleModel
from workbench_core.pairs import Decision
from workbench_core.ports import ChatAnswer, ChatOptions, Conversation, TableEntry, TokenPrice
from workbench_core.prompt_templates import AnswerSource, TemplateDraft, Trial
from workbench_core.sheets import SheetDraft
from workbench_core.training_sheets import AnswerRequest, GenerationRequest, TrainingSheetStatus
from workbench_core.training_sheets.preflight import PICTURES_READ

BOARDS, TABLE = "demo.plant.boards", "demo.plant.inspections"


@dataclass
class SeeingModel(RuleModel):
    """A model that looks: red boards are broken, all others are fine. It keeps what it was shown."""

    reads_pictures: bool = True
    seen: dict[str, list[bytes]] = field(default_factory=dict)
    most_held: int = 0

    def answer(
        self,
        conversations: Sequence[Conversation],
        *,
        options: ChatOptions,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Iterator[ChatAnswer]:
        self.most_held = max(self.most_held, len(conversations))
        for conversation in conversations:
            if cancelled():
                return
            self.asked.append(conversation.id)
            shown = [conversation.pictures[name] for name in conversation.messages[-1].attachments]
            self.seen[conversation.id] = shown
            yield ChatAnswer(conversation.id, "broken" if any(map(is_red, shown)) else "fine", None, 1000, 1)


def is_red(content: bytes) -> bool:
    with Image.open(io.BytesIO(content)) as picture:
        red, green, _ = picture.convert("RGB").resize((1, 1)).getpixel((0, 0))
    return red > green


def png(color: str, size: tuple[int, int] = (30, 20)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, color).save(out, "PNG")
    return out.getvalue()


def board(number: int) -> bytes:
    return png("red" if number % 3 == 0 else "green")


def put_table(parts: Parts, rows: Sequence[tuple[str, ...]], *, columns: Sequence[str] = ("id", "image_path")) -> str:
    file = Path(parts.folder / "inspections.csv")
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([columns, *rows])
    if TABLE in {entry.name for entry in parts.lake.tables()}:
        parts.lake.drop(TABLE)
    parts.lake.put_table(TABLE, file, original_name="inspections.csv", entry=TableEntry(TABLE, "table"))
    return TABLE


def make_sheet(parts: Parts, draft: SheetDraft) -> str:
    return parts.sheets.move(parts.sheets.create(draft, by=ANN).id, "publish", by=ANN).id


def sheet_of(parts: Parts, paths: Sequence[str]) -> str:
    """A sheet over a table that names these pictures, one a row."""
    table = put_table(parts, [(f"i{number:03}", path) for number, path in enumerate(paths)])
    return make_sheet(parts, SheetDraft("Inspections", table, "id", image_columns=("image_path",)))


def template(parts: Parts, **changes: object) -> str:
    values = {
        "name": "Boards", "label_type": "board", "user_prompt": "Is the board broken? {{ image }}",
        "system_prompt": "", "label_classes": ("broken", "fine"),
    }  # fmt: skip
    return parts.make_template(**(values | changes))


def request(sheet: str, template_id: str, **changes: object) -> GenerationRequest:
    known = {"mapping": {"image": "image_path"}, "answer_source": AnswerSource.AI_GENERATED}
    return GenerationRequest(sheet, template_id, **(known | changes))


def generated(parts: Parts, wanted: GenerationRequest) -> dict[str, object]:
    """The pairs of a finished generation by item."""
    sheet = parts.training_sheets.generate(wanted, by=ANN)
    parts.work()
    assert parts.training_sheets.get(sheet.id).status is TrainingSheetStatus.REVIEW
    return pairs_of(parts, sheet.id)


def pairs_of(parts: Parts, training_sheet_id: str) -> dict[str, object]:
    return {pair.item_ref: pair for pair in parts.pairs.find(training_sheet_id, limit=1000)}


@pytest.fixture
def model() -> SeeingModel:
    return SeeingModel(price=TokenPrice(1.0, 1.0))


@pytest.fixture
def parts(tmp_path, model) -> Parts:
    """A folder of sixty pictures of boards, every third of them red, and nothing else yet."""
    made = Parts(tmp_path, model=model)
    made.lake.put_files(BOARDS, {f"line/board-{number}.png": board(number) for number in range(60)})
    return made


# --- what the model sees ---------------------------------------------------------------------------------------------


def test_a_picture_column_goes_along_as_an_attachment_and_only_its_file_name_stands_in_the_text(parts, model):
    sheet = sheet_of(parts, [f"./line/board-{number}.png" for number in range(4)])
    pairs = generated(parts, request(sheet, template(parts)))
    (message,) = pairs["i003"].messages
    assert message.content == "Is the board broken? [picture: board-3.png]"
    assert message.attachments == (f"{BOARDS}/line/board-3.png",)
    assert {ref: pair.answer for ref, pair in pairs.items()} == {
        "i000": "broken", "i001": "fine", "i002": "fine", "i003": "broken",
    }  # fmt: skip
    assert model.seen["i000"][0].startswith(b"\xff\xd8\xff"), "pictures reach models as JPEG"


def test_rows_that_are_files_of_a_folder_are_asked_about_as_pictures(parts):
    sheet = make_sheet(parts, SheetDraft("Boards", BOARDS, "path", image_columns=("path",)))
    pairs = generated(parts, request(sheet, template(parts), mapping={"image": "path"}))
    assert len(pairs) == 60
    assert pairs["line/board-9.png"].answer == "broken"
    assert pairs["line/board-9.png"].messages[-1].attachments == (f"{BOARDS}/line/board-9.png",)


def test_several_pictures_go_along_in_the_order_of_the_placeholders(parts, model):
    table = put_table(parts, [("a", "line/board-1.png", "line/board-0.png")], columns=("id", "before", "after"))
    sheet = make_sheet(parts, SheetDraft("Pairs", table, "id", image_columns=("before", "after")))
    asking = template(parts, user_prompt="Now {{ now }}, earlier {{ earlier }}: broken?")
    pairs = generated(parts, request(sheet, asking, mapping={"earlier": "before", "now": "after"}))
    assert pairs["a"].messages[-1].attachments == (f"{BOARDS}/line/board-0.png", f"{BOARDS}/line/board-1.png")
    assert list(map(is_red, model.seen["a"])) == [True, False]


def test_a_huge_picture_reaches_the_model_small(parts, model):
    parts.lake.put_files(BOARDS, {"big.png": png("red", (5000, 4000))})
    pairs = generated(parts, request(sheet_of(parts, ["big.png", "line/board-1.png"]), template(parts)))
    assert pairs["i000"].answer == "broken"
    with Image.open(io.BytesIO(model.seen["i000"][0])) as picture:
        assert picture.size == (1024, 819)


def test_only_some_pictures_of_a_run_are_held_at_a_time(parts, model):
    sheet = sheet_of(parts, [f"line/board-{number}.png" for number in range(60)])
    pairs = generated(parts, request(sheet, template(parts)))
    assert all(pair.answer for pair in pairs.values())
    assert 1 < model.most_held <= 16, "four questions for each of the four that the model works on"


# --- pictures that are not there -------------------------------------------------------------------------------------


def test_a_row_without_a_picture_is_asked_without_one(parts, model):
    sheet = sheet_of(parts, ["line/board-0.png", "", "  "])
    pairs = generated(parts, request(sheet, template(parts)))
    assert pairs["i001"].messages[-1].content == "Is the board broken? "
    assert pairs["i001"].messages[-1].attachments == ()
    assert [pairs[ref].answer for ref in ("i000", "i001")] == ["broken", "fine"]
    assert model.seen["i001"] == []


@pytest.mark.parametrize(
    "path",
    [
        "line/gone.png", "../../secret.png", "line/../../secret.png", "/etc/passwd", "https://example.com/a.png",
        "/Volumes/demo/plant/nowhere/a.png", "/Volumes/demo/plant/boards/../../secret.png", "line",
    ],
)  # fmt: skip
def test_what_names_no_file_of_a_folder_is_an_error_of_its_item(parts, model, path):
    (parts.folder / "secret.png").write_bytes(board(0))
    (parts.folder / "lake" / "secret.png").write_bytes(board(0))
    pairs = generated(parts, request(sheet_of(parts, ["line/board-0.png", path]), template(parts)))
    assert pairs["i001"].generation_error == f"There is no picture “{path}” in a volume of this sheet."
    assert pairs["i001"].answer == ""
    assert model.asked == ["i000"], "it is never asked about the text alone"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no picture", "broken.png cannot be read as a picture: it is damaged"),
        (png("red")[:60], "broken.png cannot be read as a picture: it is damaged"),
        (b"x" * 20_000_001, "20,000,001 bytes"),
    ],
    ids=["text", "cut off", "more than 20 MB"],
)
def test_a_file_that_cannot_be_read_as_a_picture_is_an_error_of_its_item(parts, model, content, reason):
    parts.lake.put_files(BOARDS, {"broken.png": content})
    pairs = generated(parts, request(sheet_of(parts, ["broken.png", "line/board-0.png"]), template(parts)))
    assert reason in pairs["i000"].generation_error
    assert pairs["i000"].answer == ""
    assert pairs["i001"].answer == "broken"
    assert model.asked == ["i001"]


def test_the_same_file_is_found_whatever_rows_are_looked_at(parts):
    """Two folders have a board of this name: the one that holds most pictures of the sheet is meant for every row."""
    parts.lake.put_files("demo.plant.abandoned", {"line/board-1.png": board(0)})
    sheet = sheet_of(parts, [f"line/board-{number}.png" for number in range(10)])
    pairs = generated(parts, request(sheet, template(parts), item_refs=("i001",)))
    assert pairs["i001"].messages[-1].attachments == (f"{BOARDS}/line/board-1.png",)


# --- what it costs ---------------------------------------------------------------------------------------------------


def test_the_same_pictures_are_paid_for_once(parts, model):
    sheet, asking = sheet_of(parts, [f"line/board-{number}.png" for number in range(6)]), template(parts)
    generated(parts, request(sheet, asking))
    again = generated(parts, request(sheet, asking, name="again"))
    assert len(model.asked) == 6
    assert again["i003"].answer == "broken"
    parts.lake.put_files(BOARDS, {"line/board-3.png": board(1)})
    third = generated(parts, request(sheet, asking, name="third"))
    assert model.asked[6:] == ["i003"], "another picture under the same path is another question"
    assert third["i003"].answer == "fine"


def test_a_run_that_was_paused_goes_on_and_pays_once(parts, model):
    sheet = sheet_of(parts, [f"line/board-{number}.png" for number in range(60)])
    made = parts.training_sheets.generate(request(sheet, template(parts), call_limit=20), by=ANN)
    parts.work()
    assert parts.training_sheets.get(made.id).is_paused
    parts.training_sheets.resume(made.id, by=ANN, call_limit=1000)
    parts.work()
    done = parts.training_sheets.get(made.id)
    assert done.status is TrainingSheetStatus.REVIEW
    assert done.spent.calls == len(model.asked) == len({*model.asked}) == 60
    assert all(pair.answer for pair in pairs_of(parts, made.id).values())


def test_the_preflight_counts_pictures_and_reads_only_a_few_of_them(parts, monkeypatch):
    sheet, asking = sheet_of(parts, [f"line/board-{number}.png" for number in range(60)]), template(parts)
    read = []
    file = parts.lake.read_file
    monkeypatch.setattr(parts.lake, "read_file", lambda *place, **more: read.append(place) or file(*place, **more))
    found = parts.training_sheets.preflight(request(sheet, asking))
    assert found.problems == ()
    assert (found.model_calls, found.is_kept_exact) == (60, False)
    assert found.samples[0].messages[-1].attachments == (f"{BOARDS}/line/board-0.png",)
    assert len(read) == PICTURES_READ
    assert found.estimate.tokens_in > 60 * 500, "a picture costs about a thousand tokens"


def test_the_preflight_knows_kept_answers_about_pictures(parts):
    sheet, asking = sheet_of(parts, [f"line/board-{number}.png" for number in range(6)]), template(parts)
    generated(parts, request(sheet, asking))
    found = parts.training_sheets.preflight(request(sheet, asking))
    assert (found.model_calls, found.kept_answers, found.is_kept_exact) == (0, 6, True)


# --- models that read no pictures ------------------------------------------------------------------------------------


def test_a_model_that_reads_no_pictures_is_a_problem_before_and_an_error_after(parts, model):
    sheet, asking = sheet_of(parts, ["line/board-0.png", "line/board-1.png"]), template(parts)
    made = parts.training_sheets.generate(request(sheet, asking), by=ANN)
    model.reads_pictures = False
    found = parts.training_sheets.preflight(request(sheet, asking))
    assert found.problems == ("The rule model reads no pictures: choose a model that does.",)
    assert found.selected == 2
    parts.work()
    pairs = pairs_of(parts, made.id)
    assert {pair.generation_error for pair in pairs.values()} == {
        "The rule model reads no pictures. Choose a model that does."
    }
    assert model.asked == []
    assert pairs["i000"].messages[-1].attachments, "they can be answered by hand, or by another model"
    model.reads_pictures = True
    parts.training_sheets.retry_failed(made.id, by=ANN)
    parts.work()
    assert [pair.answer for pair in pairs_of(parts, made.id).values()] == ["broken", "fine"]


@pytest.mark.parametrize("source", [AnswerSource.MANUAL, AnswerSource.EXISTING_COLUMN, AnswerSource.HYBRID])
def test_other_answers_than_a_models_need_no_model_that_reads_pictures(parts, model, source):
    model.reads_pictures = False
    table = put_table(parts, [("a", "line/board-0.png", "fine")], columns=("id", "image_path", "verdict"))
    sheet = make_sheet(parts, SheetDraft("Known", table, "id", image_columns=("image_path",)))
    column = "" if source is AnswerSource.MANUAL else "verdict"
    pairs = generated(parts, request(sheet, template(parts), answer_source=source, answer_column=column))
    assert pairs["a"].answer == ("fine" if column else "")
    assert pairs["a"].messages[-1].attachments == (f"{BOARDS}/line/board-0.png",)


# --- before: previews and trials -------------------------------------------------------------------------------------


def draft(**changes: object) -> TemplateDraft:
    return TemplateDraft("Boards", "board", "Broken? {{ image }}", label_classes=("broken", "fine"), **changes)


def test_the_preview_of_a_template_shows_the_picture_or_why_there_is_none(parts):
    sheet = sheet_of(parts, ["line/board-0.png", "", "gone.png"])
    first, second, third = parts.templates.preview(draft(), sheet, {"image": "image_path"}, limit=3)
    assert first.messages[-1].content == "Broken? [picture: board-0.png]"
    assert first.messages[-1].attachments == (f"{BOARDS}/line/board-0.png",)
    assert (second.messages[-1].content, second.messages[-1].attachments) == ("Broken? ", ())
    assert third.messages == ()
    assert third.error == "There is no picture “gone.png” in a volume of this sheet."


def test_a_trial_shows_the_model_the_pictures(parts, model):
    sheet = sheet_of(parts, ["line/board-0.png", "line/board-1.png", "gone.png"])
    answers = {
        answer.item_ref: answer
        for answer in parts.template_trials.run([Trial(draft())], sheet, {"image": "image_path"}, by=ANN)
    }
    assert [answers[ref].answer for ref in ("i000", "i001")] == ["broken", "fine"]
    assert "no picture “gone.png”" in answers["i002"].error
    model.reads_pictures = False
    told = next(iter(parts.template_trials.run([Trial(draft())], sheet, {"image": "image_path"}, limit=1, by=ANN)))
    assert told.error == "The rule model reads no pictures. Choose a model that does."


# --- afterwards: examples, other versions ----------------------------------------------------------------------------


def test_approved_pairs_are_shown_as_examples_with_their_pictures(parts, model):
    sheet, asking = sheet_of(parts, [f"line/board-{number}.png" for number in range(4)]), template(parts)
    first = generated(parts, request(sheet, asking, item_refs=("i000", "i001")))
    parts.pairs.decide([Decision(pair.id, "approve", pair.row_version) for pair in first.values()], by=ANN)
    pairs = generated(parts, request(sheet, asking, item_refs=("i003",), examples=2))
    shown = [message.attachments for message in pairs["i003"].messages if message.role == "user"]
    assert sorted(shown[:2]) == [(f"{BOARDS}/line/board-0.png",), (f"{BOARDS}/line/board-1.png",)]
    assert shown[2] == (f"{BOARDS}/line/board-3.png",)
    assert pairs["i003"].answer == "broken"


def test_a_newer_version_of_the_template_asks_about_the_same_pictures(parts, model):
    table = put_table(parts, [("a", "line/board-0.png", "line/board-1.png")], columns=("id", "before", "after"))
    sheet = make_sheet(parts, SheetDraft("Pairs", table, "id", image_columns=("before", "after")))
    old = template(parts, user_prompt="Broken? {{ before }} {{ after }}")
    mapping = {"before": "before", "after": "after"}
    made = parts.training_sheets.generate(request(sheet, old, mapping=mapping), by=ANN)
    parts.work()
    newer = parts.templates.create_version(old, by=ANN)
    parts.templates.update(
        newer.id, replace(newer.draft, user_prompt="Is {{ after }} broken? Before: {{ before }}"), by=ANN,
        row_version=newer.row_version,
    )  # fmt: skip
    parts.templates.move(newer.id, "publish", by=ANN)
    parts.training_sheets.answer_pairs(made.id, AnswerRequest(overwrite=True, template_id=newer.id), by=ANN)
    parts.work()
    (pair,) = pairs_of(parts, made.id).values()
    assert pair.messages[-1].content == "Is [picture: board-1.png] broken? Before: [picture: board-0.png]"
    assert pair.messages[-1].attachments == (f"{BOARDS}/line/board-1.png", f"{BOARDS}/line/board-0.png")
    assert list(map(is_red, next(reversed(model.seen.values())))) == [False, True]


def test_a_pair_whose_picture_was_not_found_is_never_asked_about_its_text(parts, model):
    """The pair keeps no picture: a newer version of the template could only show the model the file name."""
    old = template(parts)
    made = parts.training_sheets.generate(request(sheet_of(parts, ["gone.png"]), old), by=ANN)
    parts.work()
    newer = parts.templates.move(parts.templates.create_version(old, by=ANN).id, "publish", by=ANN)
    parts.training_sheets.answer_pairs(made.id, AnswerRequest(template_id=newer.id), by=ANN)
    parts.work()
    (pair,) = pairs_of(parts, made.id).values()
    assert pair.answer == ""
    assert "picture of this item was not kept" in pair.generation_error
    assert model.asked == []
