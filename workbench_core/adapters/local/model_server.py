"""The child process that serves the tiny local model: llama.cpp, OpenAI-compatible, on a loopback port."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

from workbench_core.adapters.local.models import CONTEXT_TOKENS, GGUF, PARALLEL_ANSWERS, spare_cores
from workbench_core.adapters.local.processes import (
    HOST,
    child_parser,
    exit_with_parent,
    new_token,
    write_port_file,
)
from workbench_core.errors import WorkbenchError

PROMPT_CACHE_MIB = 256  # the server's own default is 8 GiB
WARNINGS = 2  # llama.cpp's verbosity: 1 errors, 2 warnings, 3 a few lines for every request


def main() -> int:
    """Serve until SIGTERM, or until the parent ends."""
    chosen = child_parser("Serve the tiny local model.").parse_args()
    exit_with_parent(chosen.parent)
    try:
        weights = GGUF.checked_path(chosen.home, trust_earlier_check=False)
    except WorkbenchError as error:
        sys.stderr.write(f"{error.message} {error.hint}\n")
        return 1
    _serve(weights, chosen.port_file)
    return 0


def _serve(weights: Path, port_file: Path) -> None:
    import xllamacpp

    token = new_token()
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(weights)
    parameters.model_alias = {GGUF.title}
    parameters.hostnames = [HOST]
    parameters.port = 0  # any free one
    parameters.api_keys = [token]
    parameters.ui = False
    parameters.n_ctx = CONTEXT_TOKENS * PARALLEL_ANSWERS
    parameters.n_parallel = PARALLEL_ANSWERS
    parameters.cpuparams.n_threads = spare_cores()
    parameters.cpuparams_batch.n_threads = spare_cores()
    parameters.cache_ram_mib = PROMPT_CACHE_MIB
    parameters.verbosity = WARNINGS
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    server = xllamacpp.Server(parameters)  # returns when the weights are loaded and the port is open
    write_port_file(port_file, port=urlsplit(server.listening_address).port or 0, token=token)
    ended.wait()


if __name__ == "__main__":
    sys.exit(main())
