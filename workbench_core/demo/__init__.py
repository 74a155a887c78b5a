"""The demo data: real e-mails, questions and pictures with sheets and templates, loaded and removed in one click."""

from workbench_core.demo.service import Demo, DemoContent
from workbench_core.demo.sources import SOURCES, DemoSource, data_folder

__all__ = ["SOURCES", "Demo", "DemoContent", "DemoSource", "data_folder"]
