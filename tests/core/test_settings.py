"""Settings: read once, refused by name, secrets kept out of sight."""

from __future__ import annotations

import os

import pytest

from workbench_core.errors import Invalid, NotSupported
from workbench_core.settings import read_settings
from workbench_core.workbench import open_workbench


def test_everything_has_a_default(tmp_path):
    settings = read_settings({"WORKBENCH_HOME": str(tmp_path)})
    assert settings.home == tmp_path
    assert settings.store_url == f"sqlite:///{tmp_path / 'store.db'}"
    assert settings.backend == "local"
    assert settings.local_user


def test_files_are_imported_from_the_inbox_or_from_the_folders_that_are_named(tmp_path):
    settings = read_settings({"WORKBENCH_HOME": str(tmp_path)})
    assert settings.import_folders == (tmp_path / "inbox",)
    open_workbench(settings).close()
    assert (tmp_path / "inbox").is_dir()
    named = os.pathsep.join([str(tmp_path / "a"), "", str(tmp_path / "b"), str(tmp_path / "a")])
    assert read_settings({"WORKBENCH_IMPORT_FOLDERS": named}).import_folders == (tmp_path / "a", tmp_path / "b")


@pytest.mark.parametrize(
    ("name", "value"),
    [("WORKBENCH_BACKEND", "cloud"), ("WORKBENCH_MODEL_TIMEOUT", "soon"), ("WORKBENCH_MODEL_CONCURRENCY", "0")],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_variable(name, value):
    with pytest.raises(Invalid, match=name):
        read_settings({name: value})


def test_a_key_is_not_shown():
    settings = read_settings({"WORKBENCH_MODEL_KEY": "secret-key"})
    assert "secret-key" not in repr(settings)


def test_a_backend_that_is_not_there_is_told_not_replaced(tmp_path):
    settings = read_settings({"WORKBENCH_HOME": str(tmp_path), "WORKBENCH_BACKEND": "databricks"})
    with pytest.raises(NotSupported, match="databricks backend is not part of this version"):
        open_workbench(settings)


def test_a_hosted_backend_gives_newcomers_the_smallest_role():
    assert read_settings({"WORKBENCH_BACKEND": "databricks"}).default_role == "data_consumer"
