"""Sessions that are bound to keys, over real TLS, through the whole proxy."""

import os
import time
from collections.abc import Iterator

import pytest

from sso_proxy.config.key_ring import KeyRing, make_key, write_key_ring
from tests.support.binding_scene import Asking, BindingScene, binding_scene
from tests.support.raw_client import Got
from tests.support.sessions import Browser

MORE = """
[key_ring]
file = "keys.json"

[authenticator.corp]
type = "tests.support.header_login:HeaderLogin"

[authenticator.op]
type = "oidc"
issuer = "https://op.example"
client_id = "app"
auth = "none"
authorization_endpoint = "https://op.example/authorize"
token_endpoint = "https://op.example/token"
token_binding = "prefer"

[cache.shared]
type = "memory"

[session.server]
type = "server"
binding = {{ certificate = "prefer", token_binding = "prefer" }}

[session.cookie]
type = "cookie"
cache = "shared"
binding = {{ certificate = "prefer", token_binding = "prefer" }}
cookie = {{ name = "__Host-sso-cookie" }}

[[route]]
host = "*"
path = "/server/"
authenticate = ["corp"]
session = "server"
headers = {{ user = "X-Remote-User" }}
backend = "{backend}"

[[route]]
host = "*"
path = "/cookie/"
authenticate = ["corp"]
session = "cookie"
headers = {{ user = "X-Remote-User" }}
backend = "{backend}"

[[route]]
host = "*"
path = "/op/"
authenticate = ["op"]
session = "server"
backend = "{backend}"
"""
PAGE = (
    ("Accept", "text/html"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Dest", "document"),
)


class Person:
    """
    Somebody with a browser, at one kind of sessions.

    Attributes:
        browser: Keeps cookies.
        host: What is asked for.
    """

    host = "h"

    def __init__(self, kind: str) -> None:
        self._path = f"/{kind}/"
        self.browser = Browser()

    def ask(
        self, client: Asking, *fields: tuple[str, str], proof: str | None = None
    ) -> Got:
        """Ask over a connection, as who has the key of that, or with *proof*."""
        text = "; ".join(f"{n}={v}" for n, v in self.browser.cookies.items())
        every = [*fields, *([("Cookie", text)] if text else [])]
        if proof is None and client.bound:
            proof = client.proof
        if proof is not None:
            every.append(("Sec-Token-Binding", proof))
        got = client.ask(*every, path=self._path, host=self.host)
        for value in got.values("set-cookie"):
            self.browser.set(value)
        return got

    def log_in(self, client: Asking) -> None:
        """Log in."""
        assert self.ask(client, ("X-Login", "alice")).status == 200
        assert self.browser.cookies


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BindingScene]:
    directory = tmp_path_factory.mktemp("sessions")
    ring = KeyRing((make_key(time.time(), os.urandom),))
    write_key_ring(directory / "keys.json", ring, replace=False)
    with binding_scene(directory, MORE) as scene:
        yield scene


@pytest.fixture(params=["server", "cookie"])
def alice(request: pytest.FixtureRequest) -> Person:
    return Person(request.param)


def test_a_session_is_good_on_each_connection_of_who_holds_the_key(
    scene: BindingScene, alice: Person
) -> None:
    client = scene.connect()
    alice.log_in(client)
    for _ in range(3):
        assert alice.ask(client).status == 200
        assert alice.ask(scene.connect(key=client.key)).status == 200
    assert {seen.values("X-Remote-User")[0] for seen in scene.seen()} == {"alice"}


def test_a_stolen_cookie_is_no_session_elsewhere(
    scene: BindingScene, alice: Person
) -> None:
    """With another key, without one, with the owner's proof, in the clear."""
    owner = scene.connect()
    alice.log_in(owner)
    octets = owner.proof
    assert alice.ask(owner, proof=octets).status == 200
    assert alice.ask(owner, proof=octets).status == 200
    scene.seen()
    own = dict(alice.browser.cookies)
    for _ in range(2):
        assert alice.ask(scene.connect()).status == 401
        assert alice.ask(scene.connect(listener=1)).status == 401
        assert alice.ask(scene.connect(), proof=octets).status == 400
        assert alice.ask(scene.connect_plainly(proxy=False)).status == 401
        alice.browser.cookies = dict(own)
    assert scene.seen() == []
    assert alice.ask(owner, proof=octets).status == 200


