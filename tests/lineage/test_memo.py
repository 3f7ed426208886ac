"""What is remembered of files is what they say."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from research.fingerprint import digest_file
from research.lineage import git, memo


@pytest.fixture(autouse=True)
def fresh():
    memo.forget()
    git._blobs.clear()
    yield
    memo.forget()
    git._blobs.clear()


@pytest.fixture
def old(tmp_path, monkeypatch) -> Path:
    """A file that was changed long ago, as the clock has it."""
    path = tmp_path / "a.py"
    path.write_text("one")
    real = memo.time.time_ns
    monkeypatch.setattr(memo.time, "time_ns", lambda: real() + 10_000_000_000)
    return path


def counting(path: Path):
    calls = []

    def answer():
        calls.append(path.read_text())
        return calls[-1]

    return calls, answer


def test_an_untouched_file_is_read_once(old):
    calls, answer = counting(old)
    assert [memo.while_unchanged("k", [old], answer) for _ in range(3)] == ["one"] * 3
    assert len(calls) == 1


def test_an_edit_that_keeps_size_and_time_of_content_is_seen(old):
    _, answer = counting(old)
    stamp = old.stat()
    assert memo.while_unchanged("k", [old], answer) == "one"
    old.write_text("two")
    os.utime(old, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert memo.while_unchanged("k", [old], answer) == "two"
    assert memo.file_digest(old) == digest_file(old)


def test_what_was_changed_a_moment_ago_is_not_remembered(tmp_path):
    path = tmp_path / "a.py"
    path.write_text("one")
    calls, answer = counting(path)
    for _ in range(3):
        memo.while_unchanged("k", [path], answer)
    assert len(calls) == 3


def test_a_file_that_appears_or_goes_is_seen(old):
    other = old.with_name("b.py")
    seen = [memo.while_unchanged("k", [old, other], other.exists)]
    other.write_text("")
    seen.append(memo.while_unchanged("k", [old, other], other.exists))
    other.unlink()
    seen.append(memo.while_unchanged("k", [old, other], other.exists))
    assert seen == [False, True, False]


PERSON = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}


@pytest.fixture
def repository(tmp_path, monkeypatch, old):
    for name, value in PERSON.items():
        monkeypatch.setenv(name, value)
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL"):
        monkeypatch.delenv(name, raising=False)
    root = tmp_path / "repo"
    root.mkdir()

    def run(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True).stdout.strip()

    run("init", "-q", "-b", "main")
    run("config", "user.email", "ada@example.org")
    run("config", "user.name", "Ada")
    (root / "a").write_text("one")
    run("add", "a")
    run("commit", "-q", "-m", "one")
    return root, run


def test_head_contents_and_operator_are_asked_of_git_once_and_follow_every_change(repository, monkeypatch):
    root, run = repository
    calls, real = [], git._git
    monkeypatch.setattr(git, "_git", lambda *a, **k: calls.append(a) or real(*a, **k))
    look = lambda: (git.head(root).commit, git.contents(root, ["a"])["a"], git.operator(root)["git_email"])  # noqa: E731
    first = look()
    assert first == (run("rev-parse", "HEAD"), b"one", "ada@example.org")
    asked = len(calls)
    assert look() == first
    assert len(calls) == asked
    (root / "a").write_text("two")
    run("commit", "-q", "-am", "two")
    assert look() == (run("rev-parse", "HEAD"), b"two", "ada@example.org")
    run("pack-refs", "--all")
    run("checkout", "-q", "-b", "other", "HEAD~1")
    assert look()[:2] == (first[0], b"one")
    run("config", "user.email", "eve@example.org")
    assert look()[2] == "eve@example.org"
    (root / ".git" / "more").write_text("[user]\n\temail = mallory@example.org\n")
    run("config", "include.path", "more")
    assert look()[2] == "mallory@example.org"
    (root / ".git" / "more").write_text("[user]\n\temail = bob@example.org\n")
    assert look()[2] == "bob@example.org"
    run("checkout", "-q", "--detach", "main")
    assert git.head(root).commit == run("rev-parse", "main")


def test_a_worktree_has_its_own_head(repository, tmp_path):
    root, run = repository
    run("worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    (tmp_path / "side" / "a").write_text("side")
    subprocess.run(["git", "commit", "-q", "-am", "side"], cwd=tmp_path / "side", check=True)
    assert git.head(root).commit == run("rev-parse", "main")
    assert git.head(tmp_path / "side").commit == run("rev-parse", "side")
    assert git.contents(tmp_path / "side", ["a"])["a"] == b"side"
