"""Addresses under `/_simulator/` that steer a simulator in another process.

They answer this machine only.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
import ipaddress
from typing import TYPE_CHECKING

from aiohttp import web

from .accounts import Client
from .faults import Faults, fault_named
from .site import CONTROL_PREFIX

if TYPE_CHECKING:
    from .accounts import Account
    from .servers import MediaServer
    from .simulator import PlexSimulator

type _Action = Callable[[web.Request, dict[str, object]], Awaitable[object]]


class ControlRoutes:
    """Answer the control addresses: JSON in (`{}` may be left out), JSON out.

    A server goes by its machine identifier or its name.
    """

    def __init__(self, simulator: PlexSimulator) -> None:
        """Take the simulator to steer."""
        self._simulator = simulator

    def routes(self) -> list[web.RouteDef]:
        """Return the addresses."""
        server, account = (
            f"{CONTROL_PREFIX}servers/{{server}}",
            f"{CONTROL_PREFIX}accounts/{{account}}",
        )
        return [
            web.get(f"{CONTROL_PREFIX}world", self._control(self._world)),
            web.post(f"{server}/{{action}}", self._control(self._server_action)),
            web.post(f"{account}/revoke_tokens", self._control(self._revoke_tokens)),
            web.post(
                f"{account}/sign_out_devices", self._control(self._sign_out_devices)
            ),
            web.post(f"{account}/token", self._control(self._token)),
            web.get(f"{account}/code", self._control(self._code)),
            web.post(f"{CONTROL_PREFIX}pins/{{code}}/link", self._control(self._link)),
            web.post(f"{CONTROL_PREFIX}faults", self._control(self._set_fault)),
            web.delete(f"{CONTROL_PREFIX}faults", self._control(self._clear_faults)),
            web.post(f"{CONTROL_PREFIX}clock", self._control(self._advance_clock)),
            web.get(f"{CONTROL_PREFIX}requests", self._control(self._requests)),
            web.get(f"{CONTROL_PREFIX}beacon", self._control(self._beacon)),
        ]

    def _control(
        self, action: _Action
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handler(request: web.Request) -> web.StreamResponse:
            if (
                not request.remote
                or not ipaddress.ip_address(request.remote).is_loopback
            ):
                return web.json_response({"error": "only for this machine"}, status=403)
            try:
                fields = await request.json() if request.can_read_body else {}
                result = await action(request, fields)
            except LookupError as error:
                return web.json_response({"error": f"not found: {error}"}, status=404)
            except (ValueError, TypeError) as error:
                return web.json_response({"error": str(error)}, status=400)
            return web.json_response(result)

        return handler

    def _server(self, request: web.Request) -> MediaServer:
        wanted = request.match_info["server"]
        for server in self._simulator.servers.values():
            if wanted in (server.machine_identifier, server.name):
                return server
        raise LookupError(wanted)

    def _account(self, request: web.Request) -> Account:
        return self._simulator.accounts[request.match_info["account"]]

    def _person(self, fields: dict[str, object]) -> Account:
        return self._simulator.accounts[str(fields.get("username"))]

    def _faults(self, host: object) -> Faults:
        if host in (None, "plex.tv"):
            return self._simulator.faults
        return self._simulator.servers[str(host)].faults

    async def _world(self, request: web.Request, fields: dict[str, object]) -> object:
        return describe(self._simulator)

    async def _server_action(
        self, request: web.Request, fields: dict[str, object]
    ) -> object:
        server = self._server(request)
        action = request.match_info["action"]
        if action == "restart":
            boot_state = fields.get("boot_state")
            await server.restart(None if boot_state is None else str(boot_state))
        elif action == "start":
            await server.start()
        elif action == "stop":
            await server.stop()
        elif action == "vanish":
            server.vanish()
        elif action == "reappear":
            await server.reappear()
        elif action == "ready":
            server.booting = None
        elif action == "set_up_anew":
            name = str(fields.get("name", server.name))
            return describe_server(await self._simulator.set_up_anew(server, name))
        elif action == "change_port":
            await server.change_port()
        elif action == "install":
            server.version = str(fields["version"])
            await server.restart()
        elif action == "renew_certificate":
            server.renew_certificate()
        elif action == "rotate_access_tokens":
            server.rotate_access_tokens()
        elif action == "share":
            server.shared_with.append(self._person(fields))
        elif action == "unshare":
            server.shared_with.clear()
        elif action == "claim":
            server.claim(self._person(fields))
        elif action == "unclaim":
            server.unclaim(listed=bool(fields.get("listed")))
        elif action == "distrust":
            server.trusts_network = False
        elif action == "trust":
            server.trusts_network = True
        else:
            raise LookupError(action)
        return describe_server(server)

    async def _revoke_tokens(
        self, request: web.Request, fields: dict[str, object]
    ) -> object:
        self._account(request).revoke_tokens()
        return {}

    async def _sign_out_devices(
        self, request: web.Request, fields: dict[str, object]
    ) -> object:
        self._simulator.sign_out_devices(
            self._account(request), listed=bool(fields.get("listed"))
        )
        return {}

    async def _token(self, request: web.Request, fields: dict[str, object]) -> object:
        account = self._account(request)
        client_identifier = str(fields.get("client_identifier", "elsewhere"))
        said = ("name", "product", "platform")
        client = Client(**{field: str(fields.get(field, "")) for field in said})
        token = account.sign_in_token(client_identifier, client=client)
        device_id = account.token_details[client_identifier].device_id
        return {"token": token, "device_id": device_id}

    async def _code(self, request: web.Request, fields: dict[str, object]) -> object:
        return {"code": self._account(request).code()}

    async def _link(self, request: web.Request, fields: dict[str, object]) -> object:
        account = self._person(fields)
        code = request.match_info["code"]
        if not self._simulator.pins.link(code, account):
            raise LookupError(code)
        return {}

    async def _set_fault(
        self, request: web.Request, fields: dict[str, object]
    ) -> object:
        faults = self._faults(fields.pop("host", None))
        endpoint, kind, times = (
            str(fields.pop("endpoint", "*")),
            str(fields.pop("kind", "")),
            fields.pop("times", None),
        )
        faults.set(
            endpoint,
            fault_named(kind, **fields),
            None if times is None else int(str(times)),
        )
        return {}

    async def _clear_faults(
        self, request: web.Request, fields: dict[str, object]
    ) -> object:
        self._simulator.faults.clear()
        for server in self._simulator.servers.values():
            server.faults.clear()
        return {}

    async def _advance_clock(
        self, request: web.Request, fields: dict[str, object]
    ) -> object:
        self._simulator.clock.advance(timedelta(seconds=float(str(fields["seconds"]))))
        return {"now": self._simulator.clock.now().isoformat()}

    async def _requests(
        self, request: web.Request, fields: dict[str, object]
    ) -> object:
        found = self._simulator.requests
        if (endpoint := request.query.get("endpoint")) is not None:
            found = self._simulator.requests_to(endpoint)
        if (count := request.query.get("count")) is not None:
            found = found[-int(count) :] if int(count) > 0 else []
        return {"requests": [record.as_dict() for record in found]}

    async def _beacon(self, request: web.Request, fields: dict[str, object]) -> object:
        if (beacon := self._simulator.beacon) is None:
            raise LookupError(request.path)
        return {"requests": [record.as_dict() for record in beacon.requests]}


def describe(simulator: PlexSimulator) -> dict[str, object]:
    """Return what a person or a script needs to use the simulator.

    That is addresses, accounts with their secrets, and servers.
    """
    return {
        "api_url": simulator.api_url,
        "control_url": f"{simulator.base_url}{CONTROL_PREFIX.rstrip('/')}",
        "accounts": [
            _describe_account(account) for account in simulator.accounts.values()
        ],
        "servers": [describe_server(server) for server in simulator.servers.values()],
    }


def describe_server(server: MediaServer) -> dict[str, object]:
    """Return a server's names and addresses."""
    return {
        "name": server.name,
        "machine_identifier": server.machine_identifier,
        "http_url": server.http_url,
        "https_url": server.https_url,
        "owner": server.owner.name,
        "shared_with": [account.name for account in server.shared_with],
        "sockets": len(server.notifications),
    }


def _describe_account(account: Account) -> dict[str, object]:
    described: dict[str, object] = {
        "uuid": account.uuid,
        "username": account.username,
        "email": account.email,
        "password": account.password,
        "title": account.title,
        "description": account.description,
    }
    if account.totp_secret is not None:
        described["totp_secret"] = account.totp_secret
    if account.pin is not None:
        described["pin"] = account.pin
    return described