def test_a_thief_on_the_owners_connection_needs_the_key_as_well(
    scene: BindingScene, alice: Person
) -> None:
    """Whoever gets requests of theirs into it, such as a broken proxy before us."""
    owner = scene.connect()
    alice.log_in(owner)
    stranger = Asking(owner.stream, scene.connect().key, owner.bound)
    for _ in range(2):
        assert alice.ask(stranger).status == 401
        assert alice.ask(owner).status == 200


def test_a_session_is_bound_to_the_clients_certificate(
    scene: BindingScene, alice: Person
) -> None:
    alice.host = "mtls.example"
    mallory = scene.pki.issue("mallory", client=True)
    owner = scene.connect(4, sni=alice.host, certificate=scene.alice)
    alice.log_in(owner)
    assert alice.ask(owner).status == 200
    same = scene.connect(4, sni=alice.host, certificate=scene.alice, key=owner.key)
    assert alice.ask(same).status == 200
    # Not even with the key: it is bound to both.
    thief = scene.connect(4, sni=alice.host, certificate=mallory, key=owner.key)
    assert alice.ask(thief).status == 401
    assert alice.ask(owner).status == 200


def test_a_session_stays_bound_when_it_is_renewed_and_after_a_reload(
    scene: BindingScene, alice: Person
) -> None:
    owner = scene.connect()
    alice.log_in(owner)
    assert alice.ask(owner, ("X-Renew", "1")).status == 200
    assert alice.ask(scene.connect()).status == 401
    scene.reload()
    assert alice.ask(scene.connect(key=owner.key)).status == 200
    assert alice.ask(scene.connect()).status == 401


def test_a_terminator_may_say_which_key_it_is(
    scene: BindingScene, alice: Person
) -> None:
    key, other = scene.connect().key.id, scene.connect().key.id
    told = ("Sec-Provided-Token-Binding-ID", key.encoded)
    terminator = scene.connect_plainly(proxy=True)
    secure = ("X-Forwarded-Proto", "https")
    assert alice.ask(terminator, told, secure, ("X-Login", "alice")).status == 200
    assert alice.ask(terminator, told, secure).status == 200
    others = ("Sec-Provided-Token-Binding-ID", other.encoded)
    assert alice.ask(terminator, others, secure).status == 401
    assert alice.ask(terminator, secure).status == 401
    # Nobody else is believed about keys.
    stranger = scene.connect_plainly(proxy=False)
    assert alice.ask(stranger, told, secure).status == 401


def test_a_provider_is_told_the_key_where_there_is_one(scene: BindingScene) -> None:
    """The browser is asked to (RFC 8473 section 5.3), on connections with it alone."""
    field = "Include-Referred-Token-Binding-ID"
    away = scene.connect().prove(*PAGE, path="/op/")
    assert (away.status, away.values(field)) == (303, ["true"])
    assert away.values("location")[0].startswith("https://op.example/authorize?")
    away = scene.connect(listener=1).ask(*PAGE, path="/op/")
    assert (away.status, away.values(field)) == (303, [])


def test_a_login_is_finished_over_connections_of_who_began_it(
    scene: BindingScene,
) -> None:
    """Whoever steals its cookie, and the answer, has begun no login."""
    owner, browser = scene.connect(), Browser()
    away = owner.prove(*PAGE, path="/op/")
    for value in away.values("set-cookie"):
        browser.set(value)
    ((name, value),) = browser.cookies.items()
    state = name.removeprefix("__Host-sso-login-")
    cookie = ("Cookie", f"{name}={value}")
    denied = f"/.sso/callback/op?error=access_denied&state={state}"
    mine = owner.prove(*PAGE, cookie, path=denied)
    assert (mine.status, b"login-denied" in mine.body) == (403, True)
    for thief in (scene.connect(), scene.connect(listener=1)):
        ask = thief.prove if thief.bound else thief.ask
        lost = ask(*PAGE, cookie, path=denied)
        assert (lost.status, b"login-denied" in lost.body) == (400, False)
