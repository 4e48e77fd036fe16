"""What a person does with the integration, done over Home Assistant's own API."""

from collections.abc import Mapping
from dataclasses import dataclass
import json
import time
from typing import Any

from .failure import Failure
from .home_assistant import HomeAssistant
from .rest import fetch
from .simulator import Simulator

DOMAIN = "plex_auth"

_ENTRY = "/api/config/config_entries/entry"
_FLOW = "/api/config/config_entries/flow"
_SUBENTRY_FLOW = "/api/config/config_entries/subentries/flow"
_LONGEST_WAIT = 30
_SUBENTRY_ID = """
{{ device_attr('sensor.living_room_connection', 'config_subentry_id') | to_json }}
"""
_DEVICES = """
{% set ns = namespace(devices=[]) %}
{% for id in integration_entities('plex_auth') | map('device_id') | unique %}
  {% set entities = namespace(list=[]) %}
  {% for entity in device_entities(id) %}
    {% set state = states[entity] %}
    {% set entities.list = entities.list + [{
      'entity_id': entity, 'name': state.name, 'state': state.state
    }] %}
  {% endfor %}
  {% set ns.devices = ns.devices + [{
    'id': id, 'name': device_attr(id, 'name'), 'model': device_attr(id, 'model'),
    'entities': entities.list
  }] %}
{% endfor %}
{{ ns.devices | to_json }}
"""


