"""What goes wrong in a run ends that run alone: named cell, partial notebook, nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from research.errors import RunError
from research.experiments import kernel_cells
from research.experiments.warm import client

BOTH = pytest.mark.parametrize("mode", ["process", "kernel"])


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def eventually(condition, seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def settled() -> bool:
    state = client.ask({"do": "state"})
    return state is not None and state["running"] == 0


@BOTH
@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("print('said'); import os; os._exit(7)", r"cell 2 \(print\('said'\).*: the kernel died \(exit code 7\)"),
        (
            "print('said', flush=True)\nimport ctypes, time; time.sleep(0.3); ctypes.string_at(0)",
            r"cell 2 .*: the kernel died \(killed by SIGSEGV\)\. Its last words: Fatal Python error: Segm",
        ),
    ],
    ids=["exit", "crash"],
)
def test_a_process_that_ends_is_placed_and_the_next_run_is_well(warm, run, mode, cell, message):
    with pytest.raises(RunError, match=message):
        run("print('before')", cell, "print('never')", mode=mode)
    assert "before" in run.last.text and "never" not in run.last.text
    assert "said" in run.last.text or (mode == "kernel" and "_exit" in cell)  # ipykernel has it in a buffer
    assert run("1", mode=mode).cells[0]["execution_count"] == 1
    assert eventually(settled)


@BOTH
def test_an_endless_loop_ends_with_the_time_limit(warm, run, mode):
    with pytest.raises(RunError, match=r"cell 2 \(while True: pass\): the run must end within 0\.5 s; got no end"):
        run("print('before')", "while True: pass", mode=mode, timeout=0.5)
    assert run.last.text == "before\n"
    assert eventually(settled)


@BOTH
def test_endless_output_ends_with_the_output_limit(warm, run, mode):
    endless = "while True: print('x' * 1000)"
    with pytest.raises(RunError, match=r"cell 1 \(while True.*\): outputs must stay under 300,000 characters; got"):
        run(endless, mode=mode, output=300_000)
    kept = run.last.text  # nothing that was counted is lost: it stands here, or in the file named here
    assert len(kept) >= 300_000 or "characters are in outputs/" in kept
    assert eventually(settled)


def test_endless_output_of_native_code_ends_too(warm, run):
    with pytest.raises(RunError, match="outputs must stay under"):
        run("import os\nwhile True: os.write(1, b'x' * 1000)", output=300_000)


def test_memory_past_the_limit_fails_the_cell(warm, run):
    with pytest.raises(RunError, match=r"cell 2 \(held = .*MemoryError"):
        run("1", "held = bytearray(400_000_000)", memory=200_000_000)
    assert run("held = bytearray(100_000_000); len(held)", memory=200_000_000).ran.peak_memory > 0


def test_a_grandchild_left_behind_ends_with_the_run_and_is_named(warm, run):
    left = "import os, time\npid = os.fork()\nif pid == 0:\n    os.setsid()\n    time.sleep(300)\nprint(pid)"
    done = run(left)
    assert done.ran.left == ["python"]
    assert not alive(int(done.text.split()[-1]))  # after a warning of Python 3.12 about threads


def test_a_process_that_leaves_its_parent_ends_with_the_run(warm, run):
    done = run("import subprocess\nsubprocess.run('(setsid sleep 300 & echo $!)', shell=True)")
    assert done.ran.left == ["sleep"]
    assert not alive(int(done.text.split()[-1]))  # after a warning of Python 3.12 about threads


@pytest.mark.parametrize("cell", ["import time; time.sleep(300)", "import asyncio\nawait asyncio.sleep(300)"])
def test_a_run_past_its_time_still_says_what_it_read(warm, run, tmp_path, cell):
    (tmp_path / "read.txt").write_text("seen")
    with pytest.raises(RunError, match=r"cell 2 .*: the run must end within 1 s"):
        run("open('read.txt').read()", cell, timeout=1.0)
    assert str(tmp_path / "read.txt") in run.last.ran.report["opened"]


def test_a_cell_can_catch_an_interrupt_and_the_next_one_too(warm, run):
    cell = "import os, signal, time\ntry:\n    os.kill(os.getpid(), signal.SIGINT)\n    time.sleep(9)\n"
    cell += "except KeyboardInterrupt:\n    print('caught')"
    assert run(cell, cell).text == "caught\ncaught\n"


def test_a_forked_cell_shows_its_outputs_once(warm, run):
    done = run("import os\npid = os.fork()\nprint('one')\nif pid: os.waitpid(pid, 0)", "'after'")
    assert sum("one" in str(o) for o in done.cells[0]["outputs"]) >= 1
    assert [o["output_type"] for o in done.cells[1]["outputs"]] == ["execute_result"]


def test_a_message_of_the_system_reaches_the_cell_of_a_dead_process(warm, run):
    with pytest.raises(RunError, match="killed by SIGABRT"):
        run("import os\nos.write(2, b'out of luck')\nos.abort()")
    assert "out of luck" in run.last.text


RUNNER = """\
import sys
from pathlib import Path
from research.experiments import execution
source, target, mode = sys.argv[1:]
execution.execute(Path(source), Path(target), {}, execution.How(cwd=Path(source).parent, mode=mode), execution.Ran())
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "number", "cold"),
    [
        ("process", signal.SIGKILL, False),
        ("process", signal.SIGINT, False),
        ("process", signal.SIGKILL, True),
        ("kernel", signal.SIGKILL, False),
    ],
)
def test_a_run_dies_with_its_runner(warm, tmp_path, mode, number, cold):
    from research.experiments.warm import place

    note = tmp_path / "pid"
    source = tmp_path / "in.ipynb"
    conftest = sys.modules[next(n for n in sys.modules if n.endswith("warm.conftest"))]
    conftest.notebook(source, f"import os, time\nopen({str(note)!r}, 'w').write(str(os.getpid()))\ntime.sleep(300)")
    assert not place.is_off()
    env = {**os.environ, "RESEARCH_WARM": "0" if cold else "1"}
    call = [sys.executable, "-c", RUNNER, str(source), str(tmp_path / "out.ipynb"), mode]
    with subprocess.Popen(call, stderr=subprocess.DEVNULL, env=env) as runner:
        assert eventually(lambda: note.is_file() and note.read_text().isdigit(), 60.0)
        runner.send_signal(number)
        runner.wait(30)
    assert eventually(lambda: not alive(int(note.read_text())))
    assert eventually(settled)


