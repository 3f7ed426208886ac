"""A wheel builds without the network, and its `research` command works from an empty folder."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_gives_the_command(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("research-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "research/core/_jit.py" in names and "research/py.typed" in names
    assert not [n for n in names if n.startswith(("tests", "notebooks", "mlruns"))]
    target = tmp_path / "site"
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-deps",
        "--no-index",
        "--quiet",
        "--target",
        str(target),
        str(wheel),
    ]
    subprocess.run(install, check=True, capture_output=True)
    call = [
        sys.executable,
        "-c",
        "import research, sys; print(research.__file__); "
        "from research.cli.app import main; sys.exit(main(['--version']))",
    ]
    done = subprocess.run(
        call, cwd=tmp_path, env={"PYTHONPATH": str(target), "PATH": ""}, capture_output=True, text=True, check=True
    )
    assert str(target) in done.stdout and "research 0." in done.stdout
