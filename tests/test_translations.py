"""Every text that the code asks for exists, and none is there for nothing."""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
import json
from pathlib import Path
import re
from typing import Any

import pytest

from custom_components.plex_auth import binary_sensor, button, event, messages, sensor
from custom_components.plex_auth.api import errors, failures
from custom_components.plex_auth.messages import error_key
from homeassistant.helpers.entity import EntityDescription
from homeassistant.util.yaml import load_yaml

from .helpers import fields_of_action
from .walks.texts import ENGLISH, OTHER_LANGUAGES, texts_of

INTEGRATION = Path(__file__).parents[1] / "custom_components" / "plex_auth"
LANGUAGES = sorted((INTEGRATION / "translations").glob("*.json"))
TEXTS: dict[str, Any] = json.loads((INTEGRATION / "translations/en.json").read_text())
ICONS: dict[str, Any] = json.loads((INTEGRATION / "icons.json").read_text())

ENTITIES: dict[str, tuple[EntityDescription, ...]] = {
    "binary_sensor": (
        binary_sensor.SIGN_IN,
        *binary_sensor.ACCOUNT_BINARY_SENSORS,
        binary_sensor.REACHABLE,
    ),
    "button": (button.CHECK_NOW,),
    "event": (event.AUTHORIZED_DEVICE, event.TRANSIENT_TOKEN),
    "sensor": (
        sensor.SIGN_IN_LAST_VERIFIED,
        sensor.AUTHORIZED_DEVICES,
        *sensor.ACCOUNT_SENSORS,
        *sensor.SUBSCRIPTION_SENSORS,
        sensor.CONNECTION,
        *sensor.SERVER_SENSORS,
    ),
}
ENTITY_KEYS: dict[str, set[str]] = {
    platform: {description.key for description in descriptions}
    for platform, descriptions in ENTITIES.items()
}
ENTITY_KEYS["sensor"].add("source")

# What the transport itself raises.
CONNECTION_ERRORS = (
    errors.CannotConnectError,
    errors.CertificateError,
    errors.ConnectionTimeoutError,
    errors.DnsError,
    errors.UnexpectedAnswerError,
)
# What is raised of a server beyond what its answers mean.
SERVER_ERRORS = (
    errors.NotClaimedError,
    errors.SecureConnectionRequiredError,
    errors.WrongServerError,
)

# What comes of a claim beyond that.
CLAIM_ERRORS = (
    errors.ClaimedElsewhereError,
    errors.ClaimFailedError,
    errors.NetworkNotTrustedError,
    errors.NotListedYetError,
)

BODIES = (
    b"",
    b"<html>",
    b'{"errors": [{"code": 9999, "message": "Invalid token"}]}',
    b"Plex Media Server is still starting up.",
    b'title="Maintenance"',
    b"The plain HTTP request was sent to HTTPS port",
    *(
        json.dumps({"errors": [{"code": code, "message": ""}]}).encode()
        for code in range(1000, 1101)
    ),
)
STATUSES = (302, 400, 401, 403, 404, 405, 406, 410, 422, 429, 498, 500, 502, 503)


def keys_of(reader: failures.FailureReader) -> set[str]:
    """Return the keys of all errors that answers can mean to a caller."""
    read = [
        reader(failures.Failure(status, None, body))
        for status in STATUSES
        for body in BODIES
    ]
    return {
        error_key(failure)
        for failure in (*read, *(kind() for kind in CONNECTION_ERRORS))
    }


PLEX_TV_KEYS = keys_of(failures.plex_tv_error)
SIGN_IN_KEYS = (keys_of(failures.sign_in_error) | keys_of(failures.link_error)) - {
    "unknown"
}
SERVER_KEYS = keys_of(failures.server_error) | {
    error_key(kind()) for kind in SERVER_ERRORS
}
SOURCE_KEYS = {
    error_key(kind()) for kind in (errors.NotOwnerError, errors.ServerTooOldError)
}


@cache
def tree(module: str) -> ast.Module:
    """Return the code of a module."""
    return ast.parse((INTEGRATION / module).read_text())


def calls(*modules: str) -> Iterator[ast.Call]:
    """Yield the calls in the modules."""
    for module in modules:
        for node in ast.walk(tree(module)):
            if isinstance(node, ast.Call):
                yield node


def constants(node: ast.AST | None) -> set[str]:
    """Return the texts that a piece of code can stand for."""
    if node is None:
        return set()
    return {
        part.value
        for part in ast.walk(node)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    }


def name_of(call: ast.Call) -> str:
    """Return the name of what is called."""
    match call.func:
        case ast.Name(name) | ast.Attribute(attr=name):
            return name
    return ""


