"""Every text that the code asks for exists, and none is there for nothing."""

import ast
from collections.abc import Callable, Iterator
from functools import cache
import json
import re
from typing import Any

import pytest

from custom_components.plex_auth import event, sensor
from custom_components.plex_auth.api import errors, failures
from custom_components.plex_auth.messages import error_key, plex_tv_error_key
from homeassistant.util.yaml import load_yaml_dict

from .documentation import ENTITIES, INTEGRATION
from .helpers import fields_of_action
from .walks.texts import ENGLISH, OTHER_LANGUAGES, texts_of

TEXTS: dict[str, Any] = json.loads((INTEGRATION / "translations/en.json").read_text())
ICONS: dict[str, Any] = json.loads((INTEGRATION / "icons.json").read_text())
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
    errors.UnprotectedOnlyError,
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


def keys_of(
    reader: failures.FailureReader, key: Callable[[errors.PlexError], str] = error_key
) -> set[str]:
    """Return the keys of all errors that answers can mean to a caller."""
    read = [
        reader(failures.Failure(status, None, body))
        for status in STATUSES
        for body in BODIES
    ]
    return {
        key(failure) for failure in (*read, *(kind() for kind in CONNECTION_ERRORS))
    }


PLEX_TV_KEYS = keys_of(failures.plex_tv_error)
LIST_KEY = error_key(errors.TooManyDevicesError())
# The keys of plex.tv where servers are asked too.
PLEX_TV_KEYS_BESIDE_SERVERS = {
    *keys_of(failures.plex_tv_error, plex_tv_error_key),
    LIST_KEY,
}
SIGN_IN_KEYS = (keys_of(failures.sign_in_error) | keys_of(failures.link_error)) - {
    "unknown"
}
# The list of the Home users, and a switch to one.
HOME_USER_KEYS = {
    key
    for reader in (failures.plex_tv_error, failures.switch_error)
    for key in keys_of(reader, plex_tv_error_key)
}
SERVER_KEYS = keys_of(failures.server_error) | {
    error_key(kind()) for kind in SERVER_ERRORS
}
SOURCE_KEYS = {
    error_key(kind()) for kind in (errors.NotOwnerError, errors.ServerTooOldError)
}


@cache
def tree(code: str) -> ast.AST:
    """Return the code of a module, or of a class, as `module.py:Class`."""
    module, _, name = code.partition(":")
    parsed = ast.parse((INTEGRATION / module).read_text())
    if not name:
        return parsed
    return next(
        node
        for node in parsed.body
        if isinstance(node, ast.ClassDef) and node.name == name
    )


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

