#!/bin/sh
# Make .venv from requirements.lock (hashes checked) and install this checkout into it. Run by make; safe to repeat.
set -eu
cd "$(dirname "$0")/.."
here=$(pwd)
PATH=$(printf '%s' "$PATH" | tr ':' '\n' | grep -vFx "$here/.venv/bin" | paste -sd: -)  # never build .venv from itself

digest() { cat requirements.lock pyproject.toml tools/bootstrap.sh | cksum; }
stamp="$(digest) $here"
if [ -x .venv/bin/python ] && [ "$(cat .venv/.ready 2>/dev/null || true)" = "$stamp" ]; then
    touch .venv/.ready
    exit 0
fi

fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1; }
python=""
for candidate in ${PYTHON:-} python3.11 python3.12 python3.13 python3 python; do
    if fits "$candidate"; then python=$(command -v "$candidate"); break; fi
done
if [ -z "$python" ] && command -v uv >/dev/null 2>&1; then
    python=$(uv python find '>=3.11,<3.14' 2>/dev/null || true)
fi
if [ -z "$python" ]; then
    echo "Python must be 3.11, 3.12 or 3.13; none was found. Install one (Debian, Ubuntu: apt-get install python3 python3-venv), or set PYTHON." >&2
    exit 2
fi

# A checkout that moved is made anew: the scripts in .venv/bin hold the old path.
moved() { [ -f .venv/.ready ] && [ "$(cut -d' ' -f3- .venv/.ready)" != "$here" ]; }
if moved; then rm -rf .venv; fi

installer="pip"
if [ ! -x .venv/bin/python ] || ! fits .venv/bin/python; then
    rm -rf .venv
    echo "Making .venv with $("$python" --version)"
    if "$python" -m venv .venv >/dev/null 2>&1 && .venv/bin/python -m pip --version >/dev/null 2>&1; then
        installer="pip"
    elif rm -rf .venv; command -v uv >/dev/null 2>&1 && uv venv --quiet --python "$python" .venv; then
        installer="uv"
    elif rm -rf .venv; "$python" -m virtualenv --version >/dev/null 2>&1 && "$python" -m virtualenv --quiet .venv; then
        installer="pip"
    elif rm -rf .venv; command -v virtualenv >/dev/null 2>&1 && virtualenv --quiet --python "$python" .venv; then
        installer="pip"
    else
        rm -rf .venv
        version=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        echo "$python cannot make a virtual environment with pip in it. Install the package $version (Debian, Ubuntu), or uv, or virtualenv." >&2
        exit 2
    fi
elif ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    installer="uv"
fi

echo "Installing requirements.lock ($(grep -c '^[a-zA-Z0-9]' requirements.lock) distributions, hashes checked; a few minutes the first time)"
log=.venv/install.log
if [ "$installer" = "uv" ]; then
    set -- uv pip install --quiet --compile-bytecode --python .venv/bin/python  # pip compiles by itself
else
    set -- .venv/bin/python -m pip install --disable-pip-version-check --progress-bar off
fi
if ! "$@" --require-hashes -r requirements.lock >"$log" 2>&1 ||
   ! "$@" --no-deps --no-build-isolation -e . >>"$log" 2>&1; then
    tail -n 25 "$log" >&2
    echo "Installation failed; the whole log is .venv/install.log. Run make again to go on." >&2
    exit 1
fi
.venv/bin/python -m research.lab.git_setup || true  # notebooks in git: no outputs, diffs by cell; this repository only
.venv/bin/python -m ipykernel install --sys-prefix --name research --display-name "Research" >/dev/null 2>&1 || true
.venv/bin/python -m research.experiments.warm.kernelspec >/dev/null 2>&1 || true
printf '%s\n' "$stamp" > .venv/.ready
echo "Installed."
