"""What happens to the users of a Plex Home in a random walk."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from custom_components.plex_auth.const import (
    CONF_CLIENT_IDENTIFIER,
    SUBENTRY_TYPE_HOME_USER,
)
from homeassistant.config_entries import ConfigSubentry

from .base import CANCELLED, PICKS, RandomWalkBase, in_event_loop
from .dialogs import Picks, picked


class HomeUserSteps(RandomWalkBase):
    """Add Home users, use their rights, and let Plex take them away."""

    def home_user_subentries(self) -> list[ConfigSubentry]:
        """Return the subentries of the Home users that are added."""
        return list(self.entry.get_subentries_of_type(SUBENTRY_TYPE_HOME_USER))

    def rights_of(self, token: str) -> list[str]:
        """Return whose rights a transient token has that was given just now."""
        return [
            one.transient_tokens[token].account.uuid
            for one in self.servers
            if token in one.transient_tokens
        ]

    @rule(picks=PICKS, is_new=st.booleans(), moves=st.integers(0, 4))
    @in_event_loop
    async def open_home_user(self, picks: Picks, is_new: bool, moves: int) -> None:
        """Open a dialog to add a Home user, or to switch again, and go on in it."""
        subentries = [] if is_new else self.home_user_subentries()
        for subentry in self.one_of(subentries, picks) or (None,):
            await self.dialogs.open_home_user(self.entry, subentry, picks, moves)

    @rule(picks=PICKS, when=CANCELLED)
    @in_event_loop
    async def get_transient_token_as(self, picks: Picks, when: int | None) -> None:
        """Get a transient token of a server with the rights of a Home user."""
        for user in self.one_of(self.devices(SUBENTRY_TYPE_HOME_USER), picks):
            uuid = self.entry.subentries[str(user.config_subentry_id)].unique_id
            for device in self.one_of(self.devices(), picks):
                subentry_id = str(device.config_subentry_id)
                self.tokens.pop(subentry_id, None)
                action = self.harness.call(
                    "get_transient_token", device_id=device.id, home_user=user.id
                )
                response = await self.call(action, when)
                if response is not None:
                    token = self.tokens[subentry_id] = response["token"]
                    # One that an impostor made up has no rights at all.
                    rights = self.rights_of(token)
                    assert rights in ([uuid], []), f"{rights} instead of {uuid}"

    @rule(picks=PICKS, when=CANCELLED)
    @in_event_loop
    async def get_servers_as(self, picks: Picks, when: int | None) -> None:
        """Get the servers of a Home user."""
        for user in self.one_of(self.devices(SUBENTRY_TYPE_HOME_USER), picks):
            await self.call(self.harness.call("get_servers", home_user=user.id), when)

    @rule(picks=PICKS)
    @in_event_loop
    async def remove_home_user(self, picks: Picks) -> None:
        """Remove a Home user from Home Assistant."""
        for subentry in self.one_of(self.home_user_subentries(), picks):
            self.harness.hass.config_entries.async_remove_subentry(
                self.entry, subentry.subentry_id
            )

    @rule(picks=PICKS)
    @in_event_loop
    async def reject_home_user(self, picks: Picks) -> None:
        """Let plex.tv reject the token of a Home user."""
        user = picked(self.home_users, picks)
        user.revoke_token(self.entry.data[CONF_CLIENT_IDENTIFIER])

    @precondition(lambda self: bool(self.home_members()))
    @rule(picks=PICKS)
    @in_event_loop
    async def leave_home(self, picks: Picks) -> None:
        """Let a user leave the Home."""
        user = picked(self.home_members(), picks)
        self.harness.simulator.homes.remove_member(user)

    @precondition(lambda self: self.home_members() != self.home_users)
    @rule()
    @in_event_loop
    async def come_home(self) -> None:
        """Let the users who have left the Home come back."""
        home = self.harness.world.home.home
        for user in self.home_users:
            if user not in home.members:
                self.harness.simulator.homes.add_member(home, user)