# What a text calls by its name on the page, below which it stands.
SUBENTRY = "config_subentries.server"
HOME_USER = "config_subentries.home_user"
# What forms say only where it is true; it stands among the errors.
HINTS = {
    "config": {
        "hint_api_url",
        "hint_away",
        "hint_client_identifier",
        "hint_own",
        "hint_shared",
    },
    SUBENTRY: {"hint_automatic", "hint_shared"},
    HOME_USER: {"hint_added", "hint_guests"},
}
CHECK_NOW = "entity.button.check_now.name"
ACCOUNT_FIELD = "services.get_token_details.fields.config_entry_id.name"
SERVER_FIELD = "services.get_transient_token.fields.device_id.name"
HOME_USER_FIELD = "services.get_transient_token.fields.home_user.name"
PATH_FIELD = "services.get_transient_token.fields.path.name"
SOURCE_FIELD = "services.get_source_connection_information.fields.source.name"
GET_SERVERS = "services.get_servers.name"
RECONFIGURE = f"{SUBENTRY}.initiate_flow.reconfigure"
NAMED_ON_THE_PAGE = {
    "exceptions.ambiguous_source": {SOURCE_FIELD},
    "exceptions.choose_account": {ACCOUNT_FIELD},
    "exceptions.choose_server": {SERVER_FIELD},
    "exceptions.home_user_not_permitted": {PATH_FIELD, HOME_USER_FIELD},
    "exceptions.home_user_without_server": {CHECK_NOW},
    "exceptions.invalid_path": {PATH_FIELD},
    "exceptions.invalid_source": {SOURCE_FIELD, GET_SERVERS},
    "exceptions.item_not_found": {PATH_FIELD},
    "exceptions.item_of_other_server": {PATH_FIELD, SERVER_FIELD},
    "exceptions.item_without_part": {PATH_FIELD},
    "exceptions.not_a_home_user": {HOME_USER_FIELD},
    "exceptions.not_a_server": {SERVER_FIELD},
    "exceptions.server_not_added": {PATH_FIELD, f"{SUBENTRY}.initiate_flow.user"},
    "exceptions.source_not_found": {SOURCE_FIELD, GET_SERVERS},
    "exceptions.token_in_path": {PATH_FIELD},
    "config.create_entry.no_servers": {f"{SUBENTRY}.initiate_flow.user"},
    "config.create_entry.too_many_devices": {f"{SUBENTRY}.initiate_flow.user"},
    f"{SUBENTRY}.error.certificate_error": {f"{SUBENTRY}.step.address.data.verify_ssl"},
    f"{SUBENTRY}.abort.already_configured": {RECONFIGURE},
    f"{SUBENTRY}.abort.no_more_servers": {f"{SUBENTRY}.step.user.menu_options.address"},
    f"{SUBENTRY}.abort.no_servers": {f"{SUBENTRY}.step.user.menu_options.address"},
    f"{HOME_USER}.abort.already_configured": {f"{HOME_USER}.initiate_flow.reconfigure"},
    "issues.server_too_old.description": {RECONFIGURE},
    "issues.plain_http.description": {RECONFIGURE},
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


def placeholders_of(text: str) -> list[str]:
    """Return the placeholders in a text, in order of the alphabet."""
    return sorted(re.findall(r"\{(\w+)\}", text))


def leaves(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text with where it stands."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from leaves(value, f"{path}.{key}" if path else key)
    else:
        assert isinstance(node, str), path
        yield path, node


def texts_of_file(language: str) -> Any:
    """Return all texts of a language."""
    file = INTEGRATION / "translations" / f"{language}.json"
    return json.loads(file.read_text())


def test_exceptions() -> None:
    """Each error that is raised has its message, with what the code passes to it."""
    passed = {
        key: {"name"} for key in PLEX_TV_KEYS_BESIDE_SERVERS | SERVER_KEYS | SOURCE_KEYS
    }
    passed |= {key: set() for key in PLEX_TV_KEYS_BESIDE_SERVERS - PLEX_TV_KEYS}
    passed |= {
        key: {"account"} for key in (LIST_KEY, "invalid_token", "sign_in_blocked")
    }
    assert {
        key: set(placeholders_of(text["message"]))
        for key, text in TEXTS["exceptions"].items()
    } == passed | raised()


def test_messages_are_whole_sentences() -> None:
    """An error and the end of a dialog are told in words that end with a full stop."""
    messages = [
        (path, text)
        for path, text in leaves(TEXTS)
        if re.search(r"^exceptions\.|\.(error|abort|create_entry)\.", path)
    ]
    assert len(messages) > 100
    for path, text in messages:
        assert text.endswith("."), path


@pytest.mark.parametrize("language", [ENGLISH, *OTHER_LANGUAGES])
def test_languages(language: str) -> None:
    """A language has the keys and placeholders of English, and texts as they should be.

    None is empty, has blanks around it, or an address of its own or HTML in it.
    """
    page = re.compile(r"(://|\bwww\.)[a-z0-9.-]+\.[a-z]{2,5}", re.IGNORECASE)
    texts, english = dict(leaves(texts_of_file(language))), dict(leaves(TEXTS))
    assert set(texts) == set(english)
    for path, text in texts.items():
        assert text, path
        assert text == text.strip(), path
        assert "<" not in text, path
        assert not page.search(text), path
        assert placeholders_of(text) == placeholders_of(english[path]), path
        assert text.count("{") == len(placeholders_of(text)), path


# Where Home Assistant's pages render Markdown; all other texts are plain.
MARKDOWN = re.compile(
    r"""
    (config|options|config_subentries\.\w+|issues\.\w+\.fix_flow)\.
    (
        step\.\w+\.(sections\.\w+\.)?(description|data_description\.\w+)
        | (progress|abort|create_entry)\.\w+
    )
    | issues\.\w+\.description
    """,
    re.VERBOSE,
)
# What Plex Auth itself makes of a link code: no name, nor a text of somebody else.
LINK_CODE = {"config.progress.wait_for_link": {"code", "qr", "url"}}


@pytest.mark.parametrize("language", [ENGLISH, *OTHER_LANGUAGES])
def test_names_are_escaped_where_markdown_is_rendered(language: str) -> None:
    """A name is the escaped one in Markdown, and the plain one everywhere else."""
    markdown = 0
    for path, text in leaves(texts_of_file(language)):
        is_markdown = MARKDOWN.fullmatch(path) is not None
        names = set(placeholders_of(text)) - LINK_CODE.get(path, set())
        assert all(name.endswith("_md") is is_markdown for name in names), path
        markdown += is_markdown and bool(names)
    assert markdown > 25


@pytest.mark.parametrize("language", [ENGLISH, *OTHER_LANGUAGES])
def test_named_as_the_page_does(language: str) -> None:
    """A message calls fields, actions, buttons and choices as the page does."""
    for where, named in NAMED_ON_THE_PAGE.items():
        for label in named:
            assert texts_of(label, language) in str(texts_of(where, language)), where


def test_errors_of_the_config_flow() -> None:
    """Each error that signing in can meet has its text, and no text is left over."""
    needed = (
        SIGN_IN_KEYS
        | PLEX_TV_KEYS
        | {"unknown"}
        | form_errors("config_flow.py")
        | form_errors("flows/checks.py", "token", "advanced", "sign_in_error")
        | HINTS["config"]
    )
    assert set(TEXTS["config"]["error"]) == needed


def test_errors_of_the_server_flow() -> None:
    """Each error that adding a server can meet has its text, and none is left over."""
    needed = (
        PLEX_TV_KEYS_BESIDE_SERVERS
        | SERVER_KEYS
        | form_errors("flows/server.py")
        | form_errors(
            "flows/checks.py",
            "_source",
            "async_address",
            "async_check_token",
            "async_identity",
            "require_claimed",
            "sign_in_error",
            "token",
        )
        | HINTS[SUBENTRY]
    )
    assert set(TEXTS["config_subentries"]["server"]["error"]) == needed


def test_errors_of_the_options_flow() -> None:
    """Each error that signing devices out can meet has its text, and none is left over."""
    assert set(TEXTS["options"]["error"]) == PLEX_TV_KEYS | {LIST_KEY}


@pytest.mark.parametrize(
    "texts",
    [
        TEXTS["config_subentries"]["home_user"],
        TEXTS["issues"]["home_user_sign_in"]["fix_flow"],
    ],
    ids=["subentry", "repair"],
)
def test_errors_of_a_home_user(texts: dict[str, Any]) -> None:
    """Each error that a switch can meet has its text, and no text is left over.

    A rejection of the account ends the dialog.
    """
    assert set(texts["error"]) - HINTS[HOME_USER] == HOME_USER_KEYS - {
        error_key(errors.TokenRejectedError())
    }
    assert len(set(texts["error"].values())) == len(texts["error"])


def test_errors_of_a_home_user_are_the_same_in_both_dialogs() -> None:
    """A switch fails in the same words where it is added and where it is repaired."""
    for language in (ENGLISH, *OTHER_LANGUAGES):
        texts = texts_of(f"{HOME_USER}.error", language)
        assert texts.keys() >= HINTS[HOME_USER], language
        assert {key: texts[key] for key in texts if key not in HINTS[HOME_USER]} == (
            texts_of("issues.home_user_sign_in.fix_flow.error", language)
        ), language


@pytest.mark.parametrize(
    ("modules", "texts"),
    [
        (("config_flow.py", "flows/dialog.py"), TEXTS["config"]),
        (
            ("flows/home_user.py", "flows/subentry.py"),
            TEXTS["config_subentries"]["home_user"],
        ),
        (
            ("flows/home_user_sign_in.py",),
            TEXTS["issues"]["home_user_sign_in"]["fix_flow"],
        ),
        (
            ("flows/server.py", "flows/subentry.py"),
            TEXTS["config_subentries"]["server"],
        ),
        (("flows/devices.py",), TEXTS["options"]),
    ],
)
def test_steps_and_reasons(modules: tuple[str, ...], texts: dict[str, Any]) -> None:
    """Each step and each reason for an end has its texts, and no text is left over."""
    shown = set[str]()
    ends = set[str]()
    for call in calls(*modules):
        if name_of(call) == "_create_entry" and call.args:
            ends |= constants(call.args[0])
        if name_of(call) in (
            "async_show_form",
            "async_show_menu",
            "async_show_progress",
        ):
            shown |= constants(argument(call, "step_id"))
        if name_of(call) in ("_show_form", "_ask", "_async_switch"):
            shown |= constants(call.args[0])
    assert set(texts["step"]) == shown
    assert set(texts["abort"]) == set().union(*map(reasons, modules))
    assert set(texts.get("create_entry", ())) == ends


def test_steps_of_repairs() -> None:
    """Reasons for which a repair ends have their text in every issue that has some."""
    texts = [
        issue["fix_flow"].get("abort", {})
        for issue in TEXTS["issues"].values()
        if "fix_flow" in issue
    ]
    given = {
        reason
        for module in (
            "repairs.py",
            "flows/repair.py",
            "flows/claim.py",
            "flows/home_user_sign_in.py",
            "flows/replaced.py",
        )
        for reason in reasons(module)
    }
    assert {reason for abort in texts for reason in abort} == given


def test_errors_of_the_claim() -> None:
    """Each error that a claim can meet has its text, and no text is left over.

    It ends where the account has to sign in, and where somebody else has claimed. An
    unprotected address is none in the server's own network.
    """
    needed = PLEX_TV_KEYS | SERVER_KEYS | {LIST_KEY}
    needed |= {error_key(kind()) for kind in CLAIM_ERRORS}
    ends = {
        error_key(kind())
        for kind in (
            errors.ClaimedElsewhereError,
            errors.NotClaimedError,
            errors.TokenRejectedError,
            errors.UnprotectedOnlyError,
        )
    }
    texts = TEXTS["issues"]["server_unclaimed"]["fix_flow"]
    assert set(texts["error"]) == needed - ends
    assert len(set(texts["error"].values())) == len(texts["error"])
    assert set(texts["abort"]) >= reasons("flows/claim.py")


def test_errors_of_a_server_that_is_not_listed() -> None:
    """Each error that the list of servers can meet has its text, and none is left over."""
    texts = TEXTS["issues"]["server_not_listed"]["fix_flow"]
    assert set(texts["error"]) == PLEX_TV_KEYS | {LIST_KEY}


def test_errors_of_a_server_that_was_replaced() -> None:
    """Each error of the list of servers, and each time of the dialog, has its text."""
    texts = TEXTS["issues"]["server_replaced"]["fix_flow"]
    times = {"last_seen", "never_seen", "not_listed"}
    assert set(texts["error"]) == PLEX_TV_KEYS | {LIST_KEY} | times


def test_entities() -> None:
    """Each entity has a name and an icon, and none of both is left over."""
    for content in (TEXTS["entity"], ICONS["entity"]):
        assert {platform: set(keys) for platform, keys in content.items()} == (
            ENTITY_KEYS
        )
    assert all(
        text["name"] for texts in TEXTS["entity"].values() for text in texts.values()
    )


def test_states() -> None:
    """Each state of an enumeration, and each event, has its text."""
    connection = TEXTS["entity"]["sensor"]["connection"]
    assert set(connection["state"]) == set(sensor.CONNECTION.options or ())
    source = TEXTS["entity"]["sensor"]["source"]
    assert set(source["state"]) == {"local", "remote", "relay", "no_connection"}
    status = TEXTS["entity"]["sensor"]["subscription_status"]["state"]
    assert set(status) == set(sensor._SUBSCRIPTION_STATUSES.values())
    plan = TEXTS["entity"]["sensor"]["subscription_plan"]["state"]
    assert set(plan) == {"lifetime", "monthly", "quarterly", "remote-watch", "yearly"}
    events = TEXTS["entity"]["event"]["transient_token"]["state_attributes"]
    assert set(events["event_type"]["state"]) == set(
        event.TRANSIENT_TOKEN.event_types or ()
    )


@pytest.mark.parametrize("kind", ["services", "triggers", "conditions"])
def test_described_in_yaml(kind: str) -> None:
    """Actions, triggers and conditions and all their fields have texts and icons."""
    described = load_yaml_dict(str(INTEGRATION / f"{kind}.yaml"))
    described = {name: details for name, details in described.items() if name[0] != "."}
    assert set(TEXTS[kind]) == set(described)
    assert set(ICONS[kind]) == set(described)
    for name, details in described.items():
        text, fields = TEXTS[kind][name], details.get("fields", {})
        assert text["name"], name
        assert text["description"].endswith("."), name
        assert set(text.get("fields", {})) == set(
            fields_of_action({"fields": fields})
        ), name
        sections = {key for key, field in fields.items() if "fields" in field}
        assert set(text.get("sections", {})) == sections, name
        assert all(field["name"] for field in text.get("fields", {}).values()), name


def test_selectors() -> None:
    """Each choice that an action's field offers has its text."""
    described = load_yaml_dict(str(INTEGRATION / "services.yaml"))
    offered = {
        select["translation_key"]: set(select["options"])
        for action in described.values()
        for field in fields_of_action(action).values()
        if (select := field["selector"].get("select"))
    }
    # Of the dialogs, which name servers and devices.
    offered |= {"device": {"last_seen"}, "server": {"away"}}
    assert {
        key: set(text["options"]) for key, text in TEXTS["selector"].items()
    } == offered


def test_german_instance() -> None:
    """German says "diese Home Assistant-Instanz" where one of several is meant."""
    german = json.loads((INTEGRATION / "translations/de.json").read_text())
    said = re.compile(r"\bdiese[nmrs]? Home Assistant(?!-Instanz)", re.IGNORECASE)
    assert [path for path, text in leaves(german) if said.search(text)] == []
