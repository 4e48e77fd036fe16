"""Every way through every dialog, each from a beginning that it makes for itself."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from unittest.mock import patch

from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_auth.api import reachability
from homeassistant.config_entries import SOURCE_REAUTH
from tests.helpers import (
    account_coordinator,
    async_add_account,
    async_settle,
    server_coordinator,
    source_of,
    subentry_of,
    with_typed_token,
)
from tests.home_users import home_user_data
from tests.plex_simulator import Account, MediaServer
from tests.walks import ways
from tests.walks.names import DOMAIN, SIGN_IN_WAYS, Action, Field, Issue
from tests.walks.rest import RestDialog
from tests.walks.ways import REAUTH, RECONFIGURE, Way

from .audited_user import AuditedUser


@dataclass(frozen=True, slots=True)
class DialogPath:
    """Hold what opens a dialog anew, whatever has been before, and the way through it."""

    open: Callable[[], Awaitable[RestDialog]]
    way: Callable[[], Way]


@dataclass(frozen=True, slots=True)
class Openings:
    """Open each dialog in a Home Assistant that has what the dialog needs, and no more."""

    user: AuditedUser

    async def new_account(self) -> RestDialog:
        """Open the dialog of a new account."""
        await self.remove_all()
        return await self.user.api.open_account()

    async def reauth(self) -> RestDialog:
        """Open the dialog that asks to sign in again."""
        entry = await self.add_account()
        self.user.world.two_factor.revoke_tokens()
        await account_coordinator(entry).async_refresh()
        await async_settle(self.user.hass)
        (flow,) = entry.async_get_active_flows(self.user.hass, {SOURCE_REAUTH})
        dialog = self.user.api.find_account(flow["flow_id"])
        await dialog.look()
        return dialog

    async def reconfigure(self) -> RestDialog:
        """Open the dialog that renews a sign-in."""
        entry = await self.add_account()
        return await self.user.api.open_account(entry.entry_id)

    async def new_server(self) -> RestDialog:
        """Open the dialog of a new server."""
        entry = await self.add_account()
        return await self.user.api.open_server(entry.entry_id)

    async def change(self, server: MediaServer) -> RestDialog:
        """Open the dialog that changes a server."""
        entry = await self.add_account()
        subentry_id = subentry_of(entry, server).subentry_id
        return await self.user.api.open_server(entry.entry_id, subentry_id)

    async def new_home_user(self) -> RestDialog:
        """Open the dialog of a new Home user."""
        entry = await self.add_account()
        return await self.user.api.open_home_user(entry.entry_id)

    async def switch_again(self, home_user: Account) -> RestDialog:
        """Open the dialog that switches to a Home user again."""
        entry = await self.add_account(home_user)
        return await self.user.api.open_home_user(
            entry.entry_id, self.user.home_user_id(home_user)
        )

    async def rejected(self, home_user: Account) -> RestDialog:
        """Open the repair of a Home user whose token plex.tv rejects."""
        entry = await self.add_account(home_user)
        home_user.revoke_tokens()
        subentry_id = self.user.home_user_id(home_user)
        await entry.runtime_data.home_users[subentry_id].async_check_now()
        await async_settle(self.user.hass)
        issue_id = f"{Issue.HOME_USER_SIGN_IN}_{subentry_id}"
        return await self.user.api.open_repair(issue_id)

    async def gone(self, home_user: Account) -> RestDialog:
        """Open the repair of a Home user who has left the Home."""
        home = self.user.world.home.home
        home.members.remove(home_user)
        dialog = await self.rejected(home_user)
        home.members.append(home_user)
        return dialog

    async def devices(self) -> RestDialog:
        """Open the dialog that signs devices out."""
        entry = await self.add_account()
        self.user.world.two_factor.add_device()
        return await self.user.api.open_devices(entry.entry_id)

    async def refused(self) -> RestDialog:
        """Open the repair of a server that refuses its typed token."""
        entry, far = await self.add_account(), self.user.far
        far.rotate_access_tokens()
        device: ways.Typed = {Field.DEVICE: self.user.device_id(far)}
        assert not await self.user.act(Action.TRANSIENT_TOKEN, device)
        subentry_id = subentry_of(entry, far).subentry_id
        return await self.user.api.open_repair(f"{Issue.TOKEN_REFUSED}_{subentry_id}")

    async def not_reached(self) -> RestDialog:
        """Open the repair of a server that no listed address leads to."""
        server = self.user.world.living_room
        entry = await self.add_account()
        listed, server.presence = server.connections, True
        nowhere = replace(listed[0], port=1, uri="http://127.0.0.1:1")
        server.connections = [nowhere]
        at_once = timedelta(0)
        with (
            patch.object(reachability, "_LOSS", at_once),
            patch.object(reachability, "_PRESENCE_LAG", at_once),
        ):
            await server.stop()
            await server_coordinator(entry, server).async_check_now()
            await account_coordinator(entry).async_check_now()
            await async_settle(self.user.hass)
        subentry_id = subentry_of(entry, server).subentry_id
        dialog = await self.user.api.open_repair(f"{Issue.NOT_REACHED}_{subentry_id}")
        # Not sooner: there would be nothing to repair as soon as it is reached.
        server.connections = listed
        await server.start()
        return dialog

    async def add_account(self, *home_users: Account) -> MockConfigEntry:
        """Add Anna with a server of hers, one with a typed token, and users of her Home."""
        await self.remove_all()
        world = self.user.world
        return await async_add_account(
            self.user.hass,
            self.user.simulator,
            world.two_factor,
            [
                world.living_room,
                with_typed_token(self.user.far),
                *map(home_user_data, home_users),
            ],
        )

    async def remove_all(self) -> None:
        """Remove all accounts, and what asks for a new sign-in with them."""
        entries = self.user.hass.config_entries
        await self.user.close_all()
        for entry in entries.async_entries(DOMAIN):
            await entries.async_remove(entry.entry_id)
        await async_settle(self.user.hass)


def dialog_paths(user: AuditedUser) -> dict[str, list[DialogPath]]:
    """Return the ways through all dialogs, by the key of their texts."""
    opening, anna, basement = Openings(user), user.anna, user.world.basement
    anna_account = user.world.two_factor
    child, managed = user.world.home.child, user.world.home.managed
    (spare,) = [one for one in user.simulator.servers.values() if one.name == "Garage"]

    def typed_token(server: MediaServer) -> str:
        return server.access_token_for(server.owner)

    return {
        "config": [
            *(
                DialogPath(
                    opening.new_account, partial(ways.add_account, anna, way, [])
                )
                for way in SIGN_IN_WAYS
            ),
            *(
                DialogPath(opening.reauth, partial(ways.renew, anna, way, REAUTH))
                for way in SIGN_IN_WAYS
            ),
            *(
                DialogPath(
                    opening.reconfigure, partial(ways.renew, anna, way, RECONFIGURE)
                )
                for way in SIGN_IN_WAYS
            ),
        ],
        "config_subentries.server": [
            DialogPath(
                opening.new_server,
                partial(ways.add_listed_server, basement.machine_identifier),
            ),
            DialogPath(
                opening.new_server,
                partial(ways.add_server_by_address, spare.http_url, typed_token(spare)),
            ),
            DialogPath(
                partial(opening.change, user.world.living_room),
                partial(ways.watch_sources, [source_of(basement)]),
            ),
            DialogPath(
                partial(opening.change, user.far),
                partial(ways.change_address, user.far.http_url, typed_token(user.far)),
            ),
        ],
        "config_subentries.home_user": [
            DialogPath(
                opening.new_home_user,
                partial(ways.add_home_user, child.uuid, child.pin),
            ),
            DialogPath(
                opening.new_home_user, partial(ways.add_home_user, managed.uuid)
            ),
            DialogPath(
                partial(opening.switch_again, child),
                partial(ways.switch_again, child.pin),
            ),
            DialogPath(partial(opening.switch_again, managed), ways.switch_again),
        ],
        "options": [
            DialogPath(
                opening.devices,
                lambda: ways.sign_out_devices(
                    [list(anna_account.token_details.values())[-1].device_id]
                ),
            ),
        ],
        "issues": [
            DialogPath(
                opening.refused, lambda: ways.renew_server_token(typed_token(user.far))
            ),
            DialogPath(
                opening.not_reached,
                partial(ways.type_address, user.world.living_room.http_url),
            ),
            DialogPath(
                partial(opening.rejected, child),
                partial(ways.repair_home_user, child.pin),
            ),
            DialogPath(partial(opening.rejected, managed), ways.repair_home_user),
            DialogPath(partial(opening.gone, managed), ways.remove_home_user),
        ],
    }