def argument(call: ast.Call, name: str) -> ast.expr | None:
    """Return an argument of a call by its name."""
    return next(
        (keyword.value for keyword in call.keywords if keyword.arg == name), None
    )


def form_errors(module: str, *functions: str) -> set[str]:
    """Return the keys that FormError is made with, in all or in some functions."""
    found = set[str]()
    for function in ast.walk(tree(module)):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if functions and function.name not in functions:
            continue
        for node in ast.walk(function):
            match node:
                case ast.Call(func=ast.Name("FormError"), args=[key, *_]):
                    found |= constants(key)
    return found


def reasons(module: str) -> set[str]:
    """Return the reasons for which a flow ends."""
    found = set[str]()
    for call in calls(module):
        found |= constants(argument(call, "reason"))
        if name_of(call) in ("_abort", "AbortFlow"):
            found |= constants(call.args[0])
        if name_of(call) == "_abort_if_unique_id_configured":
            found.add("already_configured")
    return found


# Keys that the code chooses before it raises.
NAMED_REASONS = {"reason": {"account_disabled", "account_not_ready"}}

# What messages of actions call by its name on the page.
SERVER_FIELD = "services.get_transient_token.fields.device_id.name"
PATH_FIELD = "services.get_transient_token.fields.path.name"
SOURCE_FIELD = "services.get_source_connection_information.fields.source.name"
GET_SERVERS = "services.get_servers.name"
ADD_SERVER = "config_subentries.server.initiate_flow.user"
NAMED_ON_THE_PAGE = {
    "ambiguous_source": {SOURCE_FIELD},
    "choose_server": {SERVER_FIELD},
    "invalid_path": {PATH_FIELD},
    "invalid_source": {SOURCE_FIELD, GET_SERVERS},
    "item_not_found": {PATH_FIELD},
    "item_of_other_server": {PATH_FIELD, SERVER_FIELD},
    "item_without_part": {PATH_FIELD},
    "not_a_server": {SERVER_FIELD},
    "server_not_added": {PATH_FIELD, ADD_SERVER},
    "source_not_found": {SOURCE_FIELD, GET_SERVERS},
    "token_in_path": {PATH_FIELD},
}


def raised() -> dict[str, set[str]]:
    """Return the keys of exceptions that the code names, with their placeholders."""
    found: dict[str, set[str]] = {}
    for call in calls(
        "messages.py", "services.py", "action_targets.py", "devices_coordinator.py"
    ):
        if name_of(call) == "invalid":
            placeholders = {keyword.arg for keyword in call.keywords if keyword.arg}
            keys = constants(call.args[0]) | NAMED_REASONS.get(
                ast.unparse(call.args[0]), set()
            )
        elif (key := argument(call, "translation_key")) is not None and not (
            isinstance(key, ast.Call)
        ):
            placeholders = (
                {
                    name
                    for passed in given.keys
                    if passed is not None
                    for name in constants(passed)
                }
                if isinstance(
                    given := argument(call, "translation_placeholders"), ast.Dict
                )
                else set()
            )
            keys = constants(key)
        else:
            continue
        for name in keys:
            found[name] = placeholders
    return found


def placeholders_of(text: str) -> set[str]:
    """Return the placeholders in a text."""
    return set(re.findall(r"\{(\w+)\}", text))


def leaves(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text with where it stands."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from leaves(value, f"{path}.{key}" if path else key)
    else:
        yield path, node


def test_exceptions() -> None:
    """Each error that is raised has its message, and no message is left over."""
    needed = PLEX_TV_KEYS | SERVER_KEYS | SOURCE_KEYS | set(raised())
    assert set(TEXTS["exceptions"]) == needed


def test_placeholders_of_exceptions() -> None:
    """A message names what the code passes, and nothing else."""
    passed = {key: {"name"} for key in PLEX_TV_KEYS | SERVER_KEYS | SOURCE_KEYS}
    passed |= raised()
    for key, text in TEXTS["exceptions"].items():
        assert placeholders_of(text["message"]) == passed[key], key


def test_messages_are_whole_sentences() -> None:
    """An error is told in words that end with a full stop."""
    for texts in (
        TEXTS["exceptions"],
        TEXTS["config"]["error"],
        TEXTS["config"]["abort"],
        TEXTS["config_subentries"]["server"]["error"],
        TEXTS["config_subentries"]["server"]["abort"],
    ):
        for path, text in leaves(texts):
            assert text.endswith("."), path


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda path: path.stem)
def test_messages_name_what_the_page_shows(language: Path) -> None:
    """A message of an action calls fields, actions and buttons as the page does."""
    texts = dict(leaves(json.loads(language.read_text())))
    for key, named in NAMED_ON_THE_PAGE.items():
        message = texts[f"exceptions.{key}.message"]
        assert {path for path in named if texts[path] not in message} == set(), key


