"""From a picture column to the endpoint: what a generation over pictures really sends."""

from __future__ import annotations

import io
from base64 import b64decode
from pathlib import Path

from PIL import Image

from tests.contract.chat_model_parts import endpoint
from tests.contract.openai_stub import openai_stub
from tests.core.generation_parts import ANN, Parts
from workbench_core.prompt_templates import AnswerSource
from workbench_core.sheets import SheetDraft
from workbench_core.training_sheets import GenerationRequest

BOARDS = "demo.plant.boards"


def photograph() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (2000, 1000), "red").save(out, "PNG")
    return out.getvalue()


def test_a_generation_over_pictures_sends_each_picture_small_with_its_question(tmp_path: Path) -> None:
    with openai_stub() as stub:
        model = endpoint(stub.url, reads_pictures=True)
        parts = Parts(tmp_path, model=model)  # type: ignore[arg-type]
        parts.lake.put_files(BOARDS, {"a.png": photograph(), "b.png": b"no picture"})
        draft = SheetDraft("Boards", BOARDS, "path", image_columns=("path",))
        sheet = parts.sheets.move(parts.sheets.create(draft, by=ANN).id, "publish", by=ANN)
        template = parts.make_template(
            system_prompt="", user_prompt="Is it red? {{ board }}", label_classes=(), label_type="red"
        )
        made = parts.training_sheets.generate(
            GenerationRequest(sheet.id, template, {"board": "path"}, answer_source=AnswerSource.AI_GENERATED), by=ANN
        )
        parts.work()
        [sent] = stub.requests
    [message] = sent["messages"]
    [text, picture] = message["content"]
    head, _, data = picture["image_url"]["url"].partition(",")
    assert text == {"type": "text", "text": "Is it red? [picture: a.png]"}
    assert head == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(b64decode(data))) as shown:
        assert shown.size == (1024, 512)
    found = {pair.item_ref: pair for pair in parts.pairs.find(made.id)}
    assert found["a.png"].answer
    assert "b.png cannot be read as a picture" in found["b.png"].generation_error
