"""The users of a Plex Home, by their types; and a switch to one, if it is wanted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from custom_components.plex_auth.api.homes import HomeUser
from custom_components.plex_auth.api.plex_tv import PlexTv

from . import expected
from .questions import Answer, yes
from .recorder import Recorder
from .stopped import Stopped


@dataclass(frozen=True)
class Switch:
    """The name of the Home user to switch to, and what returns the PIN if one is needed."""

    name: str
    ask_pin: Callable[[], str]


class HomeLook:
    """Look at a Home: list its users, and switch to one of them once."""

    def __init__(self, recorder: Recorder, plex: PlexTv, answers: list[Answer]) -> None:
        """Take what records, the calls to plex.tv, and where answers are added."""
        self._recorder = recorder
        self._check = recorder.check
        self._plex = plex
        self._answers = answers
        self._users: Sequence[HomeUser] = ()

    async def list_users(self, token: str, *, has_home: bool) -> None:
        """List the users of an account's Home, and count them by their types."""
        asked = self._plex.home_users(token)
        if not has_home:
            answer = " ".join(map(str, await self._recorder.attempt(asked)))
            self._answer("§20.13", "What is the answer without a Home?", answer)
            return
        self._users = await self._check(expected.HOME_USERS, asked) or ()
        counts = {
            "users": len(self._users),
            "admin": sum(user.admin for user in self._users),
            "guest": sum(user.guest for user in self._users),
            "restricted": sum(user.restricted for user in self._users),
            "protected": sum(user.protected for user in self._users),
        }
        told = ", ".join(f"{count} {name}" for name, count in counts.items())
        self._answer("§20.13", "Who is in the Home?", told)

    async def switch(self, token: str, wanted: Switch) -> None:
        """Switch to a user once, look at what the token opens, and sign it out.

        Raises Stopped if nobody of that name can be switched to.
        """
        user = self._find(wanted.name)
        pin = wanted.ask_pin() if user.protected else None
        switched = await self._check(
            expected.HOME_SWITCH, self._plex.switch_home_user(token, user, pin)
        )
        await self._ask_account(token, "Does the account's token work after a switch?")
        if switched is None:
            return
        listed = await self._check(
            expected.RESOURCES_OF_HOME_USER, self._plex.servers(switched)
        )
        echoed = {yes(one.access_token == switched) for one in listed or ()}
        self._answer(
            "§20.14",
            "Is the access token of a server the token of the switch?",
            " and ".join(sorted(echoed)) or "no server",
        )
        await self._check(expected.SIGN_OUT_OF_HOME_USER, self._plex.sign_out(switched))
        await self._ask_account(token, "And after the user's token was signed out?")

    def _find(self, name: str) -> HomeUser:
        for user in self._users:
            if user.title.casefold() == name.casefold() and not user.guest:
                return user
        raise Stopped("the Home has no user of that name, or it is a guest")

    async def _ask_account(self, token: str, question: str) -> None:
        status, _ = await self._recorder.attempt(self._plex.user(token))
        self._answer("§20.14", question, f"{yes(status == HTTPStatus.OK)}: {status}")

    def _answer(self, section: str, question: str, answer: str) -> None:
        self._answers.append(Answer(section, question, answer))
