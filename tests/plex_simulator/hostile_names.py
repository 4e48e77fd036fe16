"""Names that people may choose at Plex, and that do harm where a page renders them."""

from dataclasses import dataclass

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"  # one picture of three people
PERSIAN = "\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"  # has a joiner
OVERRIDE = "\u202e"  # what follows is written from right to left
LONGEST = 128  # characters of a name that are read


@dataclass(frozen=True, slots=True)
class HostileNames:
    """Hold hostile names, by what they have in them.

    What they link to or embed is below `url`, which nothing may ask.
    """

    url: str

    @property
    def link(self) -> str:
        """Return a name with a link of Markdown."""
        return f"[Sign in again]({self.url}/link)"

    @property
    def picture(self) -> str:
        """Return a name with a picture of Markdown."""
        return f"![]({self.url}/picture)"

    @property
    def element(self) -> str:
        """Return a name with a picture of HTML."""
        return f'<img src="{self.url}/element">'

    @property
    def alert(self) -> str:
        """Return a name with an element of Home Assistant's pages."""
        return '<ha-alert alert-type="error">Stop</ha-alert>'

    @property
    def script(self) -> str:
        """Return a name with a script."""
        return f'<script src="{self.url}/script"></script>'

    @property
    def address(self) -> str:
        """Return a name that is an address, which a page may make a link."""
        return f"{self.url}/address"

    @property
    def template(self) -> str:
        """Return a name with a template and a placeholder."""
        return "{{ 6 * 7 }} {name}"

    @property
    def override(self) -> str:
        """Return a name whose letters are written backwards."""
        return f"{OVERRIDE}gnp.{PERSIAN}"

    @property
    def line_break(self) -> str:
        """Return a name of two lines, of which the second looks like a heading."""
        return "Living Room\r\n# Alarm"

    @property
    def joined(self) -> str:
        """Return a name that falls apart without its joiners."""
        return f"{FAMILY} {PERSIAN}"

    @property
    def long(self) -> str:
        """Return a name that is longer than what is read."""
        return "Endless " * LONGEST

    @property
    def single(self) -> tuple[str, ...]:
        """Return all names that have one thing in them."""
        return (
            self.link,
            self.picture,
            self.element,
            self.alert,
            self.script,
            self.address,
            self.template,
            self.override,
            self.line_break,
            self.joined,
            self.long,
        )

    # Names that have several, each of which is within what is read.

    @property
    def account(self) -> str:
        """Return the name of an account."""
        return f"{self.link} {self.picture} {self.template}"

    @property
    def server(self) -> str:
        """Return the name of a server."""
        return f"{self.element} {self.alert} {FAMILY}"

    @property
    def shared_server(self) -> str:
        """Return the name of a server that somebody else shares."""
        return f"{self.link}\n{self.element}\n{self.override}"

    @property
    def friend(self) -> str:
        """Return the name of somebody who shares a server, which is too long as well."""
        return f"{self.script} {self.address} {self.long}"
