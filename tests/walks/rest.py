"""The driver for a Home Assistant that is reached over its API.

It may be in the same process or in one of its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
import json
from typing import Any, override

from aiohttp import ClientSession
from aiohttp.test_utils import TestClient

from .driver import Driver
from .names import DOMAIN, Action

_CONFIG_FLOW = "/api/config/config_entries/flow"
_SUBENTRY_FLOW = "/api/config/config_entries/subentries/flow"
_OPTIONS_FLOW = "/api/config/config_entries/options/flow"
_REPAIR_FLOW = "/api/repairs/issues/fix"


@dataclass(slots=True)
class Api:
    """Do what a page of Home Assistant does; `hear` gets each page of a dialog."""

    client: ClientSession | TestClient[Any, Any]
    hear: Callable[[str, object], None] = lambda step, page: None

    async def request(
        self, method: str, path: str, content: Mapping[str, object] | None = None
    ) -> Any:
        """Return the JSON of an answer."""
        async with self.client.request(method, path, json=content) as response:
            text = await response.text()
            assert response.status == HTTPStatus.OK, f"{method} {path}: {text}"
            return json.loads(text)

    async def call(self, action: Action, fields: Mapping[str, object]) -> Any:
        """Call an action and return its answer with the response in it."""
        path = f"/api/services/{DOMAIN}/{action}?return_response"
        return await self.request("POST", path, fields)

    async def open_account(self, entry_id: str | None = None) -> RestDialog:
        """Open the dialog of a new account, or the one that renews a sign-in."""
        entry = {} if entry_id is None else {"entry_id": entry_id}
        return await self._open(_CONFIG_FLOW, {"handler": DOMAIN, **entry})

    async def open_server(
        self, entry_id: str, subentry_id: str | None = None
    ) -> RestDialog:
        """Open the dialog of a new server, or the one that changes a server."""
        return await self._open_subentry([entry_id, "server"], subentry_id)

    async def open_home_user(
        self, entry_id: str, subentry_id: str | None = None
    ) -> RestDialog:
        """Open the dialog of a new Home user, or the one that switches again."""
        return await self._open_subentry([entry_id, "home_user"], subentry_id)

    async def open_devices(self, entry_id: str) -> RestDialog:
        """Open the dialog that signs devices out of an account."""
        return await self._open(_OPTIONS_FLOW, {"handler": entry_id})

    async def open_repair(self, issue_id: str) -> RestDialog:
        """Open the dialog that repairs an issue."""
        return await self._open(_REPAIR_FLOW, {"handler": DOMAIN, "issue_id": issue_id})

    def find_account(self, flow_id: str) -> RestDialog:
        """Return a dialog of an account that is open already, not looked at."""
        return RestDialog(api=self, path=f"{_CONFIG_FLOW}/{flow_id}")

    async def _open_subentry(
        self, handler: list[str], subentry_id: str | None
    ) -> RestDialog:
        subentry = {} if subentry_id is None else {"subentry_id": subentry_id}
        return await self._open(_SUBENTRY_FLOW, {"handler": handler, **subentry})

    async def _open(self, path: str, start: Mapping[str, object]) -> RestDialog:
        page = await self.request("POST", path, start)
        dialog = RestDialog(api=self, path=f"{path}/{page['flow_id']}")
        dialog.take(page)
        return dialog


@dataclass(kw_only=True, repr=False)
class RestDialog(Driver):
    """A dialog that has an address."""

    api: Api
    path: str

    @override
    async def send(self, content: Mapping[str, Any]) -> None:
        self.take(await self.api.request("POST", self.path, content))

    @override
    async def look(self) -> None:
        self.take(await self.api.request("GET", self.path))

    async def close(self) -> None:
        """Close the dialog."""
        await self.api.request("DELETE", self.path)

    def take(self, page: dict[str, Any]) -> None:
        """Take what is shown, and let it be heard."""
        self.result = page
        step = page.get("step_id") or page.get("reason") or page["type"]
        self.api.hear(str(step), page)
