"""The MLflow UI on the local store: one process, the outbox told first, and no assistant.

MLflow 3.17 mounts an assistant that may run shell commands for whoever reaches the server's port, and has no switch
against it. So its own application is served here behind a door that refuses those addresses. One worker instead of
four, and no job runner: it is for one person, ready sooner, and takes a quarter of the memory.
"""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable
from typing import Any

from research.errors import InputError, ProjectError, rule
from research.lineage import store, tracking
from research.project import Project

VIEW = "#/experiments?workflowType=machine_learning"  # runs first; MLflow's own first page is about agents
REFUSED = "/mlflow/assistant"
_WHY = "The assistant is switched off: it would run commands on this machine."
_BEGINNING = """<style>[data-assistant-ui]{display:none!important}</style><script>
for (const [name, value] of Object.entries({
  "mlflow.assistant.panelOpen_v1": "false", "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": "true",
  "mlflow.settings.telemetry.enabled_v1": "false"})) localStorage.setItem(name, value);
if (!localStorage.getItem("mlflow.workflowType_v1"))
  localStorage.setItem("mlflow.workflowType_v1", '"machine_learning"');
</script>"""
KIND = "mlflow.experimentKind"  # without it MLflow shows an experiment's traces, which are for agents

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Door:
    """MLflow's ASGI application, less everything under `.../mlflow/assistant`, and with our beginning of its page."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = "/" + "/".join(part for part in scope.get("path", "").split("/") if part)
        if scope["type"] == "http" and REFUSED in path:
            await _refuse(send)
        elif scope["type"] == "http" and scope["method"] == "GET" and path in ("/", "/index.html"):
            await self._page(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The page whole (a browser's older copy is not ours), with `_BEGINNING` in its head."""
        headers = [(k, v) for k, v in scope["headers"] if k.lower() not in (b"if-none-match", b"if-modified-since")]
        start: dict[str, Any] = {}
        body = bytearray()

        async def collect(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            elif message["type"] == "http.response.body":
                body.extend(message.get("body", b""))

        await self.app({**scope, "headers": headers}, receive, collect)
        page = bytes(body).replace(b"<head>", b"<head>" + _BEGINNING.encode(), 1)
        kept = [(k, v) for k, v in start["headers"] if k.lower() not in (b"content-length", b"etag", b"last-modified")]
        await send({**start, "headers": [*kept, (b"content-length", str(len(page)).encode())]})
        await send({"type": "http.response.body", "body": page})


async def _refuse(send: Send) -> None:
    body = json.dumps({"detail": _WHY}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def settle(project: Project, *, create: bool = False) -> tracking.Flushed:
    """Tell MLflow what it has not heard, and see that there is a database to show; an empty one with `create`.

    Raises
    ------
    ProjectError
        When nothing was recorded yet.
    """
    root = store.root_of(project)
    store.close_dead_runs(root)
    told = tracking.flush(project)
    if not create and not (root / "mlflow.db").is_file():
        raise ProjectError(
            f"mlruns must hold mlflow.db; got none in {root}. Run `make demo` or `research run NOTEBOOK` first."
        )
    talker = tracking.client(root)
    for experiment in talker.search_experiments():
        if KIND not in experiment.tags:
            talker.set_experiment_tag(experiment.experiment_id, KIND, "custom_model_development")
    return told


def serve(project: Project, *, host: str = "127.0.0.1", port: int = 5000, socket: str | None = None) -> None:
    """Serve the UI until interrupted, on a loopback port, or on a Unix socket that only this user can open."""
    root = store.root_of(project).resolve()
    os.environ.update(
        {
            "_MLFLOW_SERVER_FILE_STORE": tracking.database_uri(root),
            "_MLFLOW_SERVER_REGISTRY_STORE": tracking.database_uri(root),
            "_MLFLOW_SERVER_ARTIFACT_ROOT": str(root / "artifacts"),
            "_MLFLOW_SGI_NAME": "uvicorn",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "1",
        }
    )
    if socket:  # behind Jupyter, which has checked who is asking and under which name
        os.environ.setdefault("MLFLOW_SERVER_ALLOWED_HOSTS", "*")
    import warnings

    import uvicorn

    with warnings.catch_warnings():  # of its own libraries, about each other
        warnings.simplefilter("ignore")
        from mlflow.server.fastapi_app import app

    where: dict[str, Any] = {"uds": socket} if socket else {"host": host, "port": port}
    uvicorn.run(Door(app), log_level="warning", access_log=False, **where)


def require_free(port: int) -> None:
    """Refuse a port that somebody listens on."""
    import socket

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise InputError(rule("--port", "be free", port, f"Try --port {port + 1}. ({error.strerror})")) from None


def open_when_ready(port: int, address: str, *, wait_s: float = 60.0) -> None:
    """Open a browser at `address` as soon as something answers on `port`; in a thread, and only if there is one."""
    import socket
    import threading
    import time
    import webbrowser

    def wait() -> None:
        end = time.monotonic() + wait_s
        while time.monotonic() < end:
            with socket.socket() as probe:
                probe.settimeout(1.0)
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    webbrowser.open(address)
                    return
            time.sleep(0.2)

    threading.Thread(target=wait, daemon=True).start()
