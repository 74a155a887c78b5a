"""The workbench without a browser: `python -m workbench_core --help`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from workbench_core.errors import WorkbenchError
from workbench_core.settings import read_settings


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when it did what it says, 1 with a sentence when it could not."""
    parsed = _parser().parse_args(arguments)
    try:
        return _COMMANDS[parsed.command](parsed)
    except WorkbenchError as error:
        print(f"{error.message} {error.hint}".strip(), file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m workbench_core",
        description="The Ontos ML Workbench without a browser. WORKBENCH_HOME names the folder for all it keeps.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("demo-loop", help="take the demo data round the whole loop and print what was measured")
    load = commands.add_parser("load-demo", help="load the demo data; what is there already stays")
    load.add_argument("--first-start", action="store_true", help="only when WORKBENCH_HOME is still empty")
    commands.add_parser("remove-demo", help="remove the demo data and everything made from it")
    exported = commands.add_parser("export-templates", help="write all published prompt templates as files")
    imported = commands.add_parser("import-templates", help="make the template files of a folder drafts")
    for command in (exported, imported):
        command.add_argument("folder", type=Path, help="a folder, for example one under version control")
    commands.add_parser("work", help="do long work that waits, until stopped; the app does this by itself")
    return parser


def _demo_loop(_parsed: argparse.Namespace) -> int:
    from workbench_core.demo.walkthrough import walk
    from workbench_core.workbench import open_workbench

    settings = read_settings()
    print(f"Everything is kept in {settings.home}.", flush=True)
    workbench = open_workbench(settings)
    try:
        walk(workbench, by=settings.local_user, say=lambda line: print(line, flush=True))
    finally:
        workbench.close()
    return 0


def _load_demo(parsed: argparse.Namespace) -> int:
    from workbench_core.workbench import open_workbench

    settings = read_settings()
    if parsed.first_start and settings.home.exists():
        return 0
    workbench = open_workbench(settings)
    counts = workbench.demo.load(by=settings.local_user).counts
    workbench.close()
    print("Demo data: " + ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items()))
    return 0


def _remove_demo(_parsed: argparse.Namespace) -> int:
    from workbench_core.workbench import open_workbench

    settings = read_settings()
    workbench = open_workbench(settings)
    counts = workbench.demo.remove(by=settings.local_user).counts
    workbench.close()
    removed = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())
    print(f"Removed: {removed}" if removed else "There was no demo data.")
    return 0


def _export_templates(parsed: argparse.Namespace) -> int:
    from workbench_core.prompt_templates import folders
    from workbench_core.workbench import open_workbench

    workbench = open_workbench()
    for name in folders.write(workbench.prompt_templates, parsed.folder):
        print(name)
    workbench.close()
    return 0


def _import_templates(parsed: argparse.Namespace) -> int:
    from workbench_core.prompt_templates import folders
    from workbench_core.workbench import open_workbench

    settings = read_settings()
    workbench = open_workbench(settings)
    results = folders.read(workbench.prompt_templates, parsed.folder, by=settings.local_user)
    workbench.close()
    for result in results:
        print(f"{result.file}: {result.words}")
    return 1 if any(result.is_refused for result in results) else 0


def _work(_parsed: argparse.Namespace) -> int:
    import signal
    import threading

    from workbench_core.workbench import open_workbench

    workbench = open_workbench()
    worker = workbench.worker()
    ended = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: ended.set())
    worker.start()
    ended.wait()
    worker.stop()
    workbench.close()
    return 0


_COMMANDS = {
    "demo-loop": _demo_loop,
    "load-demo": _load_demo,
    "remove-demo": _remove_demo,
    "export-templates": _export_templates,
    "import-templates": _import_templates,
    "work": _work,
}

if __name__ == "__main__":
    sys.exit(main())
