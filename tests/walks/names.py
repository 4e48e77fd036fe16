"""The names of the contract: of steps and fields, of actions, entities and the like.

They stand here alone. `test_names` holds them against the texts of the integration.
"""

from enum import StrEnum


class Step(StrEnum):
    """Name the steps of all dialogs, which are also the items of their menus."""

    USER = "user"
    REAUTH = "reauth_confirm"
    RECONFIGURE = "reconfigure"
    PASSWORD = "password"
    CODE = "code"
    LINK = "link"
    LINK_FAILED = "link_failed"
    ADVANCED = "advanced"
    TOKEN = "token"
    SERVERS = "servers"
    LISTED = "listed"
    ADDRESS = "address"
    CONFIRM = "confirm"
    CONFIRM_PROVEN = "confirm_proven"
    CLAIM = "claim"
    INIT = "init"
    PIN = "pin"
    REMOVE = "remove"


class Field(StrEnum):
    """Name the fields of all dialogs and actions."""

    USERNAME = "username"
    PASSWORD = "password"
    CODE = "verification_code"
    TOKEN = "token"
    API_URL = "api_url"
    CLIENT_IDENTIFIER = "client_identifier"
    SERVERS = "servers"
    SERVER = "server"
    HOME_USER = "home_user"
    PIN = "pin"
    URL = "url"
    VERIFY_SSL = "verify_ssl"
    SOURCES = "sources"
    ENTRY = "config_entry_id"
    DEVICE = "device_id"
    TYPE = "type"
    SCOPE = "scope"
    PATH = "path"
    SOURCE = "source"
    REFRESH = "refresh"
    ID = "id"
    DEVICES = "devices"


class Action(StrEnum):
    """Name the actions."""

    TOKEN_DETAILS = "get_token_details"
    SERVERS = "get_servers"
    DEVICES = "get_devices"
    REMOVE_DEVICE = "remove_device"
    TRANSIENT_TOKEN = "get_transient_token"
    SOURCE_CONNECTION = "get_source_connection_information"


class Entity(StrEnum):
    """Name the entities that walks look at, as platform and key."""

    SIGN_IN = "binary_sensor.sign_in"
    PLEX_PASS = "binary_sensor.plex_pass"
    TWO_FACTOR = "binary_sensor.two_factor_authentication"
    SUBSCRIPTION_PLAN = "sensor.subscription_plan"
    REACHABLE = "binary_sensor.reachable"
    CONNECTION = "sensor.connection"
    TRANSIENT_TOKEN_EXPIRES = "sensor.transient_token_expires"
    SOURCE = "sensor.source"


class Issue(StrEnum):
    """Name the issues that a dialog repairs."""

    UNCLAIMED = "server_unclaimed"
    NOT_LISTED = "server_not_listed"
    TOKEN_REFUSED = "server_token_refused"
    REPLACED = "server_replaced"
    HOME_USER_SIGN_IN = "home_user_sign_in"
    NOT_REACHED = "server_not_reached"
    ADDRESS_FAILS = "server_address_fails"


DOMAIN = "plex_auth"
TRIGGER, CONDITION = "sign_in_accepted", "sign_in_is_valid"  # of an account
SIGN_IN_WAYS = (Step.LINK, Step.PASSWORD, Step.TOKEN)
SECRET_FIELDS = frozenset({Field.PASSWORD, Field.CODE, Field.TOKEN, Field.PIN})
