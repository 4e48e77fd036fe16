"""Certificates for the hosts, issued by an authority of the simulator's own."""

from datetime import UTC, datetime
from enum import StrEnum
import ssl

import trustme


class Certificate(StrEnum):
    """Name the kinds of certificate that a simulated host can show to its clients.

    `ABSENT` is a host that does not know TLS: it answers the handshake in plain HTTP.
    """

    VALID = "valid"
    EXPIRED = "expired"
    UNKNOWN_AUTHORITY = "unknown_authority"
    WRONG_NAME = "wrong_name"
    ABSENT = "absent"


def server_context(
    authority: trustme.CA, names: tuple[str, ...], kind: Certificate
) -> ssl.SSLContext | None:
    """Return a TLS context for a server, or None for one without TLS.

    `names` are the host names and addresses that the certificate is good for;
    `kind` says which fault it has, if any.
    """
    if kind is Certificate.ABSENT:
        return None
    issuer = trustme.CA() if kind is Certificate.UNKNOWN_AUTHORITY else authority
    if kind is Certificate.WRONG_NAME:
        names = ("somewhere-else.example",)
    if kind is Certificate.EXPIRED:
        leaf = issuer.issue_cert(
            *names,
            not_before=datetime(2020, 1, 1, tzinfo=UTC),
            not_after=datetime(2021, 1, 1, tzinfo=UTC),
        )
    else:
        leaf = issuer.issue_cert(*names)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    return context
