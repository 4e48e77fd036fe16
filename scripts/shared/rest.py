"""JSON over HTTP, as far as the scripts need it."""

from collections.abc import Mapping
from dataclasses import dataclass
import json
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

from .failure import Failure

# What the scripts talk to runs on this machine: no proxy may come in between.
_open = build_opener(ProxyHandler({})).open


@dataclass
class Rest:
    """Requests to the addresses under `base_url`, with a token once there is one."""

    base_url: str
    token: str | None = None

    def get(self, path: str) -> Any:
        """Return the JSON that an address answers; raises as `post` does."""
        return json.loads(self._send("GET", path, None, {}))

    def delete(self, path: str) -> Any:
        """Delete what has an address and return the JSON of the answer, as `post`."""
        return json.loads(self._send("DELETE", path, None, {}))

    def post(self, path: str, content: Mapping[str, object] | None = None) -> Any:
        """Send JSON and return the JSON of the answer.

        Raises `Failure` when the answer is an error, OSError when there is none.
        """
        return json.loads(self.post_for_text(path, content))

    def post_for_text(
        self, path: str, content: Mapping[str, object] | None = None
    ) -> str:
        """Send JSON and return the text of the answer; raises as `post` does."""
        body = json.dumps(content or {}).encode()
        return self._send("POST", path, body, {"Content-Type": "application/json"})

    def post_form(self, path: str, fields: Mapping[str, str]) -> Any:
        """Send a form and return the JSON of the answer; raises as `post` does."""
        return json.loads(self._send("POST", path, urlencode(fields).encode(), {}))

    def _send(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> str:
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        request = Request(
            f"{self.base_url}{path}", data=body, headers=headers, method=method
        )
        try:
            with _open(request, timeout=30) as response:
                return str(response.read().decode())
        except HTTPError as error:
            with error:
                text = error.read(300).decode(errors="replace")
            raise Failure(f"{method} {path} answered {error.code}: {text}") from None


def fetch(url: str) -> tuple[str, bytes]:
    """Return the content type and the body at a URL; raises OSError when it fails."""
    with _open(url, timeout=30) as response:
        return response.headers.get_content_type(), response.read()
