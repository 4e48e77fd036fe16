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
        return self._send("GET", path, None, {})

    def post(self, path: str, content: Mapping[str, object] | None = None) -> Any:
        """Send JSON and return the JSON of the answer.

        Raises `Failure` when the answer is an error, OSError when there is none.
        """
        body, headers = json.dumps(content or {}), {"Content-Type": "application/json"}
        return self._send("POST", path, body, headers)

    def post_form(self, path: str, fields: Mapping[str, str]) -> Any:
        """Send a form and return the JSON of the answer; raises as `post` does."""
        return self._send("POST", path, urlencode(fields), {})

    def delete(self, path: str) -> Any:
        """Delete what is at an address and return the JSON answer; raises as `post` does."""
        return self._send("DELETE", path, None, {})

    def _send(
        self, method: str, path: str, body: str | None, headers: dict[str, str]
    ) -> Any:
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else body.encode()
        url = f"{self.base_url}{path}"
        request = Request(url, data=data, headers=headers, method=method)
        try:
            with _open(request, timeout=30) as response:
                return json.load(response)
        except HTTPError as error:
            with error:
                text = error.read(300).decode(errors="replace")
            raise Failure(f"{method} {path} answered {error.code}: {text}") from None