@dataclass(frozen=True)
class Walk:
    """A walk through the integration with one account of the simulator."""

    home_assistant: HomeAssistant
    simulator: Simulator
    username: str = "anna"

    def sign_in(self) -> str:
        """Add the account by the config flow and return the state of its entry.

        Raises `Failure` when a step is not the one that is expected.
        """
        account = self.simulator.account(self.username)
        flow = self._start_flow()
        _expect(flow, "menu", "user")
        flow = self._continue(flow, {"next_step_id": "password"})
        _expect(flow, "form", "password")
        advanced = {"api_url": self.simulator.api_url}
        credentials = {"username": self.username, "password": account["password"]}
        flow = self._continue(flow, {**credentials, "advanced": advanced})
        _expect(flow, "form", "code")
        code = self.simulator.code(self.username)
        flow = self._continue(flow, {"verification_code": code})
        _expect(flow, "form", "servers")
        chosen = next(
            field["default"]
            for field in flow["data_schema"]
            if field["name"] == "servers"
        )
        own = {self._machine_identifier(name) for name in ("Living Room", "Basement")}
        _expect_equal("servers chosen beforehand", set(chosen), own)
        living_room = self._machine_identifier("Living Room")
        flow = self._continue(flow, {"servers": [living_room]})
        _expect(flow, "create_entry")
        return str(self._loaded_entry("Anna")["state"])

    def link(self, username: str, title: str) -> None:
        """Add an account by a code that is typed at plex.tv.

        Raises `Failure` when a step is not the one that is expected.
        """
        flow = self._continue(self._start_flow(), {"next_step_id": "link"})
        _expect(flow, "form", "link")
        advanced = {"api_url": self.simulator.api_url}
        flow = self._continue(flow, {"advanced": advanced})
        _expect(flow, "progress", "link_wait")
        code = flow["description_placeholders"]["code"]
        self.simulator.control.post(f"/pins/{code}/link", {"username": username})
        deadline = time.monotonic() + _LONGEST_WAIT
        while flow["type"] == "progress" and time.monotonic() < deadline:
            time.sleep(0.5)
            flow = self._continue(flow, {})
        _expect(flow, "create_entry")
        self._loaded_entry(title)

    def add_server_by_address(self) -> None:
        """Add a server of the account by the address that it has in this network.

        Raises `Failure` when a step is not the one that is expected.
        """
        entry_id = self._loaded_entry("Anna")["entry_id"]
        flow = self._start_subentry_flow(entry_id)
        _expect(flow, "menu", "user")
        flow = self._continue(flow, {"next_step_id": "address"}, _SUBENTRY_FLOW)
        _expect(flow, "form", "address")
        url = self.simulator.server("Basement")["http_url"]
        typed: dict[str, object] = {"url": url, "verify_ssl": True}
        flow = self._continue(flow, typed, _SUBENTRY_FLOW)
        _expect(flow, "create_entry")
        self._wait_for_entity("sensor.basement_connection", "custom")

    def watch_source(self) -> None:
        """Let a server watch another one as a source.

        Raises `Failure` when a step is not the one that is expected.
        """
        entry_id = self._loaded_entry("Anna")["entry_id"]
        subentry_id = self.home_assistant.render(_SUBENTRY_ID)
        flow = self._start_subentry_flow(entry_id, subentry_id)
        _expect(flow, "form", "reconfigure")
        source = f"server://{self._machine_identifier('Basement')}"
        typed: dict[str, object] = {"verify_ssl": True, "sources": [source]}
        flow = self._continue(flow, typed, _SUBENTRY_FLOW)
        _expect(flow, "abort")
        _expect_equal("the end", flow["reason"], "reconfigure_successful")
        self._wait_for_entity("sensor.living_room_source_basement", "local")

    def devices(self) -> list[dict[str, Any]]:
        """Return the devices and their enabled entities with name and state.

        Raises `Failure` when a device or state is missing.
        """
        devices: list[dict[str, Any]] = self.home_assistant.render(_DEVICES)
        names = {device["name"] for device in devices}
        if missing := {"Anna", "Fritz", "Living Room", "Basement"} - names:
            raise Failure(f"devices are missing: {', '.join(sorted(missing))}")
        for device in devices:
            for entity in device["entities"]:
                if entity["state"] == "unavailable":
                    raise Failure(f"{entity['entity_id']} is unavailable")
        return devices

    def call_actions(self) -> dict[str, Any]:
        """Call the four actions and return their responses by name.

        Raises `Failure` when one fails or does not answer what the simulator has.
        """
        server = self.simulator.server("Living Room")
        source = f"server://{self.simulator.server('Basement')['machine_identifier']}"
        device_id = next(
            one["id"] for one in self.devices() if one["name"] == server["name"]
        )
        entry_id = self._loaded_entry("Anna")["entry_id"]
        fields: Mapping[str, dict[str, object]] = {
            "get_token_details": {"config_entry_id": entry_id},
            "get_servers": {"config_entry_id": entry_id},
            "get_transient_token": {
                "device_id": device_id,
                "path": "/library/metadata/1/thumb",
            },
            "get_source_connection_information": {
                "device_id": device_id,
                "source": source,
            },
        }
        responses = {
            action: self.home_assistant.call(DOMAIN, action, given)
            for action, given in fields.items()
        }
        account = responses["get_token_details"]["account"]
        _expect_equal("account", account["username"], self.username)
        listed = {one["name"] for one in responses["get_servers"]["servers"]}
        _expect_equal("servers", "Living Room" in listed, True)
        played, _ = fetch(responses["get_transient_token"]["url"])
        _expect_equal("what the transient token opens", played, "image/png")
        found = responses["get_source_connection_information"]
        _expect_equal("source", found["name"], "Basement")
        _expect_equal("best connection", found["best"] in found["connections"], True)
        return responses

    def check_transient_token(
        self, devices: list[dict[str, Any]], responses: Mapping[str, Any]
    ) -> None:
        """Raise `Failure` unless the server's sensor knows the token just issued."""
        issued = responses["get_transient_token"]
        (state,) = (
            entity["state"]
            for device in devices
            if device["name"] == issued["server"]["name"]
            for entity in device["entities"]
            if entity["entity_id"].endswith("_transient_token_expires")
        )
        seconds = len("2026-11-01T00:00:00")
        _expect_equal("token expires", state[:seconds], issued["expires_at"][:seconds])

    def reload(self) -> None:
        """Reload the accounts; raises `Failure` unless all work as before."""
        before = self.devices()
        for entry in self.home_assistant.entries(DOMAIN):
            self.home_assistant.rest.post(f"{_ENTRY}/{entry['entry_id']}/reload")
            self._loaded_entry(entry["title"])
        _expect_equal("entities", _entity_ids(self.devices()), _entity_ids(before))

    def remove(self) -> None:
        """Remove the accounts; raises `Failure` unless nothing is left of them."""
        for entry in self.home_assistant.entries(DOMAIN):
            self.home_assistant.rest.delete(f"{_ENTRY}/{entry['entry_id']}")
        _expect_equal("entries left", self.home_assistant.entries(DOMAIN), [])
        _expect_equal("devices left", self.home_assistant.render(_DEVICES), [])
        signed_out = [
            request["status"]
            for request in self.simulator.control.get("/requests?endpoint=signout")[
                "requests"
            ]
        ]
        _expect_equal("signed out", signed_out, [204, 204])

    def secrets(self, responses: Mapping[str, Any]) -> set[str]:
        """Return what has to stay secret of this walk."""
        account = self.simulator.account(self.username)
        storage = self.home_assistant.config / ".storage/core.config_entries"
        entries = json.loads(storage.read_text())["data"]["entries"]
        return {
            account["password"],
            account["totp_secret"],
            *(one["data"]["token"] for one in entries if one["domain"] == DOMAIN),
            responses["get_transient_token"]["token"],
            responses["get_source_connection_information"]["access_token"],
        }

    def _machine_identifier(self, name: str) -> str:
        return str(self.simulator.server(name)["machine_identifier"])

    def _loaded_entry(self, title: str) -> dict[str, Any]:
        entries = self.home_assistant.entries(DOMAIN)
        entry = next((one for one in entries if one["title"] == title), None)
        if entry is None:
            raise Failure(f"there is no entry {title}")
        if entry["state"] != "loaded":
            raise Failure(f"the entry is {entry['state']}: {entry['reason']}")
        return entry

    def _wait_for_entity(self, entity_id: str, state: str) -> None:
        """Wait until an entity has a state: the entry reloads itself meanwhile."""
        deadline = time.monotonic() + _LONGEST_WAIT
        template = f"{{{{ states('{entity_id}') | to_json }}}}"
        while (found := self.home_assistant.render(template)) != state:
            if time.monotonic() > deadline:
                raise Failure(f"{entity_id} is {found} instead of {state}")
            time.sleep(0.2)

    def _start_subentry_flow(
        self, entry_id: str, subentry_id: str | None = None
    ) -> dict[str, Any]:
        content: dict[str, object] = {"handler": [entry_id, "server"]}
        if subentry_id is not None:
            content["subentry_id"] = subentry_id
        flow: dict[str, Any] = self.home_assistant.rest.post(_SUBENTRY_FLOW, content)
        return flow

    def _start_flow(self) -> dict[str, Any]:
        flow: dict[str, Any] = self.home_assistant.rest.post(
            _FLOW, {"handler": DOMAIN, "show_advanced_options": False}
        )
        return flow

    def _continue(
        self,
        flow: Mapping[str, Any],
        content: dict[str, object],
        address: str = _FLOW,
    ) -> dict[str, Any]:
        result: dict[str, Any] = self.home_assistant.rest.post(
            f"{address}/{flow['flow_id']}", content
        )
        return result


def _expect(flow: Mapping[str, Any], kind: str, step: str | None = None) -> None:
    if flow["type"] != kind or (step and flow["step_id"] != step):
        shown = flow.get("errors") or flow.get("reason") or flow.get("step_id")
        wanted = f"{kind} {step}" if step else kind
        raise Failure(
            f"the config flow came to {flow['type']} {shown} instead of {wanted}"
        )


def _entity_ids(devices: list[dict[str, Any]]) -> set[str]:
    return {entity["entity_id"] for device in devices for entity in device["entities"]}


def _expect_equal(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise Failure(f"{what}: {found!r} instead of {wanted!r}")
