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

from research.errors import ProjectError
from research.lineage import store, tracking
from research.project import Project

VIEW = "#/experiments?workflowType=machine_learning"  # runs first; MLflow's own first page is about agents
REFUSED = "/mlflow/assistant"
_WHY = "The assistant is switched off: it would run commands on this machine."

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class WithoutAssistant:
    """An ASGI application less everything under `.../mlflow/assistant`."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and REFUSED in "/" + "/".join(part for part in scope["path"].split("/") if part):
            body = json.dumps({"detail": _WHY}).encode()
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            return
        await self.app(scope, receive, send)


def settle(project: Project) -> tracking.Flushed:
    """Tell MLflow what it has not heard, and see that there is a database to show.

    Raises
    ------
    ProjectError
        When nothing was recorded yet.
    """
    root = store.root_of(project)
    store.close_dead_runs(root)
    told = tracking.flush(project)
    if not (root / "mlflow.db").is_file():
        raise ProjectError(
            f"mlruns must hold mlflow.db; got none in {root}. Run `make demo` or `research run NOTEBOOK` first."
        )
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
    tracking.client(root)  # follows a store that was moved
    import warnings

    import uvicorn

    with warnings.catch_warnings():  # of its own libraries, about each other
        warnings.simplefilter("ignore")
        from mlflow.server.fastapi_app import app

    where: dict[str, Any] = {"uds": socket} if socket else {"host": host, "port": port}
    uvicorn.run(WithoutAssistant(app), log_level="warning", access_log=False, **where)


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