def test_errors_of_the_config_flow() -> None:
    """Each error that signing in can meet has its text, and no text is left over."""
    needed = (
        SIGN_IN_KEYS
        | PLEX_TV_KEYS
        | {"unknown"}
        | form_errors("config_flow.py")
        | form_errors("flows/checks.py", "token", "advanced")
    )
    assert set(TEXTS["config"]["error"]) == needed


def test_errors_of_the_server_flow() -> None:
    """Each error that adding a server can meet has its text, and none is left over."""
    needed = (
        PLEX_TV_KEYS
        | SERVER_KEYS
        | form_errors("flows/server.py")
        | form_errors(
            "flows/checks.py",
            "address",
            "async_check_token",
            "async_identity",
            "require_claimed",
            "sources",
            "token",
        )
    )
    assert set(TEXTS["config_subentries"]["server"]["error"]) == needed


@pytest.mark.parametrize(
    ("module", "texts"),
    [
        ("config_flow.py", TEXTS["config"]),
        ("flows/server.py", TEXTS["config_subentries"]["server"]),
    ],
)
def test_reasons(module: str, texts: dict[str, Any]) -> None:
    """Each reason for which a flow ends has its text, and no text is left over."""
    assert set(texts["abort"]) == reasons(module)


@pytest.mark.parametrize(
    ("module", "texts"),
    [
        ("config_flow.py", TEXTS["config"]),
        ("flows/server.py", TEXTS["config_subentries"]["server"]),
    ],
)
def test_steps(module: str, texts: dict[str, Any]) -> None:
    """Each step that is shown has its texts, and no text is left over."""
    shown = set[str]()
    for call in calls(module):
        if name_of(call) in (
            "async_show_form",
            "async_show_menu",
            "async_show_progress",
        ):
            shown |= constants(argument(call, "step_id"))
        if name_of(call) == "_show_form":
            shown |= constants(call.args[0])
    assert set(texts["step"]) == shown


def test_steps_of_repairs() -> None:
    """Reasons for which a repair ends have their text in every issue that has some."""
    texts = [
        issue["fix_flow"].get("abort", {})
        for issue in TEXTS["issues"].values()
        if "fix_flow" in issue
    ]
    given = {
        reason
        for module in ("repairs.py", "flows/repair.py", "flows/claim.py")
        for reason in reasons(module)
    }
    assert {reason for abort in texts for reason in abort} == given


def test_errors_of_the_claim() -> None:
    """Each error that a claim can meet has its text, and no text is left over.

    It ends where the account has to sign in, and where somebody else has claimed.
    """
    needed = PLEX_TV_KEYS | SERVER_KEYS | {error_key(kind()) for kind in CLAIM_ERRORS}
    ends = {
        error_key(kind())
        for kind in (
            errors.ClaimedElsewhereError,
            errors.NotClaimedError,
            errors.TokenRejectedError,
        )
    }
    texts = TEXTS["issues"]["server_unclaimed"]["fix_flow"]
    assert set(texts["error"]) == needed - ends
    assert len(set(texts["error"].values())) == len(texts["error"])
    assert set(texts["abort"]) >= reasons("flows/claim.py")
    for path, text in leaves({**texts["error"], **texts["abort"]}):
        assert text.endswith("."), path


def test_error_keys() -> None:
    """Every key in the table of errors has a text somewhere."""
    known = (
        set(TEXTS["exceptions"])
        | set(TEXTS["config"]["error"])
        | set(TEXTS["config_subentries"]["server"]["error"])
        | set(TEXTS["issues"]["server_unclaimed"]["fix_flow"]["error"])
        | set(TEXTS["issues"]["server_unclaimed"]["fix_flow"]["abort"])
    )
    assert set(messages._KEYS.values()) <= known


@pytest.mark.parametrize("platform", ENTITY_KEYS)
def test_entities(platform: str) -> None:
    """Each entity has a name and an icon, and none of both is left over."""
    texts = TEXTS["entity"][platform]
    assert set(texts) == ENTITY_KEYS[platform]
    assert set(ICONS["entity"][platform]) == ENTITY_KEYS[platform]
    for key, text in texts.items():
        assert text["name"], key
        assert ICONS["entity"][platform][key]["default"].startswith("mdi:")