def test_a_full_disk_says_so_and_leaves_nothing_running(warm, run, tmp_path, monkeypatch):
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            run("print('x' * 1_000_000)")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert eventually(settled)


def test_a_kernel_leaves_no_socket_and_no_folder(warm, run, tmp_path):
    for mode in ("kernel", "process"):
        run("import os; print(os.environ['IPYTHONDIR'])", mode=mode)
        assert not Path(run.last.text.strip()).parent.exists()
    assert not list(tmp_path.glob("kernel-*"))


@pytest.mark.slow
def test_children_run_parallel_kernels_in_threads_beside_each_other(warm, run, tmp_path):
    from research.experiments import execution

    conftest = sys.modules[next(n for n in sys.modules if n.endswith("warm.conftest"))]
    cells = (
        "import threading, numpy as np\nfrom research.core.random.philox import fill_normals\n"
        "out = [np.empty((4, 20_000)) for _ in range(4)]",
        "ts = [threading.Thread(target=fill_normals, args=(1, 0, 0, 0, o)) for o in out]\n"
        "[t.start() for t in ts]; [t.join() for t in ts]; print(float(out[0].sum()).hex())",
    )
    source = conftest.notebook(tmp_path / "in.ipynb", *cells)
    said, errors = [], []

    def one(number: int) -> None:
        try:
            target = tmp_path / f"out{number}.ipynb"
            ran = execution.Ran()
            execution.execute(source, target, {}, execution.How(cwd=tmp_path), ran)
            said.append((conftest.Result(target, ran).text, ran.warm))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=one, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(set(said)) == 1 and len(said) == 4


def test_a_kernel_that_prints_faster_than_it_is_read_is_read_a_hundred_messages_at_a_time():
    """They were gathered until none was left: on a loaded machine until the memory was full."""

    class Endless:
        asked = 0

        def get_msg(self, timeout):
            self.asked += 1
            return self.asked

    channel = Endless()
    first = next(iter(kernel_cells._messages(channel)))
    assert first == channel.asked == 1  # a limit is looked at before the next is read
    assert len(list(kernel_cells._messages(channel))) == 100
