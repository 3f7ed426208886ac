"""Frames over a Unix socket: four bytes of length, then JSON; file descriptors travel beside a frame."""

from __future__ import annotations

import array
import json
import socket
import struct
from typing import Any

_LENGTH = struct.Struct("!I")
MAX_DESCRIPTORS = 8
_CHUNK = 1 << 20


def send(link: socket.socket, message: Any, descriptors: tuple[int, ...] = ()) -> None:
    """Send one frame, whole."""
    body = json.dumps(message, separators=(",", ":"), default=_as_a_kernel_does).encode()
    frame = _LENGTH.pack(len(body)) + body
    if descriptors:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
        sent = link.sendmsg([frame], rights)
        frame = frame[sent:]
    if frame:
        link.sendall(frame)


def _as_a_kernel_does(value: Any) -> Any:
    """What a kernel's own messages make of a value that JSON has not: a picture's bytes are base64 in a notebook."""
    from jupyter_client.jsonutil import json_default

    try:
        return json_default(value)
    except TypeError:
        return str(value)


class Reader:
    """Takes frames apart as they arrive, in pieces of any size."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._buffer = bytearray()

    def fileno(self) -> int:
        return self._link.fileno()

    def read(self) -> Any:
        """The next frame; None at the end of the stream. Blocks, or raises as the socket's timeout says."""
        while (found := self._take()) is None:
            chunk = self._link.recv(_CHUNK)
            if not chunk:
                return None
            self._buffer += chunk
        return found

    def feed(self) -> list[Any] | None:
        """All frames that one look at the socket completes; None at the end of the stream."""
        chunk = self._link.recv(_CHUNK)
        if not chunk:
            return None
        self._buffer += chunk
        return self.waiting()

    def waiting(self) -> list[Any]:
        """Frames that have arrived already."""
        out = []
        while (found := self._take()) is not None:
            out.append(found)
        return out

    def _take(self) -> Any:
        if len(self._buffer) < _LENGTH.size:
            return None
        size = _LENGTH.unpack_from(self._buffer)[0]
        end = _LENGTH.size + size
        if len(self._buffer) < end:
            return None
        body = json.loads(self._buffer[_LENGTH.size : end])
        del self._buffer[:end]
        return body


def receive(link: socket.socket) -> tuple[Any, list[int]]:
    """One frame and the descriptors that came with it; (None, []) at the end of the stream."""
    space = socket.CMSG_SPACE(MAX_DESCRIPTORS * array.array("i").itemsize)
    data, ancillary, _, _ = link.recvmsg(_CHUNK, space)
    descriptors = array.array("i")
    for level, kind, rights in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(rights[: len(rights) - len(rights) % descriptors.itemsize])
    if not data:
        return None, []
    while len(data) < _LENGTH.size or len(data) < _LENGTH.size + _LENGTH.unpack_from(data)[0]:
        more = link.recv(_CHUNK)
        if not more:
            return None, list(descriptors)
        data += more
    return json.loads(data[_LENGTH.size :]), list(descriptors)
