"""The rules of the layout: one name in five places, a complete module map, light imports, calm pages."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CORE = ROOT / "workbench_core"
PAGES = sorted(file for file in (ROOT / "pages").glob("*.py") if file.name not in {"router.py", "__init__.py"})
STAGES = {"home", "data", "generate", "label", "train", "deploy", "monitor", "improve", "settings"}
SHARED_SCHEMAS = {"history", "permissions", "runs"}
HEAVY = [
    "streamlit",
    "mlflow",
    "sklearn",
    "onnxruntime",
    "xllamacpp",
    "aiohttp",
    "json_repair",
    "torch",
    "dspy",
    "databricks",
    "duckdb",
]


def modules() -> set[str]:
    """Modules and packages directly below workbench_core."""
    files = {file.stem for file in CORE.glob("*.py") if file.stem != "__init__"}
    return files | {folder.parent.name for folder in CORE.glob("*/__init__.py")}


def test_the_module_map_names_every_module_once():
    text = (CORE / "__init__.py").read_text(encoding="utf-8")
    named = re.findall(r"^    (\w+) {2,}", text, flags=re.MULTILINE)
    assert len(named) == len(set(named)), "a module is named twice"
    assert set(named) == modules()


@pytest.mark.parametrize("page", [page.stem for page in PAGES])
def test_every_page_is_in_the_router_and_has_a_test(page):
    router = (ROOT / "pages" / "router.py").read_text(encoding="utf-8")
    assert f'"{page}.py"' in router
    assert (ROOT / "tests" / "pages" / f"test_{page}.py").exists()
    assert page in STAGES or page in modules(), "a tool page has the name of its feature"


@pytest.mark.parametrize("schema", sorted(file.stem.split("_", 1)[1] for file in (ROOT / "schemas").glob("*.sql")))
def test_every_schema_has_the_name_of_its_feature(schema):
    assert schema in modules()
    if schema not in SHARED_SCHEMAS:
        assert (ROOT / "tests" / "core" / f"test_{schema}.py").exists()


def test_every_feature_has_a_test():
    plumbing = {
        "cached",
        "cached_quality",
        "cached_files",
        "cached_generation",
        "cached_exports",
        "cached_review",
        "cached_label_sets",
        "workbench",
        "ports",
        "clock",
        "rows",
        "errors",
        "demo",
        "adapters",
        "__main__",
        "usage",
    }
    missing = [name for name in modules() - plumbing if not list((ROOT / "tests" / "core").glob(f"test_{name}*.py"))]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_holds_no_class_no_try_and_no_sql(page):
    tree = ast.parse(page.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        assert not isinstance(node, ast.ClassDef | ast.Try), f"line {node.lineno}"
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert not re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE)\s", node.value), f"line {node.lineno}"


def test_a_page_is_not_named_like_a_library():
    for page in PAGES:
        found = subprocess.run(
            [
                sys.executable,
                "-c",
                f"import importlib.util as u; s = u.find_spec({page.stem!r}); print(s and s.loader)",
            ],
            cwd="/",
            capture_output=True,
            text=True,
            check=True,
        )
        assert found.stdout.strip() == "None", f"{page.stem} is also a package"


def test_modules_stay_short():
    files = [*CORE.rglob("*.py"), *(ROOT / "pages").rglob("*.py")]
    long = {str(file.relative_to(ROOT)): lines for file in files if (lines := len(file.read_text().splitlines())) > 460}
    assert not long


def test_importing_the_core_is_quick_and_light():
    script = f"import sys; import workbench_core; print([name for name in {HEAVY!r} if name in sys.modules])"
    began = time.perf_counter()
    found = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
    assert time.perf_counter() - began < 0.5, "the start of Python included"


def test_opening_the_workbench_loads_no_machine_learning_library():
    script = (
        "import sys; from workbench_core.workbench import open_workbench; from workbench_core.settings import "
        "read_settings; import tempfile; w = open_workbench(read_settings({'WORKBENCH_HOME': tempfile.mkdtemp()})); "
        "w.worker(); w.endpoints; w.labeling_tasks; "
        f"print([name for name in {[h for h in HEAVY if h != 'duckdb']!r} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_no_path_of_a_machine_and_no_word_of_how_it_was_made():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    forbidden = re.compile(r"/work/|/tmp/w\b|/root/")
    text_files = [
        name for name in listed if name.endswith((".py", ".md", ".sql", ".toml", ".sh", ".js", ".css", ".txt"))
    ]
    found = [name for name in text_files if name != "tests/test_architecture.py"
             and forbidden.search((ROOT / name).read_text(encoding="utf-8", errors="replace"))]  # fmt: skip
    assert not found


def test_the_hidden_option_that_keeps_reruns_fast_is_set():
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert config["runner"]["postScriptGC"] is False
    assert config["browser"]["gatherUsageStats"] is False


def test_without_a_sign_in_only_this_machine_reaches_the_app():
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert config["server"]["address"] == "localhost"
