"""The calls to plex.tv: sign in, link, user, servers, claim tokens, sign out."""

from typing import Final

from yarl import URL

from .errors import UnexpectedAnswerError
from .failures import link_error, plex_tv_error, sign_in_error
from .fields import unwrap
from .models import Account, ListedServer, Pin, SignIn
from .transport import Transport

PLEX_TV_API: Final = "https://plex.tv/api/v2"

_RESOURCES_PARAMS: Final = {
    "includeHttps": "1",
    "includeRelay": "1",
    "includeIPv6": "1",
}


class PlexTv:
    """Call plex.tv for one account.

    Every method raises the errors of `Transport.request` and of `failures`.
    """

    def __init__(self, transport: Transport, api_url: str = PLEX_TV_API) -> None:
        """Take the base address of the calls, plex.tv's own unless another is meant."""
        base = URL(api_url)
        self._transport = transport
        self._sign_in_url = base / "users" / "signin"
        self._sign_out_url = base / "users" / "signout"
        self._user_url = base / "user"
        self._resources_url = (base / "resources").with_query(_RESOURCES_PARAMS)
        self._pins_url = base / "pins"
        # A call of the first API, beside the second (plex-api.md §17.2).
        self._claim_token_url = base.parent / "claim" / "token.json"

    async def sign_in(
        self, login: str, password: str, verification_code: str | None = None
    ) -> SignIn:
        """Sign in with an e-mail address or user name (plex-api.md §1).

        Raises WrongCredentialsError, VerificationCodeRequiredError,
        VerificationCodeWrongError, EmailRequiredError and SignInBlockedError as well.
        Never repeat it by yourself: failures lock the household's address out.
        """
        form = {"login": login, "password": password, "rememberMe": "true"}
        if verification_code:
            form["verificationCode"] = verification_code
        return SignIn.parse(
            await self._transport.request(
                "POST", self._sign_in_url, sign_in_error, form=form
            )
        )

    async def user(self, token: str) -> Account:
        """Return the account that a token belongs to (plex-api.md §2)."""
        return Account.parse(
            await self._transport.request(
                "GET", self._user_url, plex_tv_error, token=token
            )
        )

    async def servers(self, token: str) -> tuple[ListedServer, ...]:
        """Return the servers of an account, own and shared (plex-api.md §5)."""
        return ListedServer.parse_servers(
            await self._transport.request(
                "GET",
                self._resources_url,
                plex_tv_error,
                token=token,
            )
        )

    async def create_pin(self) -> Pin:
        """Return a new code to type at plex.tv/link (plex-api.md §7.1)."""
        return Pin.parse(
            await self._transport.request("POST", self._pins_url, link_error)
        )

    async def check_pin(self, pin_id: int) -> Pin:
        """Return a code's state, with a token once it was entered (plex-api.md §7.2).

        Raises LinkExpiredError when Plex no longer knows the code.
        """
        return Pin.parse(
            await self._transport.request(
                "GET", self._pins_url / str(pin_id), link_error
            )
        )

    async def claim_token(self, token: str) -> str:
        """Return a new claim token of the account that a token belongs to (§17.2).

        It works once, for 4 minutes. Raises UnexpectedAnswerError without one.
        """
        data = await self._transport.request(
            "GET", self._claim_token_url, plex_tv_error, token=token
        )
        claim_token = unwrap(data, "MediaContainer").text("token")
        if claim_token is None:
            raise UnexpectedAnswerError
        return claim_token

    async def sign_out(self, token: str) -> None:
        """End the sign-in that a token stands for (plex-api.md §9)."""
        await self._transport.request(
            "DELETE", self._sign_out_url, plex_tv_error, token=token, has_data=False
        )
