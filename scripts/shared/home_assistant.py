"""A real Home Assistant as a process of its own, with this integration in it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
import json
from pathlib import Path
import re
import subprocess

from .environment import Environment
from .paths import ROOT
from .processes import ended, running, stop, wait_until
from .rest import Rest

USERNAME = "demo"
PASSWORD = "plex-auth-demo"

_NAME = "Home Assistant"
_INTEGRATION = "custom_components/plex_auth"
# Home Assistant says this of every integration that is not its own.
_ALWAYS_SAID = "We found a custom integration"

_RECORD = re.compile(r"^(?=\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)", re.MULTILINE)
_CONFIGURATION = """\
homeassistant:
  name: Plex Auth demo
  country: DE
automation: !include automations.yaml
frontend:
config:
api:
recorder:
history:
logbook:
logger:
  default: info
  logs:
    custom_components.plex_auth: debug
"""


@dataclass(frozen=True)
class HomeAssistant:
    """A running Home Assistant whose first user has signed in."""

    rest: Rest
    config: Path
    log: Path
    _process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Return where a browser finds it."""
        return self.rest.base_url

    def stop(self) -> None:
        """End it in an orderly way, with everything that it writes at its end."""
        stop(self._process)

    def wait(self) -> None:
        """Wait until it ends by itself, and raise `Failure` then."""
        self._process.wait()
        raise ended(self._process, _NAME, self.log)

    def warnings_about(self, name: str) -> list[str]:
        """Return the records of the log at warning or worse that mention `name`.

        A traceback belongs to its record. What is said of every custom integration is
        left out.
        """
        records = _RECORD.split(self.log.read_text(errors="replace"))
        levels = (" WARNING ", " ERROR ", " CRITICAL ")
        return [
            record
            for record in records
            if name in record
            and _ALWAYS_SAID not in record
            and any(level in record.partition("\n")[0] for level in levels)
        ]

    def records(self) -> list[Path]:
        """Return the files that it has written about what happened."""
        return [self.log, *self.config.glob("home-assistant*")]


class Installation:
    """A configuration folder in which Home Assistant runs, once or time after time.

    Configuration and log lie in a folder of theirs; who signs in first stays the same.
    """

    def __init__(self, environment: Environment, folder: Path, port: int) -> None:
        """Write the configuration into `folder`."""
        self._environment = environment
        self._log = folder / "home-assistant.log"
        self._config = _configure(folder / "config", port)
        self._rest = Rest(f"http://127.0.0.1:{port}")

    @contextmanager
    def run(self, code: Path = ROOT) -> Iterator[HomeAssistant]:
        """Run Home Assistant for the time of the block, with a user and no onboarding left.

        `code` is the folder that has the integration. Raises `Failure` when Home Assistant
        does not start.
        """
        _install(code, self._config)
        program = str(self._environment.program("hass"))
        hass = [program, "--skip-pip", "--config", str(self._config)]
        rest, log = self._rest, self._log
        with running(hass, self._environment, log) as process:
            if rest.token is None:
                wait_until(
                    lambda: bool(rest.get("/api/onboarding")), process, _NAME, log
                )
                _onboard(rest)
            wait_until(lambda: _is_running(rest), process, _NAME, log)
            yield HomeAssistant(rest, self._config, log, process)


def _is_running(rest: Rest) -> bool:
    """Return whether the start is over: the web server answers before that."""
    return bool(rest.get("/api/config")["state"] == "RUNNING")


def _configure(config: Path, port: int) -> Path:
    """Write a configuration, and return its folder."""
    config.mkdir()
    (config / "configuration.yaml").write_text(_CONFIGURATION)
    (config / "automations.yaml").write_text("[]\n")
    # An address in configuration.yaml would be given up after five minutes, unless a
    # user confirms it. This is the form of 2026.10, which later ones migrate.
    http = {
        "server_host": ["127.0.0.1"],
        "server_port": port,
        "cors_allowed_origins": [],
        "login_attempts_threshold": -1,
        "ip_ban_enabled": False,
        "ssl_profile": "intermediate",
        "use_x_frame_options": True,
        "created_at": "2026-11-01T00:00:00+00:00",
        "error": None,
        "error_message": None,
    }
    stored = {"stable": http, "pending": None, "yaml_migration_done": True}
    _store(config, "http", 2, stored, minor_version=2)
    # This step would add integrations that need the internet.
    _store(config, "onboarding", 4, {"done": ["core_config"]})
    return config


def _install(code: Path, config: Path) -> None:
    """Put the integration of the folder `code` in place of the one that is there."""
    installed = config / _INTEGRATION
    installed.parent.mkdir(exist_ok=True)
    installed.unlink(missing_ok=True)
    installed.symlink_to(code / _INTEGRATION)


def _store(
    config: Path,
    key: str,
    version: int,
    data: Mapping[str, object],
    *,
    minor_version: int = 1,
) -> None:
    """Write what Home Assistant finds in its storage when it starts."""
    (config / ".storage").mkdir(exist_ok=True)
    content = {
        "version": version,
        "minor_version": minor_version,
        "key": key,
        "data": data,
    }
    (config / ".storage" / key).write_text(json.dumps(content))


def _onboard(rest: Rest) -> None:
    """Create the first user, sign in and do the rest of the onboarding."""
    client_id = f"{rest.base_url}/"
    user = {"name": "Demo", "username": USERNAME, "password": PASSWORD}
    created = rest.post(
        "/api/onboarding/users", {**user, "client_id": client_id, "language": "en"}
    )
    grant = {"grant_type": "authorization_code", "code": created["auth_code"]}
    signed_in = rest.post_form("/auth/token", {**grant, "client_id": client_id})
    rest.token = signed_in["access_token"]
    rest.post("/api/onboarding/analytics")
    rest.post(
        "/api/onboarding/integration",
        {"client_id": client_id, "redirect_uri": client_id},
    )
