"""The library of classes, and label sets to start from."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from workbench_core.label_sets.model import LabelClass, LabelSetDraft
from workbench_core.usage import Classification, UsageRules, Use

RED, GREEN, AMBER, MAGENTA, BLUE, GREY = "#d03a2b", "#15803d", "#b45309", "#c11574", "#2f6fde", "#64748b"
VIOLET, TEAL = "#7c5cf0", "#0e9384"

CLASS_LIBRARY: tuple[LabelClass, ...] = (
    LabelClass("defect", "Defect", RED, "Something is wrong with the part.", "1"),
    LabelClass("normal", "Normal", GREEN, "Nothing is wrong.", "2"),
    LabelClass("warning", "Warning", AMBER, "Not wrong yet, but on the way there.", "3"),
    LabelClass("critical", "Critical", MAGENTA, "Must be acted on at once.", "4"),
    LabelClass("minor", "Minor", BLUE, "Wrong, without consequences.", "5"),
    LabelClass("unknown", "Unknown", GREY, "It cannot be told from what is shown.", "0"),
)
_OF_LIBRARY = {one.name: one for one in CLASS_LIBRARY}


def _from_library(*names: str) -> tuple[LabelClass, ...]:
    return tuple(_OF_LIBRARY[name] for name in names)


PRESETS: Mapping[str, LabelSetDraft] = MappingProxyType(
    {
        "Defect detection": LabelSetDraft(
            name="Defect detection",
            label_type="defect",
            description="Whether a part is sound, and how bad a defect is.",
            use_case="Visual inspection",
            classes=_from_library("defect", "normal", "warning", "critical", "minor", "unknown"),
            tags=("inspection",),
        ),
        "Quality inspection": LabelSetDraft(
            name="Quality inspection",
            label_type="inspection_result",
            description="The result of an inspection: passed, to rework, or failed.",
            use_case="Visual inspection",
            classes=(
                LabelClass("pass", "Pass", GREEN, "Within all limits.", "1"),
                LabelClass("rework", "Rework", AMBER, "Can be repaired and inspected again.", "2"),
                LabelClass("fail", "Fail", RED, "Scrap.", "3"),
                _OF_LIBRARY["unknown"],
            ),
            tags=("inspection",),
        ),
        "Anomaly detection": LabelSetDraft(
            name="Anomaly detection",
            label_type="anomaly",
            description="Whether readings are as usual.",
            use_case="Sensor monitoring",
            classes=(
                LabelClass("normal", "Normal", GREEN, "As usual.", "1"),
                LabelClass("drift", "Drift", AMBER, "Slowly leaving what is usual.", "2"),
                LabelClass("anomaly", "Anomaly", RED, "Clearly unusual.", "3"),
                LabelClass("sensor_fault", "Sensor fault", VIOLET, "The sensor, not the process.", "4"),
                _OF_LIBRARY["unknown"],
            ),
            tags=("sensors",),
        ),
        "Radiation safety": LabelSetDraft(
            name="Radiation safety",
            label_type="radiation_level",
            description="How a dose reading is to be acted on.",
            use_case="Radiation safety",
            classes=(
                LabelClass("background", "Background", GREEN, "Natural background.", "1"),
                LabelClass("elevated", "Elevated", AMBER, "Above background, below the action level.", "2"),
                LabelClass("action", "Action level", RED, "Stop work and tell the safety officer.", "3"),
                LabelClass("emergency", "Emergency", MAGENTA, "Leave the area.", "4"),
                _OF_LIBRARY["unknown"],
            ),
            tags=("safety",),
        ),
        "Sentiment": LabelSetDraft(
            name="Sentiment",
            label_type="sentiment",
            description="What a text feels like.",
            use_case="Texts of customers",
            classes=(
                LabelClass("positive", "Positive", GREEN, "It praises or thanks.", "1"),
                LabelClass("neutral", "Neutral", GREY, "It states or asks without a feeling.", "2"),
                LabelClass("negative", "Negative", RED, "It complains or blames.", "3"),
                LabelClass("mixed", "Mixed", VIOLET, "Both, about different things.", "4"),
            ),
            tags=("texts",),
        ),
        "Yes or no": LabelSetDraft(
            name="Yes or no",
            label_type="yes_no",
            description="A question with two answers, and a way out.",
            use_case="Anything",
            classes=(
                LabelClass("yes", "Yes", GREEN, "", "1"),
                LabelClass("no", "No", RED, "", "2"),
                LabelClass("unclear", "Unclear", GREY, "It cannot be told from what is shown.", "0"),
            ),
        ),
        "Priority": LabelSetDraft(
            name="Priority",
            label_type="priority",
            description="How soon something must be dealt with.",
            use_case="Tickets and requests",
            classes=(
                LabelClass("urgent", "Urgent", MAGENTA, "Today.", "1"),
                LabelClass("high", "High", AMBER, "This week.", "2"),
                LabelClass("normal", "Normal", BLUE, "In its turn.", "3"),
                LabelClass("low", "Low", GREY, "When there is time.", "4"),
            ),
            tags=("texts",),
        ),
        "Kind of personal data": LabelSetDraft(
            name="Kind of personal data",
            label_type="pii_kind",
            description="Which personal data a text holds, the most sensitive first.",
            use_case="Privacy review",
            classes=(
                LabelClass("health", "Health", MAGENTA, "Illness, treatment, disability.", "1"),
                LabelClass("financial", "Financial", AMBER, "Accounts, cards, income.", "2"),
                LabelClass("identity", "Identity", VIOLET, "Identity card, passport, tax number.", "3"),
                LabelClass("contact", "Contact", BLUE, "Name, address, e-mail, telephone.", "4"),
                LabelClass("none", "None", GREEN, "No personal data.", "0"),
            ),
            tags=("privacy", "texts"),
            usage=UsageRules(
                allowed=frozenset({Use.FEW_SHOT, Use.TESTING, Use.EVALUATION}),
                prohibited=frozenset({Use.TRAINING, Use.VALIDATION}),
                classification=Classification.RESTRICTED,
                reason="personal data",
            ),
        ),
    }
)
