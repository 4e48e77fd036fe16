"""What a person does with the integration, done over Home Assistant's own API."""

from collections.abc import Mapping
from dataclasses import dataclass
import json
from typing import Any

from .failure import Failure
from .home_assistant import HomeAssistant
from .rest import fetch
from .simulator import Simulator

DOMAIN = "plex_auth"

_FLOW = "/api/config/config_entries/flow"
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
        flow = self._continue(flow, {"servers": chosen})
        _expect(flow, "create_entry")
        (entry,) = self.home_assistant.entries(DOMAIN)
        if entry["state"] != "loaded":
            raise Failure(f"the entry is {entry['state']}: {entry['reason']}")
        return str(entry["state"])

    def devices(self) -> list[dict[str, Any]]:
        """Return the devices and their enabled entities with name and state.

        Raises `Failure` when a device or state is missing.
        """
        devices: list[dict[str, Any]] = self.home_assistant.render(_DEVICES)
        names = {device["name"] for device in devices}
        if missing := {"Anna", "Living Room", "Basement"} - names:
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
        fields: Mapping[str, dict[str, object]] = {
            "get_token_details": {},
            "get_servers": {},
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

    def secrets(self, responses: Mapping[str, Any]) -> set[str]:
        """Return what has to stay secret of this walk."""
        account = self.simulator.account(self.username)
        storage = self.home_assistant.config / ".storage/core.config_entries"
        entries = json.loads(storage.read_text())["data"]["entries"]
        return {
            account["password"],
            account["totp_secret"],
            next(one["data"]["token"] for one in entries if one["domain"] == DOMAIN),
            responses["get_transient_token"]["token"],
            responses["get_source_connection_information"]["access_token"],
        }

    def _start_flow(self) -> dict[str, Any]:
        flow: dict[str, Any] = self.home_assistant.rest.post(
            _FLOW, {"handler": DOMAIN, "show_advanced_options": False}
        )
        return flow

    def _continue(
        self, flow: Mapping[str, Any], content: dict[str, object]
    ) -> dict[str, Any]:
        result: dict[str, Any] = self.home_assistant.rest.post(
            f"{_FLOW}/{flow['flow_id']}", content
        )
        return result


def _expect(flow: Mapping[str, Any], kind: str, step: str | None = None) -> None:
    if flow["type"] != kind or (step and flow["step_id"] != step):
        shown = flow.get("errors") or flow.get("reason") or flow.get("step_id")
        wanted = f"{kind} {step}" if step else kind
        raise Failure(
            f"the config flow came to {flow['type']} {shown} instead of {wanted}"
        )


def _expect_equal(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise Failure(f"{what}: {found!r} instead of {wanted!r}")
