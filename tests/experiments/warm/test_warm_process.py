"""The warm process: one for a user, started once, replaced when outdated, gone when nobody needs it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from research.experiments.warm import client, keeper, place, wire

START = """\
from research.experiments.warm import client
client.start(wait=True)
print(client.ask({"do": "state"})["pid"])
"""
SOURCE = Path(client.__file__).resolve().parents[3]


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runtime folder of this test alone."""
    folder = Path(tempfile.mkdtemp(prefix="rw-", dir="/tmp"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.delenv("RESEARCH_WARM", raising=False)
    yield folder
    client.stop()
    shutil.rmtree(folder, ignore_errors=True)


def gone(pid: int, seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not Path(f"/proc/{pid}").exists() or keeper._name(pid) == "":
            return True
        time.sleep(0.05)
    return False


def test_it_has_one_thread_and_a_private_socket(warm):
    assert warm["threads"] == 1
    path = place.socket_path()
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_a_folder_that_others_may_enter_is_refused(apart, run):
    folder = apart / f"research-{os.getuid()}"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    with pytest.raises(place.UnsafeFolderError, match="must be a folder of yours with mode 0700; got drwxr-xr-x"):
        place.folder()
    assert client.connect() is None
    assert not client.start(wait=True)
    assert not run("1").ran.warm  # a run goes on without


def test_a_stale_socket_is_no_warm_process(apart, run):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(place.socket_path()))
    assert client.ask({"do": "state"}) is None


def test_nonsense_on_the_socket_disturbs_nobody(warm):
    for data in (b"", b"\0\0\0\4null", b"\0\0\0\1{", b'\0\0\0\12{"do": "x"}'):
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(str(place.socket_path()))
            link.sendall(data)
    state = client.ask({"do": "state"}, timeout_s=30.0)
    assert state is not None and state["pid"] == warm["pid"]


@pytest.mark.deep
def test_two_that_start_it_at_once_get_one(apart):
    both = [subprocess.Popen([sys.executable, "-c", START], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert len({process.communicate(timeout=120)[0] for process in both}) == 1


@pytest.mark.deep
def test_an_edit_replaces_it_and_idling_ends_it(apart, tmp_path):
    code = tmp_path / "src"
    shutil.copytree(SOURCE / "research", code / "research", ignore=shutil.ignore_patterns("__pycache__"))
    env = {**os.environ, "PYTHONPATH": str(code), "RESEARCH_WARM_IDLE": "3"}

    def tell(word: str) -> dict:
        import json

        call = [sys.executable, "-m", "research.experiments.warm", word]
        return json.loads(subprocess.run(call, env=env, capture_output=True, text=True, check=False).stdout)

    first = tell("start")
    assert first["stale"] == ""
    (code / "research" / "cli" / "runs.py").touch()
    assert tell("state")["stale"] == ""  # it has not loaded that
    (code / "research" / "experiments" / "jsonable.py").touch()
    assert tell("state")["stale"] == "jsonable.py"
    second = tell("start")
    assert second["pid"] != first["pid"]
    assert gone(first["pid"])
    assert gone(second["pid"], 30.0)  # idle


@pytest.mark.deep
def test_it_ends_with_its_checkout(apart, tmp_path):
    code = tmp_path / "src"
    shutil.copytree(SOURCE / "research", code / "research", ignore=shutil.ignore_patterns("__pycache__"))
    env = {**os.environ, "PYTHONPATH": str(code), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", START], env=env, capture_output=True, text=True, check=True)
    shutil.rmtree(code)
    assert gone(int(done.stdout), 30.0)


def test_a_frame_arrives_whole_in_any_pieces():
    one, other = socket.socketpair()
    with one, other:
        text = {"text": "x" * 100_000}
        wire.send(one, {"small": 1})
        reader = wire.Reader(other)
        assert reader.read() == {"small": 1}
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        wire.send(one, text)
        assert reader.read() == text


def test_a_jupyter_client_gets_a_kernel_over_ipc(warm, tmp_path):
    import asyncio

    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    from research.experiments.warm import kernelspec
    from research.experiments.warm.provisioner import WarmProvisioner

    async def talk() -> tuple[str, str, bool]:
        content = kernelspec.specification()
        manager = AsyncKernelManager()
        manager._kernel_spec = KernelSpec(**content)
        manager.provisioner = WarmProvisioner(parent=manager, kernel_id="k", kernel_spec=manager._kernel_spec)
        await manager.start_kernel(cwd=str(tmp_path))
        folder = Path(manager.ip).parent
        talker = manager.client()
        talker.start_channels()
        try:
            await talker.wait_for_ready(timeout=60)
            said: list[str] = []
            hook = lambda m: said.append(m["content"].get("text", ""))  # noqa: E731
            await talker.execute_interactive("import os; print(os.getcwd())", timeout=60, output_hook=hook)
        finally:
            talker.stop_channels()
            await manager.shutdown_kernel(now=True)
        return manager.transport, "".join(said).strip(), folder.exists()

    assert asyncio.run(talk()) == ("ipc", str(tmp_path), False)
    assert not list(Path.cwd().glob("kernel-ipc-*"))


def test_the_kernelspec_names_the_provisioner(tmp_path):
    import json

    from research.experiments.warm import kernelspec

    content = json.loads((kernelspec.install(tmp_path) / "kernel.json").read_text())
    assert content["display_name"] == "Research (warm)"
    assert content["metadata"]["kernel_provisioner"] == {"provisioner_name": "research-warm"}
