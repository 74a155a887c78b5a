"""The sheets and templates of the demo data."""

from __future__ import annotations

from workbench_core.prompt_templates import AnswerSource, TemplateDraft, TemplateExample
from workbench_core.sheets import SheetDraft

MAIL = "E-mails"
MAIL_TEMPLATE = "Spam or ham"
QUESTIONS = "Python questions"
PICTURES = "Pictures"

SHEETS: tuple[SheetDraft, ...] = (
    SheetDraft(
        name=MAIL,
        source="demo.mail.messages",
        item_id_column="mail_id",
        description="Real e-mails of 1999 to 2003. The column “label” holds the known class.",
        text_columns=("subject", "body"),
        metadata_columns=("format", "list_name", "sender", "sent_at"),
    ),
    SheetDraft(
        name=QUESTIONS,
        source="demo.python_faq.questions",
        item_id_column="faq_id",
        description="Frequently asked questions about Python with their answers.",
        text_columns=("question", "answer"),
        metadata_columns=("topic",),
    ),
    SheetDraft(
        name=PICTURES,
        source="demo.images.pictures",
        item_id_column="path",
        description="Photographs and scientific images, to be labelled by hand.",
        image_columns=("path",),
        metadata_columns=("name", "size_bytes", "modified_at"),
    ),
)

TEMPLATES: tuple[TemplateDraft, ...] = (
    TemplateDraft(
        name=MAIL_TEMPLATE,
        description="Tells unwanted mail from wanted mail.",
        label_type="mail_class",
        system_prompt="You sort e-mails. Answer with one word: spam or ham.",
        user_prompt="Subject: {{ subject }}\n\n{{ body | truncate(1500) }}\n\nIs this e-mail spam or ham?",
        label_classes=("ham", "spam"),
        answer_source=AnswerSource.EXISTING_COLUMN,
        max_tokens=8,
    ),
    TemplateDraft(
        name="Answer a Python question",
        description="Answers a question about Python as the documentation does.",
        label_type="python_answer",
        system_prompt="You answer questions about Python, briefly and correctly.",
        user_prompt="{{ question }}",
        answer_source=AnswerSource.EXISTING_COLUMN,
        examples=(
            TemplateExample(
                input="How do I make a list of one hundred zeros?",
                output="Multiply a list of one element: [0] * 100.",
            ),
        ),
        max_tokens=200,
    ),
    TemplateDraft(
        name="What the picture shows",
        description="Sorts pictures by hand.",
        label_type="picture_kind",
        user_prompt="What does the picture {{ path }} show?",
        label_classes=("people", "nature", "object", "text", "microscopy"),
        answer_source=AnswerSource.MANUAL,
    ),
)
