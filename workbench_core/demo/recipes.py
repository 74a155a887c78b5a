"""The sheets, templates and label sets of the demo data."""

from __future__ import annotations

from collections.abc import Mapping

from workbench_core.data_quality import Criticality, RuleDraft
from workbench_core.label_sets import LabelClass, LabelSetDraft
from workbench_core.ports import ColumnRef, Join, JoinKey, JoinKind, JoinSource, SourceRole
from workbench_core.prompt_templates import AnswerSource, TemplateDraft, TemplateExample
from workbench_core.sheets import SheetDraft

MAIL = "E-mails"
MAIL_TEMPLATE = "Spam or ham"
QUESTIONS = "Python questions"
PICTURES = "Pictures"
FLIGHTS = "January flights"
JOINED_FLIGHTS = "January flights with planes and weather"


def _key(left: str, right: str) -> JoinKey:
    """Two columns, each written as alias.column, that must be equal."""
    return JoinKey(ColumnRef(*left.split(".")), ColumnRef(*right.split(".")))


FLIGHT_JOIN = Join(
    sources=(
        JoinSource("demo.flights.january", "flights", SourceRole.PRIMARY),
        JoinSource("demo.flights.planes", "planes"),
        JoinSource("demo.flights.weather", "weather"),
    ),
    keys=(
        _key("flights.tailnum", "planes.tailnum"),
        _key("flights.origin", "weather.origin"),
        _key("flights.time_hour", "weather.time_hour"),
    ),
    kind=JoinKind.LEFT,
)

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
    SheetDraft(
        name=FLIGHTS,
        source="demo.flights.january",
        item_id_column="flight_id",
        description="Flights from New York City in January 2013, with a set of quality rules.",
        metadata_columns=(
            "carrier",
            "flight",
            "tailnum",
            "origin",
            "dest",
            "time_hour",
            "sched_dep_time",
            "dep_time",
            "dep_delay",
            "arr_time",
            "arr_delay",
            "air_time",
            "distance",
        ),
    ),
    SheetDraft(
        name=JOINED_FLIGHTS,
        source="demo.flights.january",
        join=FLIGHT_JOIN,
        item_id_column="flights__flight_id",
        description="The same flights, each with its plane and the weather at its hour of departure.",
        metadata_columns=(
            "flights__carrier",
            "flights__tailnum",
            "flights__origin",
            "flights__dest",
            "flights__dep_delay",
            "planes__manufacturer",
            "planes__model",
            "planes__year",
            "planes__seats",
            "weather__temp",
            "weather__wind_speed",
            "weather__precip",
            "weather__visib",
        ),
    ),
)

# the rules of a sheet by its name: what must hold is an error, what is worth a look a warning
RULES: Mapping[str, tuple[RuleDraft, ...]] = {
    FLIGHTS: (
        RuleDraft("is_unique", ("flight_id",), name="flight_id is unique"),
        RuleDraft("is_not_null_and_not_empty", ("carrier", "origin", "dest"), name="route is known"),
        RuleDraft(
            "foreign_key",
            ("carrier",),
            {"ref_table": "demo.flights.airlines", "ref_columns": ["carrier"]},
            name="airline is known",
        ),
        RuleDraft("is_in_list", ("origin",), {"allowed": ["EWR", "JFK", "LGA"]}, name="leaves from New York City"),
        RuleDraft("length_between", ("dest",), {"min_length": 3, "max_length": 3}, name="dest is an airport code"),
        RuleDraft("is_not_null", ("dep_time",), name="flight departed", reason="A cancelled flight has no departure."),
        RuleDraft(
            "is_not_null",
            ("air_time",),
            name="departed flight arrived",
            filter="dep_time IS NOT NULL",
            reason="A diverted flight departed and has no time in the air.",
        ),
        RuleDraft(
            "is_in_range",
            ("dep_time", "arr_time"),
            {"min_limit": 1, "max_limit": 2400},
            name="time of day",
            reason="Hours and minutes as one number, e.g. 517 for 5:17.",
        ),
        RuleDraft("is_not_null", ("tailnum",), name="tail number is known"),
        RuleDraft(
            "regex_match",
            ("tailnum",),
            {"regex": "^N[1-9][0-9]{0,4}[A-HJ-NP-Z]{0,2}$"},
            name="tail number is well formed",
            criticality=Criticality.WARN,
            reason="The form of a registration in the United States: N, one to five digits, up to two letters.",
        ),
        RuleDraft(
            "foreign_key",
            ("tailnum",),
            {"ref_table": "demo.flights.planes", "ref_columns": ["tailnum"]},
            name="plane is registered",
            criticality=Criticality.WARN,
        ),
        RuleDraft(
            "is_in_range",
            ("dep_delay", "arr_delay"),
            {"min_limit": -120, "max_limit": 720},
            name="delay is plausible",
            criticality=Criticality.WARN,
            reason="In minutes: two hours early to twelve hours late.",
        ),
        RuleDraft("is_not_less_than", ("distance",), {"limit": 1}, name="distance is positive"),
        RuleDraft("is_not_in_future", ("time_hour",), name="departure is not in the future"),
    ),
}

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

# one for the label type of each template
LABEL_SETS: tuple[LabelSetDraft, ...] = (
    LabelSetDraft(
        name="Kinds of mail",
        label_type="mail_class",
        description="Whether a mail is wanted.",
        use_case="Filtering mail",
        classes=(
            LabelClass("ham", "Ham", "#15803d", "A mail that its reader wants.", "1"),
            LabelClass("spam", "Spam", "#d03a2b", "Advertising, fraud, or chain letters.", "2"),
        ),
        tags=("mail", "texts"),
    ),
    LabelSetDraft(
        name="Answers about Python",
        label_type="python_answer",
        description="A text of a few sentences; there are no classes.",
        use_case="Answering questions",
        response_schema={"type": "string", "minLength": 2, "maxLength": 4000},
        tags=("texts",),
    ),
    LabelSetDraft(
        name="Kinds of pictures",
        label_type="picture_kind",
        description="What a picture mainly shows.",
        use_case="Sorting pictures",
        classes=(
            LabelClass("people", "People", "#c2410c", "One person or several are the subject.", "1"),
            LabelClass("nature", "Nature", "#4d7c0f", "Landscapes, plants and animals.", "2"),
            LabelClass("object", "Object", "#2f6fde", "A thing that people made.", "3"),
            LabelClass("text", "Text", "#a16207", "Written or printed text.", "4"),
            LabelClass("microscopy", "Microscopy", "#a855f7", "Seen through a microscope.", "5"),
        ),
        tags=("pictures",),
    ),
)
