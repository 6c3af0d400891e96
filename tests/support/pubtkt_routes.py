"""A site whose routes are those of Apache's locations, in this process."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from sso_proxy.admission import Connection
from sso_proxy.authn.pubtkt import PubtktAuthenticator
from sso_proxy.authn.pubtkt_config import PubtktConfig
from sso_proxy.config.secrets import Secret
from sso_proxy.net.clock import SystemClock
from sso_proxy.outgoing import sort_consumed
from sso_proxy.routing import Route
from sso_proxy.testing.fakes import FakeAuthenticator, FakeTools
from tests.support.doubles import FakeUpstream, Scene, answer_ok, make_route
from tests.support.pubtkt_apache import write_keys
from tests.support.pubtkt_desk import LOCATIONS, NOBODY, URLS, Said
from tests.support.ticket_requests import HEADERS, fields_of, seen


class Site:
    """Routes as Apache's locations, in this process."""

    def __init__(self, directory: Path) -> None:
        write_keys(directory)
        self.directory = directory

        def routes(backend: FakeUpstream) -> list[Route]:
            places = {("app.test", path): each for path, each in LOCATIONS.items()}
            places[NOBODY, "/"] = dict.fromkeys(URLS)
            made = [self.route(backend, *at, options) for at, options in places.items()]
            anybody = (FakeAuthenticator(),)
            return [
                *made,
                make_route(
                    backend, host="app.test", path="/open/", authenticators=anybody
                ),
            ]

        self.scene = Scene(routes=routes)
        self.scene.facts = Connection(
            listener="l", scheme="http", port=80, peer="127.0.0.1", trusted=False
        )
        self.scene.backend.at_once = lambda exchange: answer_ok(exchange, b"")

    def route(
        self, backend: FakeUpstream, host: str, path: str, options: Mapping[str, object]
    ) -> Route:
        given: dict[str, object] = {"public_key": "rsa", **URLS, **options}
        given["public_key"] = f"{self.directory}/{given['public_key']}.pem"
        if "passthru_basic_key" in given:
            given["passthru_basic_key"] = Secret(str(given["passthru_basic_key"]))
        config = PubtktConfig(**given)  # type: ignore[arg-type]
        tools = FakeTools(clock=SystemClock())  # type: ignore[arg-type]
        authenticators = (PubtktAuthenticator.from_config(config, tools),)
        consumed = sort_consumed(authenticators)
        return make_route(
            backend,
            host=host,
            path=path,
            authenticators=authenticators,
            consumed=consumed["field"],
            consumed_cookies=tuple(consumed["cookie"]),
            headers=HEADERS,
            path_parameters="keep",
        )

    def ask(self, octets: bytes) -> Said:
        """Ask over a connection of its own."""
        before = len(self.scene.backend.asked)
        stream, _ = self.scene.connect()
        stream.receive(octets)
        status = int(stream.sent[9:12])
        fields = {name.lower(): value for name, value in fields_of(stream.sent)}
        location = fields.get(b"location", b"").decode()
        if len(self.scene.backend.asked) == before:
            return Said(status, location)
        return Said(status, location, dict(_seen(self.scene.backend.head)))


def _seen(head: bytes) -> Iterator[tuple[str, str]]:
    """Give what the backend saw, octet for character."""
    found = {name.lower(): value for name, value in fields_of(head)}
    yield from seen(head)
    yield "authorization", found.get(b"authorization", b"").decode("latin-1")
    assert b"auth_pubtkt" not in found.get(b"cookie", b"").partition(b"xauth")[0]
