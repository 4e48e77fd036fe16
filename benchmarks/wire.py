"""The bytes on the wire, TLS included."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
import socket
from typing import Any
from unittest.mock import patch

_METHODS = ("recv", "recv_into", "send", "sendmsg")


@contextmanager
def counted_bytes() -> Iterator[Counter[int]]:
    """Count what goes through sockets made in the block, by the port of the other side."""
    counts: Counter[int] = Counter()

    def _counting(name: str) -> Callable[..., Any]:
        method = getattr(socket.socket, name)

        def _call(self: socket.socket, *arguments: Any) -> Any:
            answer = method(self, *arguments)
            if size := answer if isinstance(answer, int) else len(answer):
                counts[self.getpeername()[1]] += size
            return answer

        return _call

    methods = {name: _counting(name) for name in _METHODS}
    with patch("socket.socket", type("_CountedSocket", (socket.socket,), methods)):
        yield counts
