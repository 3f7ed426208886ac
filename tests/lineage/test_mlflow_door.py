"""MLflow's own application behind our door: its assistant is refused, its page begins as we want it."""

import asyncio
import json
from typing import Any

import pytest

from research.errors import InputError
from research.lineage.ui import Door, require_free, settle
from research.project import Project

PAGE = b"<!doctype html><html><head><title>MLflow</title></head></html>"


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Stands for MLflow: says which path it was asked for; the page comes in two pieces."""
    whole = scope["path"] in ("/", "/index.html", "//")
    body = PAGE if whole else f"asked {scope['path']}".encode()
    names = {name for name, _ in scope["headers"]}
    headers = [(b"content-length", str(len(body)).encode()), (b"etag", b"x"), (b"seen", b",".join(sorted(names)))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body[:9], "more_body": True})
    await send({"type": "http.response.body", "body": body[9:]})


def ask(path: str, method: str = "GET", headers: list[tuple[bytes, bytes]] | None = None) -> tuple[int, dict, bytes]:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "path": path, "method": method, "headers": headers or []}
    asyncio.run(Door(application)(scope, None, send))  # type: ignore[arg-type]
    body = b"".join(m.get("body", b"") for m in sent[1:])
    return sent[0]["status"], dict(sent[0]["headers"]), body


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize(
    "path",
    [
        "/ajax-api/3.0/mlflow/assistant/message",
        "/ajax-api/3.0/mlflow/assistant",
        "//ajax-api//3.0/mlflow//assistant/config",
        "/prefix/ajax-api/3.0/mlflow/assistant/sessions/1",
    ],
)
def test_every_address_of_the_assistant_is_refused(path: str, method: str) -> None:
    status, _, body = ask(path, method)
    assert status == 403
    assert json.loads(body)["detail"] == "The assistant is switched off: it would run commands on this machine."


@pytest.mark.parametrize("path", ["/ajax-api/2.0/mlflow/runs/search", "/static-files/static/js/main.js", "/health"])
def test_everything_else_passes(path: str) -> None:
    assert ask(path)[0::2] == (200, f"asked {path}".encode())


@pytest.mark.parametrize("path", ["/", "/index.html"])
def test_the_page_opens_on_runs_without_the_assistant_and_says_its_own_length(path: str) -> None:
    status, headers, body = ask(path, headers=[(b"if-none-match", b"x"), (b"accept", b"*/*")])
    assert status == 200 and headers[b"content-length"] == str(len(body)).encode() and b"etag" not in headers
    assert headers[b"seen"] == b"accept"  # a browser's older copy is not asked about
    head = body.partition(b"<title>")[0]
    assert b"[data-assistant-ui]{display:none!important}" in head
    assert b"mlflow.workflowType_v1" in head and b"machine_learning" in head
    assert body.endswith(b"<title>MLflow</title></head></html>")


def test_a_port_that_is_taken_is_refused_with_another() -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError) as error:
            require_free(port)
    assert str(error.value).startswith(f"--port must be free; got {port}. Try --port {port + 1}. (Address already")


def test_without_a_recorded_run_there_is_nothing_to_show(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESEARCH_STORE", str(tmp_path))
    with pytest.raises(Exception, match=r"mlruns must hold mlflow\.db; got none .* Run `make demo`"):
        settle(Project(tmp_path))
