"""The dialog of a repair, as the page of repairs walks through it."""

from collections.abc import Awaitable, Callable, Mapping
import json
import re
from typing import Any

from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_auth.const import DOMAIN

from .plex_simulator import Account, MediaServer
from .walks.markdown import check_names
from .walks.names import SECRET_FIELDS
from .walks.texts import texts_of

URL = "/api/repairs/issues/fix"


class RepairDialog:
    """Walk through the dialog of a repair as the page does, and check what is shown."""

    def __init__(self, client: TestClient[Any, Any], key: str, issue_id: str) -> None:
        """Take the client of an administrator."""
        self._client = client
        self._texts = texts_of(f"issues.{key}.fix_flow")
        self._issue_id = issue_id
        self.result: Mapping[str, Any] = {}
        self._typed: Mapping[str, object] = {}

    async def start(self) -> None:
        """Open the dialog."""
        await self._post(URL, {"handler": DOMAIN, "issue_id": self._issue_id})

    async def submit(self, **typed: object) -> None:
        """Submit the form."""
        self._typed = typed
        await self._post(f"{URL}/{self.result['flow_id']}", typed)

    @property
    def errors(self) -> Mapping[str, str]:
        """Return the errors that the form shows."""
        return self.result["errors"] or {}

    @property
    def fields(self) -> list[str]:
        """Return the names of the form's fields."""
        return [field["name"] for field in self.result["data_schema"]]

    async def look(self) -> None:
        """Look at what the dialog shows by now, as the page does when it is told to."""
        await self._take(await self._client.get(f"{URL}/{self.result['flow_id']}"))

    async def close(self) -> None:
        """Close the dialog."""
        await self._client.delete(f"{URL}/{self.result['flow_id']}")

    async def _post(self, url: str, data: Mapping[str, object]) -> None:
        await self._take(await self._client.post(url, json=data))

    async def _take(self, response: ClientResponse) -> None:
        assert response.status == 200, await response.text()
        self.result = await response.json()
        given = self.result.get("description_placeholders") or {}
        if self.result["type"] == "form":
            texts = self._texts["step"][self.result["step_id"]]
            _check_placeholders(texts, given)
            for field in self.result["data_schema"]:
                assert texts["data"][field["name"]]
                assert texts["data_description"][field["name"]]
                # What was typed is shown again, secrets excepted.
                is_secret = field["name"] in SECRET_FIELDS
                typed = None if is_secret else self._typed.get(field["name"])
                shown = field.get("description", {}).get("suggested_value")
                assert shown == typed
                assert not (is_secret and "default" in field)
            for key in self.errors.values():
                assert _placeholders(self._texts["error"][key]) <= given.keys()
        elif self.result["type"] == "progress":
            told = self._texts["progress"][self.result["progress_action"]]
            _check_placeholders(told, given)
        elif self.result["type"] == "abort":
            told = self._texts["abort"][self.result["reason"]]
            _check_placeholders(told, given)


type OpenRepair = Callable[
    [MockConfigEntry, MediaServer | Account, str], Awaitable[RepairDialog]
]


def _check_placeholders(texts: object, given: Mapping[str, str]) -> None:
    """Check that each placeholder of the texts is given, and that names are names."""
    assert _placeholders(texts) <= given.keys()
    check_names(texts, given)


def _placeholders(texts: object) -> set[str]:
    """Return the placeholders of texts."""
    return set(re.findall(r"\{(\w+)\}", json.dumps(texts)))
