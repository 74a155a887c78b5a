"""One frozen `Settings`, read from the environment once."""

from __future__ import annotations

import getpass
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workbench_core.errors import Invalid
from workbench_core.settings.models import ModelSettings, read_models, server_of

__all__ = ["BACKENDS", "INBOX", "ModelSettings", "Settings", "read_settings", "server_of"]

BACKENDS = ("local", "databricks")
INBOX = "inbox"  # below the home: where people put files to be imported


@dataclass(frozen=True, slots=True)
class Settings:
    """Where everything is kept and who answers. Every field has a working default for a laptop.

    `home` holds everything the workbench keeps. `store_url` is a SQLAlchemy URL (SQLite file by default, any
    PostgreSQL otherwise). `models` are the configured language models, the default one first; without any the tiny
    local model answers. `model_timeout_seconds` holds where a model has no timeout of its own. `default_role` is the
    role of a person without an assigned one. `import_folders` are the only folders of the server from which files may
    be imported by path.
    """

    home: Path
    backend: str = "local"
    store_url: str = ""
    models: tuple[ModelSettings, ...] = ()
    model_timeout_seconds: float = 120.0
    local_user: str = ""
    default_role: str = "admin"
    finetune_python: Path | None = None
    worker_threads: int = 2
    import_folders: tuple[Path, ...] = ()

    def __repr__(self) -> str:
        """Leave addresses and keys out, so that no log or error can show a secret."""
        return f"Settings(home={self.home}, backend={self.backend!r}, models={[one.name for one in self.models]})"


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read `WORKBENCH_*` variables and the file of models. Raises Invalid, naming what cannot be used."""
    env = os.environ if environment is None else environment
    backend = env.get("WORKBENCH_BACKEND", "local")
    if backend not in BACKENDS:
        raise Invalid(f"WORKBENCH_BACKEND is “{backend}”.", hint=f"Use one of: {', '.join(BACKENDS)}.")
    home = Path(env.get("WORKBENCH_HOME", ".workbench")).expanduser().resolve()
    finetune = env.get("WORKBENCH_FINETUNE_PYTHON", "")
    timeout_seconds = _number(env, "WORKBENCH_MODEL_TIMEOUT", 120.0)
    return Settings(
        home=home,
        backend=backend,
        store_url=env.get("WORKBENCH_STORE_URL", f"sqlite:///{home / 'store.db'}"),
        models=read_models(env, home=home, timeout_seconds=timeout_seconds),
        model_timeout_seconds=timeout_seconds,
        local_user=env.get("WORKBENCH_USER", "") or _login_name(),
        default_role=env.get("WORKBENCH_DEFAULT_ROLE", "admin" if backend == "local" else "data_consumer"),
        finetune_python=Path(finetune) if finetune else _finetune_python(),
        worker_threads=int(_number(env, "WORKBENCH_WORKER_THREADS", 2)),
        import_folders=_folders(env.get("WORKBENCH_IMPORT_FOLDERS", "")) or (home / INBOX,),
    )


def _folders(text: str) -> tuple[Path, ...]:
    """The folders of a list with the separator of this system's PATH, each once."""
    named = [Path(part.strip()).expanduser().resolve() for part in text.split(os.pathsep) if part.strip()]
    return tuple(dict.fromkeys(named))


def _number(env: Mapping[str, str], name: str, default: float) -> float:
    text = env.get(name, "")
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        raise Invalid(f"{name} is “{text}”, which is not a number.", hint=f"For example {name}={default:g}.") from None
    if not 0 < value < math.inf:
        raise Invalid(f"{name} is {text}; it must be above zero.", hint=f"For example {name}={default:g}.")
    return value


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container may run under a user id that has no name
        return "local user"


def _finetune_python() -> Path | None:
    """The interpreter that `make finetune` prepares beside the project, when it is there."""
    python = Path(__file__).resolve().parents[2] / ".venv-finetune" / "bin" / "python"
    return python if python.exists() else None
