#!/usr/bin/env bash
# Everything that must hold: style, types, imports, tests. Tests whose tools are missing are skipped, and the end says so.
set -euo pipefail
cd "$(dirname "$0")/.."

install_debian_packages() {
  local missing=()
  command -v chromium >/dev/null 2>&1 || missing+=(chromium)
  compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null || missing+=(postgresql)
  [ ${#missing[@]} -eq 0 ] && return 0
  if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "Installing for the tests: ${missing[*]}"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}"; } >/dev/null 2>&1 ||
      echo "Could not install ${missing[*]}: their tests are skipped."
  else
    echo "Not installed and not allowed to install: ${missing[*]}; their tests are skipped."
  fi
}

install_debian_packages
.venv/bin/ruff check .
.venv/bin/ruff format --check --quiet .
.venv/bin/mypy
.venv/bin/lint-imports
[ $# -eq 0 ] || exec .venv/bin/python -m pytest "$@"

# two processes for what may run beside other tests, then the rest by itself; both tell what they skip
status=0
.venv/bin/python -m pytest -n 2 --dist loadfile -m "not alone" || status=$?
.venv/bin/python -m pytest -m alone || status=$?
exit $status
