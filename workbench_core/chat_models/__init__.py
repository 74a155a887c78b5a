"""The configured language models: which there are, what they cost, and the answers they gave, kept."""

from workbench_core.chat_models.model import CallEstimate, KeptAnswers, ModelSpeed
from workbench_core.chat_models.removal import AnswerRemoval
from workbench_core.chat_models.service import ChatModels
from workbench_core.ports import TokenPrice

__all__ = ["AnswerRemoval", "CallEstimate", "ChatModels", "KeptAnswers", "ModelSpeed", "TokenPrice"]
