"""The demo's walk: `python -m tests.walks.demo`, with the world on standard input.

It goes through the integration with two accounts of the simulator, over Home Assistant's
own API, and writes what it has found to a file.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
import json
from pathlib import Path
import sys
from typing import Any

from aiohttp import ClientSession

from scripts.shared.failure import Failure, run_script
from scripts.shared.progress import step
from scripts.shared.simulator import Simulator

from . import ways
from .names import DOMAIN, Action, Entity, Field, Step
from .rest import Api
from .world import (
    ANNA,
    ANNAS_NAME,
    ANSWERS,
    BASEMENT,
    FRITZ,
    FRITZ_NAME,
    LINA,
    LINAS_SECTIONS,
    LIVING_ROOM,
    MALLORY,
    device_id,
    lina,
    machine_identifier,
    page,
    person,
    source,
)

_ENTRY = "/api/config/config_entries/entry"
_LONGEST_WAIT = 30
_AS_CHILD = f"{Action.TRANSIENT_TOKEN} with {Field.HOME_USER}"


def _entity_id(entity: Entity, *names: str) -> str:
    platform, _, key = entity.partition(".")
    server, *others = (name.lower().replace(" ", "_") for name in names)
    return f"{platform}.{'_'.join([server, key, *others])}"


_OF_LIVING_ROOM = _entity_id(Entity.CONNECTION, LIVING_ROOM)


@dataclass(frozen=True)
class Demo:
    """The integration in a Home Assistant that is reached over its API."""

    api: Api
    simulator: Simulator

    async def add_accounts(self) -> None:
        """Add an account with one of its servers, and one without a server."""
        with step("Signing in with password and verification code"):
            identifier = partial(machine_identifier, self.simulator)
            anna, fritz = (person(self.simulator, name) for name in (ANNA, FRITZ))
            dialog = await self.api.open_account()
            await dialog.walk(ways.sign_in(anna, Step.PASSWORD))
            (servers,) = dialog.result["data_schema"]
            own = {identifier(LIVING_ROOM), identifier(BASEMENT)}
            _expect("servers chosen beforehand", set(servers["default"]), own)
            await dialog.walk(ways.choose_servers([identifier(LIVING_ROOM)]))
            await self.entry(ANNAS_NAME)
        with step("Linking a second account by a code"):
            dialog = await self.api.open_account()
            await dialog.walk(ways.add_account(fritz, Step.LINK, None))
            await self.entry(FRITZ_NAME)

    async def change_servers(self) -> None:
        """Add a server, and let another one watch it as a source."""
        entry_id = (await self.entry(ANNAS_NAME))["entry_id"]
        with step("Adding a server by its address"):
            dialog = await self.api.open_server(entry_id)
            url = self.simulator.server(BASEMENT)["http_url"]
            await dialog.walk(ways.add_server_by_address(url))
            await self.wait_for(_entity_id(Entity.CONNECTION, BASEMENT), "custom")
        with step("Watching a source"):
            subentry_id = await self.device("config_subentry_id")
            dialog = await self.api.open_server(entry_id, subentry_id)
            await dialog.walk(ways.watch_sources([source(self.simulator)]))
            entity_id = _entity_id(Entity.SOURCE, LIVING_ROOM, BASEMENT)
            await self.wait_for(entity_id, "local")

    async def add_child(self) -> dict[str, Any]:
        """Add a child of the Home; return a token that opens what the child may see."""
        entry_id = (await self.entry(ANNAS_NAME))["entry_id"]
        with step("Adding a child of the Plex Home with a PIN"):
            child = lina(self.simulator)
            dialog = await self.api.open_home_user(entry_id)
            await dialog.walk(ways.add_home_user(child["uuid"], child["pin"]))
            sign_in = _entity_id(Entity.SIGN_IN, LINA)
            await self.wait_for(sign_in, "off")
        with step("Getting a token with the child's rights"):
            fields: ways.Typed = {
                Field.DEVICE: await self.device("id"),
                Field.HOME_USER: await self.device("id", sign_in),
            }
            answer = await self.api.call(Action.TRANSIENT_TOKEN, fields)
            response: dict[str, Any] = answer["service_response"]
            _expect("whose rights it has", response["home_user"], LINA)
            headers = {"X-Plex-Token": response["token"], "Accept": "application/json"}
            url = f"{response['server']['uri']}/library/sections"
            async with (
                ClientSession() as player,
                player.get(url, headers=headers) as it,
            ):
                found = (await it.json())["MediaContainer"]["Directory"]
            titles = [section["title"] for section in found]
            _expect("what the child may see", titles, LINAS_SECTIONS)
        return response

    async def call_actions(self) -> dict[str, Any]:
        """Call all actions and return their responses."""
        entry_id = (await self.entry(ANNAS_NAME))["entry_id"]
        server = await self.device("id")
        simulator = self.simulator
        calls = ways.calls(
            entry_id, server, source(simulator), page(simulator), device_id(simulator)
        )
        responses: dict[str, Any] = {
            action: (await self.api.call(action, fields))["service_response"]
            for action, fields in calls.items()
        }
        for action, (key, value) in ANSWERS.items():
            answered = f'"{key}": "{value}' in json.dumps(responses[action])
            _expect(f"{action} has {key} {value}", answered, True)
        url = responses[Action.TRANSIENT_TOKEN]["url"]
        async with ClientSession() as player, player.get(url) as played:
            _expect("what the URL plays", played.content_type, "video/x-matroska")
        found = responses[Action.SOURCE_CONNECTION]
        _expect("best connection", found["best"] in found["connections"], True)
        return responses

    async def states(self) -> dict[str, dict[str, Any]]:
        """Return the states of the enabled entities, by their ids."""
        own = await self.render(f"{{{{ integration_entities('{DOMAIN}') | to_json }}}}")
        states = await self.api.request("GET", "/api/states")
        return {one["entity_id"]: one for one in states if one["entity_id"] in own}

    async def check_states(self, issued: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the states, all at work; a sensor knows the token that was issued."""
        states = await self.states()
        names = [state["attributes"]["friendly_name"] for state in states.values()]
        for device in (ANNAS_NAME, FRITZ_NAME, LIVING_ROOM, BASEMENT, LINA):
            has_some = any(name.startswith(device) for name in names)
            _expect(f"{device} has entities", has_some, True)
        is_some_away = any(one["state"] == "unavailable" for one in states.values())
        _expect("some are unavailable", is_some_away, False)
        expires = states[_entity_id(Entity.TRANSIENT_TOKEN_EXPIRES, LIVING_ROOM)]
        seconds = len("2026-11-01T00:00:00")
        found, wanted = expires["state"][:seconds], issued["expires_at"][:seconds]
        _expect("token expires", found, wanted)
        return list(states.values())

    async def meet_hostile_names(self) -> None:
        """Add an account with hostile names: they are texts, and nothing follows them."""
        mallory = self.simulator.account(MALLORY)
        described = self.simulator.description["servers"]
        own = [one for one in described if one["owner"] == MALLORY]
        with step("Adding an account with hostile names"):
            dialog = await self.api.open_account()
            chosen = [one["machine_identifier"] for one in own]
            who = person(self.simulator, MALLORY)
            await dialog.walk(ways.add_account(who, Step.PASSWORD, chosen))
            entry = await self.entry(mallory["title"])
        with step("Reading hostile names"):
            names = [mallory["title"], *(one["name"] for one in own)]
            for action, key, name in (
                (Action.TOKEN_DETAILS, "title", mallory["title"]),
                (Action.SERVERS, "name", own[0]["name"]),
                (Action.DEVICES, "name", own[0]["name"]),
            ):
                fields: ways.Typed = {Field.ENTRY: entry["entry_id"]}
                response = (await self.api.call(action, fields))["service_response"]
                told = f'"{key}": {json.dumps(name)}' in json.dumps(response)
                _expect(f"{action} has {name}", told, True)
            shown = [
                state["attributes"]["friendly_name"]
                for state in (await self.states()).values()
            ]
            for name in names:
                has_some = any(one.startswith(f"{name} ") for one in shown)
                _expect(f"{name} has entities", has_some, True)
            asked = self.simulator.control.get("/beacon")["requests"]
            _expect("followed names", asked, [])

    async def end(self) -> None:
        """Reload the accounts and remove them: all is as before, and nothing is left."""
        with step("Reloading the accounts"):
            before = (await self.states()).keys()
            for entry in await self.entries():
                await self.api.request("POST", f"{_ENTRY}/{entry['entry_id']}/reload")
                await self.entry(entry["title"])
            _expect("entities", (await self.states()).keys(), before)
        with step("Removing the accounts"):
            for entry in await self.entries():
                await self.api.request("DELETE", f"{_ENTRY}/{entry['entry_id']}")
            _expect("entries left", await self.entries(), [])
            _expect("entities left", await self.states(), {})
            asked = self.simulator.control.get("/requests?endpoint=signout")["requests"]
            _expect("signed out", [request["status"] for request in asked], [204] * 3)

    def secrets(self, responses: Mapping[str, Any]) -> list[str]:
        """Return what has to stay secret of this walk."""
        account = self.simulator.account(ANNA)
        asked = self.simulator.control.get("/requests")["requests"]
        return [
            account["password"],
            account["totp_secret"],
            responses[Action.TRANSIENT_TOKEN]["token"],
            responses[Action.SOURCE_CONNECTION]["access_token"],
            responses[_AS_CHILD]["token"],
            *filter(None, {one["headers"].get("X-Plex-Token") for one in asked}),
        ]

    async def entries(self) -> list[dict[str, Any]]:
        """Return the entries with their states."""
        entries: list[dict[str, Any]] = await self.api.request(
            "GET", f"{_ENTRY}?domain={DOMAIN}"
        )
        return entries

    async def entry(self, title: str) -> dict[str, Any]:
        """Return an entry, which has to be loaded."""
        found = [one for one in await self.entries() if one["title"] == title]
        shown = [(one["state"], one["reason"]) for one in found]
        _expect(f"the entry {title}", shown, [("loaded", None)])
        return found[0]

    async def wait_for(self, entity_id: str, state: str) -> None:
        """Wait until an entity has a state: what was changed is set up meanwhile."""
        template = f"{{{{ states('{entity_id}') | to_json }}}}"
        async with asyncio.timeout(_LONGEST_WAIT):
            while await self.render(template) != state:
                await asyncio.sleep(0.2)

    async def device(self, attribute: str, entity_id: str = _OF_LIVING_ROOM) -> str:
        """Return something of an entity's device, by default the living room's server."""
        attribute = f"device_attr('{entity_id}', '{attribute}')"
        return str(await self.render(f"{{{{ {attribute} | to_json }}}}"))

    async def render(self, template: str) -> Any:
        """Return what a template renders, which must be JSON."""
        return await self.api.request("POST", "/api/template", {"template": template})


