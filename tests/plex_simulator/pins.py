"""Link codes: what a person types at plex.tv/link (plex-api.md §7)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from secrets import choice
import string

from .accounts import Account, Client
from .clock import Clock, iso

WEAK_LIFETIME = timedelta(seconds=900)
STRONG_LIFETIME = timedelta(seconds=1800)

_WEAK_ALPHABET = string.ascii_uppercase + string.digits
_STRONG_ALPHABET = string.ascii_lowercase + string.digits


@dataclass(slots=True, kw_only=True)
class Pin:
    """Hold one link code; `auth_token` is None until somebody has claimed it."""

    id: int
    code: str
    client_identifier: str
    client: Client
    created_at: datetime
    expires_at: datetime
    auth_token: str | None = None

    def answer(self, now: datetime) -> dict[str, object]:
        """Return the code as plex.tv gives it, with the place of the caller.

        See plex-api.md §7.1.
        """
        return {
            "id": self.id,
            "code": self.code,
            "product": self.client.product or "0",
            "trusted": False,
            "qr": f"https://plex.tv/api/v2/pins/qr/{self.code}",
            "clientIdentifier": self.client_identifier,
            "location": {
                "code": "DE",
                "european_union_member": True,
                "continent_code": "EU",
                "country": "Germany",
                "city": "Marker City",
                "time_zone": "Europe/Berlin",
                "postal_code": "99999",
                "in_privacy_restricted_country": True,
                "in_privacy_restricted_region": False,
                "subdivisions": "Marker State",
                "coordinates": "0.1234, 0.5678",
            },
            "expiresIn": max(0, ceil((self.expires_at - now).total_seconds())),
            "createdAt": iso(self.created_at),
            "expiresAt": iso(self.expires_at),
            "authToken": self.auth_token,
            "newRegistration": None if self.auth_token is None else False,
        }


class Pins:
    """Keep the link codes of plex.tv."""

    def __init__(self, clock: Clock) -> None:
        """Start without a code."""
        self._clock = clock
        self._pins: dict[int, Pin] = {}
        self._next_id = 700_000_001

    def __iter__(self) -> Iterator[Pin]:
        """Go through all codes, oldest first, expired ones included."""
        return iter(list(self._pins.values()))

    def __len__(self) -> int:
        """Return how many codes were made."""
        return len(self._pins)

    @property
    def latest(self) -> Pin:
        """Return the code that was made last."""
        return self._pins[self._next_id - 1]

    def create(
        self,
        client_identifier: str,
        *,
        client: Client | None = None,
        strong: bool = False,
    ) -> Pin:
        """Return a new code: 4 characters for 900 s, `strong` 25 for 1800 s."""
        alphabet, length = (_STRONG_ALPHABET, 25) if strong else (_WEAK_ALPHABET, 4)
        taken = {pin.code for pin in self._pins.values()}
        while (code := "".join(choice(alphabet) for _ in range(length))) in taken:
            pass
        now = self._clock.now()
        pin = Pin(
            id=self._next_id,
            code=code,
            client_identifier=client_identifier,
            client=client or Client(),
            created_at=now,
            expires_at=now + (STRONG_LIFETIME if strong else WEAK_LIFETIME),
        )
        self._pins[pin.id] = pin
        self._next_id += 1
        return pin

    def find(self, pin_id: int, client_identifier: str) -> Pin | None:
        """Return the code with this id, or None when expired or another client's."""
        pin = self._pins.get(pin_id)
        if (
            pin is None
            or pin.client_identifier != client_identifier
            or pin.expires_at <= self._clock.now()
        ):
            return None
        return pin

    def link(self, code: str, account: Account) -> bool:
        """Claim a code for `account`, as a person at plex.tv/link does.

        Return False when there is none to claim.

        The client's new token exists from this moment on, and the one that it
        had is dead (plex-api.md §13.5).
        """
        now = self._clock.now()
        for pin in self._pins.values():
            if (
                pin.code.lower() == code.lower()
                and pin.auth_token is None
                and pin.expires_at > now
            ):
                pin.auth_token = account.sign_in_token(
                    pin.client_identifier, client=pin.client
                )
                return True
        return False

    def expire(self, code: str) -> None:
        """End a code before its time."""
        for pin in self._pins.values():
            if pin.code.lower() == code.lower():
                pin.expires_at = self._clock.now()
