"""What the demo says at its end: how to sign in by hand, and how to let things fail."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
import json
import shlex
from typing import Any

from .simulator import Simulator

# Whom the demo has signed in with a server, and who can be signed in besides.
_ANNA, _BEN, _SERVER = "anna", "ben", "Basement"
_CHILD = "Lina"  # of Anna's Home


@dataclass(frozen=True)
class Deed:
    """Something that a person lets the simulated Plex do, by a command for a shell."""

    what: str
    command: str


def deeds(simulator: Simulator, link_code: str = "CODE") -> Iterator[Deed]:
    """Yield what there is to do; each command is complete as it is.

    `link_code` is the code that a person sees in the dialog.
    """
    account, server = f"accounts/{_ANNA}", f"servers/{_SERVER}"
    link, person = f"pins/{link_code}/link", {"username": _BEN}
    for what, method, path, content in (
        (f"Tell the verification code of {_ANNA}", "GET", f"{account}/code", None),
        (f"Confirm the link code {link_code} as {_BEN}", "POST", link, person),
        (f"Reject the sign-in of {_ANNA}", "POST", f"{account}/revoke_tokens", None),
        (
            f"Sign out connected devices of {_ANNA}, her servers too: nobody owns them then",
            "POST",
            f"{account}/sign_out_devices",
            None,
        ),
        (
            f"Reject the sign-in of {_CHILD}, a Home user",
            "POST",
            f"accounts/{_CHILD}/revoke_tokens",
            None,
        ),
        (f"Stop the server {_SERVER}", "POST", f"{server}/stop", None),
        ("Start it again", "POST", f"{server}/start", None),
        ("Restart it, which destroys its tokens", "POST", f"{server}/restart", None),
        ("Let plex.tv be out of order", "POST", "faults", {"kind": "html"}),
        ("Bring it back in order", "DELETE", "faults", None),
    ):
        yield Deed(what, _curl(simulator, method, path, content))


def show_how_to_play(simulator: Simulator) -> None:
    """Print whom to sign in as, and a command for each deed."""
    print("Sign in by hand with this Plex API address, under Advanced:")
    print(f"\n  {simulator.api_url}\n")
    print(f"  {'User name':<10} {'E-mail address':<18} Password")
    for account in simulator.accounts:
        if name := account["username"]:
            password = account["password"] or "none"
            print(f"  {name:<10} {account['email']:<18} {password}")
            print(f"  {'':<10} {account['description']}")
    print(f"\nAdd a user of {_ANNA}'s Plex Home with Add Home user, or switch again:")
    print(f"\n  {'Name':<10} PIN")
    for account in simulator.accounts:
        if pin := account.get("pin"):
            print(f"  {account['title']:<10} {pin}")
            print(f"  {'':<10} {account['description']}")
    print("\nWhat you can do in another terminal; CODE is the one that a dialog shows:")
    for deed in deeds(simulator):
        print(f"\n  {deed.what}\n    {deed.command}")
    print("\nTo see at once what comes of it, press Check now on the account's page.\n")


def _curl(
    simulator: Simulator, method: str, path: str, content: Mapping[str, Any] | None
) -> str:
    command = ["curl", "-sS"]
    if method != "GET":
        command += ["-X", method]
    if content is not None:
        command += ["-d", json.dumps(content)]
    return shlex.join([*command, f"{simulator.control.base_url}/{path}"])
