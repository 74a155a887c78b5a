"""The configured language models: which there are, what they cost, and the answers they gave, kept."""

from workbench_core.chat_models.service import ChatModels

__all__ = ["ChatModels"]