def _expect(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise Failure(f"{what}: {found!r} instead of {wanted!r}")


async def _walk(given: dict[str, Any]) -> dict[str, object]:
    """Walk through the integration and return what was found."""
    simulator = Simulator(given["simulator"])
    headers = {"Authorization": f"Bearer {given['token']}"}
    async with ClientSession(given["url"], headers=headers) as session:
        demo = Demo(Api(session), simulator)
        await demo.add_accounts()
        await demo.change_servers()
        as_child = await demo.add_child()
        with step("Calling the actions"):
            responses = await demo.call_actions()
        responses[_AS_CHILD] = as_child
        with step("Reading the entities"):
            states = await demo.check_states(responses[Action.TRANSIENT_TOKEN])
        found = {
            "version": (await demo.api.request("GET", "/api/config"))["version"],
            "entry_state": (await demo.entry(ANNAS_NAME))["state"],
            "states": states,
            "responses": responses,
            "secrets": demo.secrets(responses),
        }
        if given["check"]:
            await demo.meet_hostile_names()
            await demo.end()
        return found


def main() -> int:
    """Walk through what standard input describes, and return the exit code."""
    given = json.load(sys.stdin)
    try:
        found = asyncio.run(_walk(given))
    except (AssertionError, TimeoutError) as error:
        raise Failure(str(error) or "Home Assistant takes too long") from None
    Path(given["result"]).write_text(json.dumps(found))
    return 0


run_script(main)
