"""Somebody who opens dialogs, goes on in any of them, and closes them."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_auth.const import (
    DOMAIN,
    SUBENTRY_TYPE_HOME_USER,
    SUBENTRY_TYPE_SERVER,
)
from custom_components.plex_auth.issues import Issue
from homeassistant.components.repairs import repairs_flow_manager
from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    SOURCE_USER,
    ConfigSubentry,
    SubentryFlowContext,
)
from homeassistant.data_entry_flow import FlowManager, InvalidData, UnknownFlow
from homeassistant.helpers import issue_registry as ir
from tests.harness import Harness
from tests.helpers import async_use_api, source_of
from tests.plex_simulator import Account, MediaServer
from tests.plex_simulator.worlds import CHILD_PIN

type Manager = FlowManager[Any, Any, Any]
type Picks = Iterator[int]

_WAYS: Final = ("link", "password", "token")
_MENUS: Final = ("user", "reauth_confirm", "reconfigure", "link_failed")


@dataclass(slots=True)
class Dialogs:
    """Open, go on in and close the dialogs of an integration, as they are drawn."""

    harness: Harness
    servers: list[MediaServer]
    home_users: list[Account]
    # Gets the servers for which an address without TLS is typed or agreed to.
    typed: set[MediaServer]

    async def open_sign_in(self) -> None:
        """Open a dialog that adds an account."""
        flows = self.harness.hass.config_entries.flow
        result = await flows.async_init(DOMAIN, context={"source": SOURCE_USER})
        await async_use_api(
            self.harness.hass, self.harness.simulator, result["flow_id"]
        )

    async def open_server(
        self, entry: MockConfigEntry, subentry: ConfigSubentry | None
    ) -> None:
        """Open a dialog that adds a server, or changes one."""
        if subentry is not None:
            await entry.start_subentry_reconfigure_flow(
                self.harness.hass, subentry.subentry_id
            )
            return
        await self.harness.hass.config_entries.subentries.async_init(
            (entry.entry_id, SUBENTRY_TYPE_SERVER), context={"source": SOURCE_USER}
        )

    async def open_home_user(
        self,
        entry: MockConfigEntry,
        subentry: ConfigSubentry | None,
        picks: Picks,
        moves: int,
    ) -> None:
        """Open a dialog that adds a Home user, or switches again, and go on in it."""
        subentries = self.harness.hass.config_entries.subentries
        context = SubentryFlowContext(source=SOURCE_USER)
        if subentry is not None:
            context = SubentryFlowContext(
                source=SOURCE_RECONFIGURE, subentry_id=subentry.subentry_id
            )
        result = await subentries.async_init(
            (entry.entry_id, SUBENTRY_TYPE_HOME_USER), context=context
        )
        await self._go_on_in(subentries, result["flow_id"], picks, moves)

    async def open_devices(self, entry: MockConfigEntry) -> None:
        """Open a dialog that signs devices out, of an account with a further one."""
        self.harness.anna.add_device()
        await self.harness.hass.config_entries.options.async_init(entry.entry_id)

    async def open_repair(self, picks: Picks, moves: int) -> None:
        """Open the dialog of one of the issues that has one, and go on in it."""
        issues = ir.async_get(self.harness.hass).issues
        found = sorted(
            one.issue_id
            for one in issues.values()
            if one.domain == DOMAIN and one.active and one.is_fixable
        )
        if not found:
            return
        result = await self._repairs.async_init(
            DOMAIN, context={"issue_id": picked(found, picks)}
        )
        await self._go_on_in(self._repairs, result["flow_id"], picks, moves)

    def close_all(self) -> None:
        """Close all dialogs; one that asks to sign in again may come again at once."""
        for manager, flow in list(self._open()):
            manager.async_abort(flow["flow_id"])

    def close(self, picks: Picks) -> None:
        """Close one of the dialogs."""
        for manager, flow in self._picked(picks):
            manager.async_abort(flow["flow_id"])

    async def look(self, picks: Picks) -> None:
        """Close the page of one of the dialogs, and open it again."""
        for manager, flow in self._picked(picks):
            await self._look(manager, flow)

    async def go_on(self, picks: Picks) -> None:
        """Do the next thing in one of the dialogs, not always the right one."""
        for manager, flow in self._picked(picks):
            await self._go_on(manager, flow, picks)

    async def _go_on_in(
        self, manager: Manager, flow_id: str, picks: Picks, moves: int
    ) -> None:
        """Do the next things in a dialog, as long as it is open."""
        for _ in range(moves):
            for flow in manager.async_progress():
                if flow["flow_id"] == flow_id:
                    await self._go_on(manager, flow, picks)

    async def _go_on(self, manager: Manager, flow: Any, picks: Picks) -> None:
        """Do the next thing in a dialog."""
        step = flow["step_id"]
        if step == "link":
            pins = self.harness.simulator.pins
            pins.link(pins.latest.code, self._somebody(picks))
            return
        if step in ("link_done", "claim"):
            await self._look(manager, flow)
            return
        answer = self._sign_in_answer
        if manager is self.harness.hass.config_entries.subentries:
            answer = self._server_answer
            if flow["handler"][1] == SUBENTRY_TYPE_HOME_USER:
                answer = self._home_user_answer
        elif manager is self.harness.hass.config_entries.options:
            answer = self._devices_answer
        elif manager is self._repairs:
            answer = self._repair_answer
            self._note_agreed(flow["context"]["issue_id"], step)
        # A server may be picked that the form does not offer.
        with suppress(UnknownFlow, InvalidData):
            await manager.async_configure(flow["flow_id"], answer(step, picks))

    async def _look(self, manager: Manager, flow: Any) -> None:
        """Ask for what a page shows, as it does when it is opened again."""
        with suppress(UnknownFlow):
            await manager.async_configure(flow["flow_id"])

    def _sign_in_answer(self, step: str, picks: Picks) -> dict[str, Any]:
        """Return what somebody types in a dialog of signing in."""
        if step in _MENUS:
            return {"next_step_id": picked(_WAYS, picks)}
        if step == "servers":
            return {"servers": []}
        if step == "code":
            return {"verification_code": self.harness.anna.code()}
        person = self._somebody(picks)
        if step == "token":
            return {"token": person.sign_in_token("another client")}
        assert step == "password", step
        return {"username": person.username, "password": person.password}

    def _server_answer(self, step: str, picks: Picks) -> dict[str, Any]:
        """Return what somebody types in a dialog of a server."""
        if step == "user":
            return {"next_step_id": picked(("listed", "address"), picks)}
        server = picked(self.servers, picks)
        if step == "listed":
            return {"server": server.machine_identifier}
        automatic: dict[str, Any] = {"verify_ssl": True}
        address = {**automatic, "url": server.http_url}
        if step == "reconfigure":
            sources = {"sources": [source_of(picked(self.servers, picks))]}
            address = {**picked((automatic, address), picks), **sources}
        else:
            assert step == "address", step
        if "url" in address:
            self.typed.add(server)
        return address

    def _home_user_answer(self, step: str, picks: Picks) -> dict[str, Any]:
        """Return what somebody selects or types in a dialog of a Home user."""
        if step == "user":
            return {"home_user": picked(self.home_users, picks).uuid}
        assert step in ("pin", "reconfigure"), step
        return self._pin(picks)

    def _pin(self, picks: Picks) -> dict[str, Any]:
        """Return a PIN, mostly the right one, or that somebody types none."""
        return picked(({"pin": CHILD_PIN}, {"pin": CHILD_PIN}, {"pin": "0"}, {}), picks)

    def _devices_answer(self, step: str, picks: Picks) -> dict[str, Any]:
        """Return which device somebody selects: any that there is or was, or none."""
        assert step == "init", step
        devices = list(self.harness.anna.token_details.values())
        chosen = picked((*devices, None), picks)
        return {"devices": [str(chosen.device_id)]} if chosen else {}

    def _repair_answer(self, step: str, picks: Picks) -> dict[str, Any]:
        """Return what somebody does in the dialog of a repair: mostly agree."""
        if step == "pin":
            return self._pin(picks)
        if step != "token":
            return {}
        server = picked(self.servers, picks)
        return {"token": server.access_token_for(server.owner)}

    def _note_agreed(self, issue_id: str, step: str) -> None:
        """Note that somebody agrees to the address that a repair shows."""
        if step != "confirm" or not issue_id.startswith(Issue.NOT_REACHED):
            return
        for entry in self.harness.hass.config_entries.async_entries(DOMAIN):
            for subentry in entry.subentries.values():
                if issue_id.endswith(subentry.subentry_id):
                    self.typed.update(
                        server
                        for server in self.servers
                        if server.machine_identifier == subentry.unique_id
                    )

    def _somebody(self, picks: Picks) -> Account:
        """Return Anna or, not so often, Ben."""
        return picked((self.harness.anna, self.harness.anna, self.harness.ben), picks)

    def _picked(self, picks: Picks) -> Iterator[tuple[Manager, Any]]:
        """Yield one of the dialogs, nothing where there is none."""
        if found := list(self._open()):
            yield picked(found, picks)

    def _open(self) -> Iterator[tuple[Manager, Any]]:
        """Yield the dialogs that are open, oldest first."""
        entries = self.harness.hass.config_entries
        for sign_in in entries.flow.async_progress_by_handler(DOMAIN):
            yield entries.flow, sign_in
        for server in entries.subentries.async_progress():
            yield entries.subentries, server
        for devices in entries.options.async_progress():
            yield entries.options, devices
        for repair in self._repairs.async_progress():
            yield self._repairs, repair

    @property
    def _repairs(self) -> Manager:
        """Return what keeps the dialogs of repairs."""
        repairs = repairs_flow_manager(self.harness.hass)
        assert repairs is not None
        return repairs


def picked[T](found: Sequence[T], picks: Picks) -> T:
    """Return one of what there is, by the next of the random numbers.

    What there is may depend on who was quicker; the numbers must not.
    """
    return found[next(picks) % len(found)]
