"""What the simulated hosts were asked: the evidence that tests look at."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from multidict import CIMultiDictProxy


@dataclass(slots=True, kw_only=True)
class RecordedRequest:
    """Hold one request as it arrived, and the status that it was answered with.

    `host` is `plex.tv` or the server's machine identifier, `endpoint` the name that
    faults use too, `way` the listener that it came through, `status` the status
    sent, or None while there is none (and for ever when the connection was cut).
    """

    when: datetime
    host: str
    endpoint: str
    method: str
    path: str
    query: Mapping[str, str]
    headers: CIMultiDictProxy[str]
    form: Mapping[str, str]
    secure: bool
    way: str
    status: int | None = None

    def as_dict(self) -> dict[str, object]:
        """Return the record as JSON can hold it."""
        return {
            "when": self.when.isoformat(),
            "host": self.host,
            "endpoint": self.endpoint,
            "method": self.method,
            "path": self.path,
            "query": dict(self.query),
            "headers": dict(self.headers),
            "form": dict(self.form),
            "secure": self.secure,
            "way": self.way,
            "status": self.status,
        }
