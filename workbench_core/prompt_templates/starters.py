"""Three templates to start from: a classification, an extraction and a question with an answer."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from workbench_core.metrics import FieldType
from workbench_core.prompt_templates.fields import InputField, OutputField, TemplateExample
from workbench_core.prompt_templates.template import AnswerSource, TemplateDraft

_CLASSIFICATION = TemplateDraft(
    name="Classify a text",
    description="Sort each text into one of a few classes.",
    label_type="text_class",
    system_prompt="You sort texts. Answer with the name of one class and nothing else.",
    user_prompt="Text:\n{{ text }}\n\nClasses: positive, negative, neutral.\nWhich class fits best?",
    label_classes=("positive", "negative", "neutral"),
    examples=(TemplateExample("Text:\nThe parts arrived a day early.", "positive", "It praises the delivery."),),
    answer_source=AnswerSource.MANUAL,
    max_tokens=16,
)
_EXTRACTION = TemplateDraft(
    name="Extract fields from a text",
    description="Read a few facts out of each text as JSON.",
    label_type="text_fields",
    system_prompt="You read facts out of texts. Answer with one JSON object and nothing else.",
    user_prompt=(
        "Text:\n{{ text }}\n\nGive the product, the kind of problem (damaged, missing, wrong or other) "
        "and the number of pieces."
    ),
    output_schema=(
        OutputField("product", FieldType.STRING, "What the text is about"),
        OutputField("problem", FieldType.STRING, "Kind of problem", True, ("damaged", "missing", "wrong", "other")),
        OutputField("pieces", FieldType.NUMBER, "How many pieces, when the text says so", False),
    ),
    examples=(
        TemplateExample(
            "Text:\nTwo of the ten valves were cracked.",
            '{"product": "valve", "problem": "damaged", "pieces": 2}',
        ),
    ),
    answer_source=AnswerSource.MANUAL,
)
_QUESTION = TemplateDraft(
    name="Answer a question",
    description="Answer each question in a sentence or two, from a text when there is one.",
    label_type="answer",
    system_prompt="You answer briefly and only from what you are given. Say so when the answer is not there.",
    user_prompt=("{% if context|default('') %}Text:\n{{ context }}\n\n{% endif %}Question: {{ question }}"),
    answer_source=AnswerSource.MANUAL,
    temperature=0.2,
    inputs=(
        InputField("question", description="What is asked"),
        InputField("context", description="A text that holds the answer, when there is one", required=False),
    ),
)
STARTERS: Mapping[str, TemplateDraft] = MappingProxyType(
    {"Classification": _CLASSIFICATION, "Extraction": _EXTRACTION, "Question answering": _QUESTION}
)