def test_every_platform() -> None:
    """No platform has texts or icons that there are no entities for."""
    assert set(TEXTS["entity"]) == set(ENTITY_KEYS)
    assert set(ICONS["entity"]) == set(ENTITY_KEYS)


def test_states() -> None:
    """Each state of an enumeration, and each event, has its text."""
    connection = TEXTS["entity"]["sensor"]["connection"]
    assert set(connection["state"]) == set(sensor.CONNECTION.options or ())
    source = TEXTS["entity"]["sensor"]["source"]
    assert set(source["state"]) == {"local", "remote", "relay", "no_connection"}
    status = TEXTS["entity"]["sensor"]["subscription_status"]["state"]
    assert set(status) == set(sensor._SUBSCRIPTION_STATUSES.values())
    events = TEXTS["entity"]["event"]["transient_token"]["state_attributes"]
    assert set(events["event_type"]["state"]) == set(
        event.TRANSIENT_TOKEN.event_types or ()
    )


def fields_of(kind: str, description: dict[str, Any]) -> Iterable[str]:
    """Return the fields of an action, trigger or condition."""
    if kind == "services":
        return fields_of_action(description)
    fields: dict[str, Any] = description.get("fields", {})
    return fields


@pytest.mark.parametrize("kind", ["services", "triggers", "conditions"])
def test_described_in_yaml(kind: str) -> None:
    """Actions, triggers and conditions and all their fields have texts and icons."""
    described = load_yaml(str(INTEGRATION / f"{kind}.yaml"))
    assert isinstance(described, dict)
    described = {name: details for name, details in described.items() if name[0] != "."}
    assert set(TEXTS[kind]) == set(described)
    assert set(ICONS[kind]) == set(described)
    for name, details in described.items():
        text = TEXTS[kind][name]
        assert text["name"], name
        assert text["description"].endswith("."), name
        assert set(text.get("fields", {})) == set(fields_of(kind, details)), name
        sections = {
            key for key, field in details.get("fields", {}).items() if "fields" in field
        }
        assert set(text.get("sections", {})) == sections, name
        for field, field_text in text.get("fields", {}).items():
            assert field_text["name"], field


def test_selectors() -> None:
    """Each choice that an action's field offers has its text."""
    described = load_yaml(str(INTEGRATION / "services.yaml"))
    assert isinstance(described, dict)
    offered = {
        select["translation_key"]: set(select["options"])
        for action in described.values()
        for field in fields_of_action(action).values()
        if (select := field["selector"].get("select"))
    }
    assert {
        key: set(text["options"]) for key, text in TEXTS["selector"].items()
    } == offered


def test_addresses_are_placeholders() -> None:
    """No text has the address of a page in it: Home Assistant's checks refuse that."""
    page = re.compile(r"(://|\bwww\.)[a-z0-9.-]+\.[a-z]{2,5}", re.IGNORECASE)
    found = {path for path, text in leaves(TEXTS) if page.search(text)}
    assert found == set()


def test_texts_are_texts() -> None:
    """No text is empty, has blanks around it, or an address of its own in it."""
    for path, text in leaves(TEXTS):
        assert isinstance(text, str), path
        assert text, path
        assert text == text.strip(), path
        assert text.count("{") == len(re.findall(r"\{\w+\}", text)), path


SUBENTRY = "config_subentries.server"


@pytest.mark.parametrize("language", [ENGLISH, *OTHER_LANGUAGES])
@pytest.mark.parametrize(
    ("where", "named"),
    [
        (f"{SUBENTRY}.error.certificate_error", "step.address.data.verify_ssl"),
        (f"{SUBENTRY}.abort.already_configured", "initiate_flow.reconfigure"),
        (f"{SUBENTRY}.abort.no_more_servers", "step.user.menu_options.address"),
        ("issues.server_too_old.description", "initiate_flow.reconfigure"),
        ("issues.plain_http.description", "initiate_flow.reconfigure"),
    ],
)
def test_named_as_the_page_does(language: str, where: str, named: str) -> None:
    """A message that sends to a field, button or choice names it as the page does."""
    label: str = texts_of(f"{SUBENTRY}.{named}", language)
    assert label in texts_of(where, language)


def test_german_instance() -> None:
    """German says "diese Home Assistant-Instanz" where one of several is meant."""
    german = json.loads((INTEGRATION / "translations/de.json").read_text())
    said = re.compile(r"\bdiese[nmrs]? Home Assistant(?!-Instanz)", re.IGNORECASE)
    assert [path for path, text in leaves(german) if said.search(text)] == []
