"""After installation nothing needs a network: the path is walked in a namespace that has none, children included.

`unshare --net` gives a process and its children an empty network: not even loopback. Where the kernel refuses it,
an audit hook in every child (sitecustomize) lists each connection and look-up instead.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Loaded by every Python child through PYTHONPATH; only network families count, and loopback is not the network.
SITECUSTOMIZE = """
import os, sys
def _hook(event, args):
    if event == "socket.connect" and isinstance(args[1], tuple) and not str(args[1][0]).startswith(("127.", "::1")):
        what = f"{event} {args[1]}"
    elif event == "socket.getaddrinfo" and args[0] not in (None, "localhost", "127.0.0.1", "::1", b"localhost"):
        what = f"{event} {args[0]}"
    else:
        return
    with open(os.environ["NETWORK_LOG"], "a") as log:
        log.write(what + " by " + " ".join(sys.argv[:3]) + "\\n")
sys.addaudithook(_hook)
"""


def can_unshare() -> bool:
    if not shutil.which("unshare"):
        return False
    return subprocess.run(["unshare", "--user", "--map-root-user", "--net", "true"], check=False).returncode == 0


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of HEAD with a store and a home of its own; the kernel cache is shared."""
    target = tmp_path / "clone"
    done = subprocess.run(
        ["git", "clone", "--quiet", str(ROOT), str(target)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"not a git checkout: {done.stderr.strip()}")
    return target


@pytest.mark.deep
@pytest.mark.slow
def test_run_promote_and_report_need_no_network(clone: Path, tmp_path: Path) -> None:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(SITECUSTOMIZE)
    log = tmp_path / "network.log"
    home = tmp_path / "home"
    home.mkdir()
    env = {k: v for k, v in os.environ.items() if not k.startswith(("RESEARCH_", "MLFLOW_", "DVC_"))}
    cache = env.get("RESEARCH_CACHE") or env.get("XDG_CACHE_HOME", str(Path.home() / ".cache")) + "/research"
    env |= {
        "PATH": f"{Path(sys.executable).parent}:{env['PATH']}",
        "PYTHONPATH": f"{clone / 'src'}:{hooks}",
        "NETWORK_LOG": str(log),
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "RESEARCH_CACHE": cache,
        "GIT_AUTHOR_NAME": "A. Tester",
        "GIT_AUTHOR_EMAIL": "tester@example.invalid",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    script = "\n".join(
        [
            "set -e",
            "python -m research data curate equity/dax_surface",
            "python -m research run notebooks/calibration/svi_surface.ipynb --results results.json",
            "python -m research report",
            "python -m dvc status -q || true",
        ]
    )
    alone = ["unshare", "--user", "--map-root-user", "--net"] if can_unshare() else []
    done = subprocess.run([*alone, "sh", "-c", script], cwd=clone, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (clone / "reports" / "index.html").is_file() and (clone / "mlruns" / "mlflow.db").is_file()
    assert not log.exists(), log.read_text()
