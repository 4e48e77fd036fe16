"""The texts and pages are in plain American English, as Home Assistant's own are."""

from collections.abc import Iterator
import json
import re
from typing import Any, Final

import pytest

from .documentation import INTEGRATION, PAGES, ROOT

# What reads as translated, as a pattern, and what is said instead.
REPLACED: Final = {
    # Kinds.
    r"some (minutes|hours|days)": "a few minutes",
    r"\bfor ever\b": "permanently, never changes",
    r"anew": "again",
    r"whoever|nobody": "the thing, not a person",
    r"belongs? to (nobody|no )": "isn't claimed",
    r"without a word": "silently",
    r"[Mm]ay be left out": "Optional if you have only one",
    r"with the number of each": "including their IDs",
    r"[Ss]olve what": "Fix the problem shown",
    r"[Ii]f (it|this) stays": "If the problem persists",
    r"(?<!\*)\*[^*]{1,40}\* > \*[^*]": "**bold** > **bold**",
    r"\b(e-mail|licence|colours?|behaviour|cancelled|favourite|authorised)\b": (
        "American spelling"
    ),
    # Texts of dialogs.
    r"Choose how Home Assistant signs in|Whichever way you choose": (
        "Choose how to sign in"
    ),
    r"[Cc]onfirm on a page of Plex": "Approve the sign-in on plex.tv",
    r"you are asked for the code next": "you'll enter the code in the next step",
    r"It stays yours": "Plex Auth never revokes it",
    r"Hardly anybody": "Rarely needed",
    r"Empty means": "Leave empty to",
    r"That did not work": "Sign-in failed",
    r"if there has to be one": "if the old one has expired",
    r"goes on by itself": "continues automatically",
    r"scan the picture": "scan the QR code",
    r"code of your authenticator app": "code from your authenticator app",
    r"authenticator app shows now": "code from your authenticator app",
    r"Plex is asked whether": "The token is checked with Plex",
    r"watch and get tokens from|You can choose none": "You can add more later",
    r"are chosen already": "are preselected",
    r"carry their owner's name": "show their owner in parentheses",
    r"signs without accents": "unaccented letters, digits, and punctuation",
    r"address that can be used": "This address can't be used",
    r"token of a newer kind|is a Plex token of": "this newer kind of token",
    r"does not permit": "doesn't allow",
    r"to see what it says": "to find out why",
    r"tells about outages": "check status.plex.tv for outages",
    r"answer that was not understood": "an unexpected response",
    r"with the log of": "enable debug logging",
    r"set up already": "already set up",
    r"Choose how to find the server": "How do you want to add a server",
    r"By its address": "Enter an address",
    r"that the account does not list": "your account doesn't list",
    r"As you would type it": "For example,",
    r"Whether the certificate of": "Check the certificate of",
    r"stays as it is": "Leave empty to keep",
    r"this server is asked about": "this server should report",
    r"signed in to no Plex account": "isn't signed in to a Plex account",
    r"belongs to (somebody|someone) else": "You don't own",
    r"[Pp]roxy before the server": "A proxy in front of the server",
    r"the server that is meant": "the correct server's address",
    # Actions, triggers and repairs.
    r"as is so with": "This is normal for, for example because",
    r"Without its entry": "Removing it would sign it out",
    r"takes a path on the server": "must start with a single slash",
    r"[Uu]ntil somebody claims": "Until it is claimed",
    r"what was begun is finished": "continues in the background",
    r"open this repair again": "reopen this repair",
    r"no longer has the server": "is no longer available to",
    r"refuses its token": "no longer accepts its token",
    r"does not reach .{1,20} (directly|locally)": "can't reach",
    r"certificate is not verified then": "won't be verified",
    r"Let Plex Auth find": "Use automatic address for",
    r"not protected on its way": "is sent unencrypted",
    r"those not added to Home Assistant": "servers not in Home Assistant",
    r"and for a token for it": "Gets the addresses of, and a token for",
    r"no longer than until": "or until the server restarts",
    r"answering by what it knows": "using what the server has cached",
    r"and servers are refused": "can't be removed",
    # README and pages.
    r"restart Home Assistant then": "then restart Home Assistant",
    r"What it is good for": "Use cases",
    r"Words of Plex": "Plex terms",
    r"a key made of text": "A token works like a key",
    r"which way your server has": "how your server connects",
    r"brings an integration": "includes an integration",
    r"Who (has it|knows the password)": "Anyone who",
    r"Said of a server": "A server that",
    r"at the very left": "not indented",
    r"in the same menu tries it": "To test it, select",
    r"In place of `anna`": "Replace `anna`",
    r"nobody told me|How do I hear of it": "How do I find out",
    r"though it stands beside": "although it's in the same room",
    r"tells the rest": "has the rest",
    r"has changed its mind": "whether Plex accepts the sign-in again",
    r"Off at first": "Disabled by default",
    r"signed in no more": "is signed out",
    r"[Ss]ervers go on": "keep working",
    r"can be reached no longer": "can no longer be reached",
    r"is believed in": "decides",
    r"does what you choose": "runs your actions",
    r"It tells once": "You are notified once",
    r"is said where it is so": "say so",
    r"goes by itself": "disappears",
    r"can play the server": "can impersonate the server",
}

# Where the phrases may stand for now: these are still to be rewritten.
NOT_YET_REWRITTEN: Final = frozenset[str]()


def _texts(node: Any) -> Iterator[str]:
    """Yield all texts below a key of the translations."""
    if isinstance(node, dict):
        for below in node.values():
            yield from _texts(below)
    else:
        yield node


def _places() -> dict[str, str]:
    """Return what users read, by where: pages, blueprints and sections of texts."""
    blueprints = (ROOT / "blueprints").rglob("*.yaml")
    english = json.loads((INTEGRATION / "translations/en.json").read_text())
    return {
        **{name: page for name, page in PAGES.items() if name != "CHANGELOG.md"},
        **{str(path.relative_to(ROOT)): path.read_text() for path in blueprints},
        **{f"en.json: {key}": "\n".join(_texts(english[key])) for key in english},
    }


PLACES = _places()


@pytest.mark.parametrize("place", sorted(PLACES.keys() - NOT_YET_REWRITTEN))
def test_plain_english(place: str) -> None:
    """No phrase is left that Home Assistant's own pages would put differently."""
    text = " ".join(PLACES[place].split())
    found = {
        phrase: instead
        for phrase, instead in REPLACED.items()
        if re.search(phrase, text)
    }
    assert not found


def test_places_are_there() -> None:
    """What is still to be rewritten is there, and so are the sections of the texts."""
    assert PLACES.keys() >= NOT_YET_REWRITTEN
    assert "en.json: issues" in PLACES
    assert any(place.startswith("blueprints/") for place in PLACES)
