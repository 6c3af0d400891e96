"""A site whose routes are those of Apache's locations, in this process."""

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from sso_proxy.admission import Connection
from sso_proxy.authn.auth_tkt import AuthTktAuthenticator
from sso_proxy.authn.auth_tkt_config import AuthTktConfig
from sso_proxy.config.secrets import Secret
from sso_proxy.net.clock import SystemClock
from sso_proxy.outgoing import sort_consumed
from sso_proxy.routing import Route
from sso_proxy.testing.fakes import FakeTools
from tests.support.auth_tkt_desk import (
    DIGEST_OF,
    HERE,
    OLD_SECRET,
    SECRET,
    SETTINGS,
    TIMEOUT,
    URLS,
    Desk,
    Said,
)
from tests.support.doubles import FakeUpstream, Scene, answer_ok, make_route
from tests.support.ticket_requests import HEADERS, fields_of, seen


class Site:
    """Routes as Apache's locations, in this process."""

    def __init__(self) -> None:
        def routes(backend: FakeUpstream) -> list[Route]:
            places = {("app.test", path): each for path, each in SETTINGS.items()}
            for host in DIGEST_OF:
                places[host, "/"] = {}
            return [route(backend, *at, options) for at, options in places.items()]

        self.scene = Scene(routes=routes)
        self.scene.facts = Connection(
            listener="l", scheme="http", port=80, peer=HERE, trusted=False
        )
        self.scene.backend.at_once = lambda exchange: answer_ok(exchange, b"")

    def ask(self, octets: bytes, desk: Desk, peer: str = HERE) -> Said:
        """Ask over a connection of its own."""
        before = len(self.scene.backend.asked)
        self.scene.facts = attrs.evolve(self.scene.facts, peer=peer)
        stream, _ = self.scene.connect()
        stream.receive(octets)
        status = int(stream.sent[9:12])
        found = [
            (name.lower(), value.decode()) for name, value in fields_of(stream.sent)
        ]
        location = "".join(value for name, value in found if name == b"location")
        given = desk.given((v for name, v in found if name == b"set-cookie"), peer)
        if len(self.scene.backend.asked) == before:
            return Said(status, location, given=given)
        seen = dict(_seen(self.scene.backend.head))
        return Said(status, location, seen, given)


def route(
    backend: FakeUpstream, host: str, path: str, options: Mapping[str, Any]
) -> Route:
    """Make a route for what Apache's location does."""
    given: dict[str, Any] = {
        "secret": Secret(SECRET),
        "secret_old": Secret(OLD_SECRET),
        "digest": DIGEST_OF[host].upper(),
        "timeout": float(TIMEOUT),
        **URLS,
        **options,
    }
    tools = FakeTools(clock=SystemClock())  # type: ignore[arg-type]
    made = AuthTktAuthenticator.from_config(AuthTktConfig(**given), tools)
    consumed = sort_consumed((made,))
    return make_route(
        backend,
        host=host,
        path=path,
        authenticators=(made,),
        consumed=consumed["field"],
        consumed_cookies=tuple(consumed["cookie"]),
        consumed_parameters=tuple(consumed["parameter"]),
        reads_query=made.reads_query,
        headers=HEADERS,
        path_parameters="keep",
    )


def _seen(head: bytes) -> Iterator[tuple[str, str]]:
    """Give what the backend saw, octet for character."""
    found = {name.lower(): value for name, value in fields_of(head)}
    yield from seen(head)
    assert b"auth_tkt=" not in found.get(b"cookie", b"").partition(b"xauth")[0]
