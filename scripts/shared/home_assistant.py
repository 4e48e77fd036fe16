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

        A traceback belongs to its record.
        """
        records = _RECORD.split(self.log.read_text(errors="replace"))
        levels = (" WARNING ", " ERROR ", " CRITICAL ")
        return [
            record
            for record in records
            if name in record
            and any(level in record.partition("\n")[0] for level in levels)
        ]

    def records(self) -> list[Path]:
        """Return the files that it has written about what happened."""
        return [self.log, *self.config.glob("home-assistant*")]


@contextmanager
def run_home_assistant(
    environment: Environment, folder: Path, port: int
) -> Iterator[HomeAssistant]:
    """Run Home Assistant for the time of the block, with a user and no onboarding left.

    Configuration and log lie in `folder`. Raises `Failure` when it does not start.
    """
    output = folder / "home-assistant.log"
    config = _configure(folder / "config", port)
    hass = [str(environment.program("hass")), "--skip-pip", "--config", str(config)]
    rest = Rest(f"http://127.0.0.1:{port}")
    with running(hass, environment, output) as process:
        wait_until(lambda: bool(rest.get("/api/onboarding")), process, _NAME, output)
        _onboard(rest)
        wait_until(lambda: _is_running(rest), process, _NAME, output)
        yield HomeAssistant(rest, config, output, process)


def _is_running(rest: Rest) -> bool:
    """Return whether the start is over: the web server answers before that."""
    return bool(rest.get("/api/config")["state"] == "RUNNING")


def _configure(config: Path, port: int) -> Path:
    """Write a configuration with this integration, and return its folder."""
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
    (config / "custom_components").mkdir()
    integration = "custom_components/plex_auth"
    (config / integration).symlink_to(ROOT / integration)
    return config


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
