"""Claim tokens: what gives a server that belongs to nobody an owner (plex-api.md §17)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import token_urlsafe

from .accounts import Account
from .clock import Clock

LIFETIME = timedelta(minutes=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claim:
    account: Account
    expires_at: datetime


class ClaimTokens:
    """Keep the claim tokens of plex.tv; each works once, for 4 minutes."""

    def __init__(self, clock: Clock) -> None:
        """Start without a token."""
        self.given: set[str] = set()
        self._clock = clock
        self._claims: dict[str, _Claim] = {}

    def create(self, account: Account) -> str:
        """Return a new claim token of an account."""
        value = f"claim-{token_urlsafe(15)}"
        self.given.add(value)
        self._claims[value] = _Claim(
            account=account, expires_at=self._clock.now() + LIFETIME
        )
        return value

    def redeem(self, value: str) -> Account | None:
        """Use up a claim token; return whose it is, None where it is not good."""
        claim = self._claims.pop(value, None)
        if claim is None or self._clock.now() >= claim.expires_at:
            return None
        return claim.account
