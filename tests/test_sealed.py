"""All that is sealed in the product: no other bit, no other kind, no pattern."""

import itertools
import re
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from sso_proxy.authn.dpop_binding import Nonces
from sso_proxy.caches.memory import MemoryCache
from sso_proxy.session import Session
from sso_proxy.sessions import device_keys, endings, kept, newest, records
from sso_proxy.sessions.bound_cookie import BoundCookie
from sso_proxy.sessions.challenges import Challenges
from sso_proxy.sessions.device_keys import DeviceKey, DeviceKeys
from sso_proxy.sessions.kept import KeptBodies
from sso_proxy.sessions.lifetime import Lifetime
from sso_proxy.sessions.login_state import LoginStates
from sso_proxy.sessions.logout_state import LogoutStates
from sso_proxy.sessions.names import decode, encode
from sso_proxy.sessions.newest import Newest
from sso_proxy.sessions.records import Records
from sso_proxy.specs.http.cookies import LOGOUT, Scope, login_name
from sso_proxy.testing.fakes import NOW, make_identity, make_request
from tests.support.caching import now
from tests.support.sessions import Browser, SessionTools, cookie_sessions

PRODUCT = Path(__file__).parent.parent / "sso_proxy"
NAME = bytes(32)
LOGIN = encode(bytes(32))
SESSION = Session(
    id=LOGIN, identity=make_identity("alice"), created=NOW, used=NOW, expires=NOW + 99
)
CHANGED = attrs.evolve(SESSION, revision=1)


@attrs.frozen
class Sealed:
    """
    One thing that is sealed, as its users see it.

    Attributes:
        kind: What its sealer is for.
        make: Seals the same again.
        takes: Whether octets in its place are believed.
    """

    kind: str
    make: Callable[[SessionTools], bytes]
    takes: Callable[[SessionTools, bytes], bool]


def only_value(cache: MemoryCache, purpose: str) -> bytes:
    (entry,) = cache._kinds[purpose]._entries.values()  # noqa: SLF001
    value: bytes = entry.value
    return value


def records_of(tools: SessionTools) -> Records:
    sealer = tools.sealer("session")
    return Records(tools.memory, sealer, Lifetime(60, 3600), tools.clock)


def make_record(tools: SessionTools) -> bytes:
    now(records_of(tools).put(NAME, SESSION))
    return only_value(tools.memory, records.PURPOSE)


def takes_record(tools: SessionTools, octets: bytes) -> bool:
    now(tools.memory.put(records.PURPOSE, NAME, octets, 60))
    return now(records_of(tools).find(NAME)) is not None


def make_cookie(tools: SessionTools) -> bytes:
    browser = Browser()
    store = cookie_sessions(tools, cache=None)
    browser.take(now(store.start(browser.request(), SESSION.identity, {})))
    octets = decode(browser.cookies["__Host-sso"].removeprefix("1."))
    assert octets is not None
    return octets


def takes_cookie(tools: SessionTools, octets: bytes) -> bool:
    browser = Browser(**{"__Host-sso": "1." + encode(octets)})
    opened = now(cookie_sessions(tools, cache=None).load(browser.request()))
    return opened.session is not None


def newest_of(tools: SessionTools) -> Newest:
    return Newest("main", tools.memory, tools.sealer("session-cookie"), tools.clock)


def make_newest(tools: SessionTools) -> bytes:
    now(newest_of(tools).remember(CHANGED))
    return only_value(tools.memory, newest.PURPOSE)


def takes_newest(tools: SessionTools, octets: bytes) -> bool:
    known = newest_of(tools)
    now(tools.memory.put(newest.PURPOSE, known._name(SESSION), octets, 60))  # noqa: SLF001
    return now(known.anywhere(SESSION)) != SESSION


def endings_of(tools: SessionTools) -> endings.Endings:
    return endings.Endings(
        cache=tools.memory,
        sealer=tools.sealer("session-ended"),
        clock=tools.clock,
        spawn=tools.spawn,
        sleep=lambda _: None,
    )


def make_ending(tools: SessionTools) -> bytes:
    subscription = tools.memory.subscribe(endings.PURPOSE)
    now(endings_of(tools).end(SESSION.id))
    message: bytes = now(subscription.__anext__())
    return message


def takes_ending(tools: SessionTools, octets: bytes) -> bool:
    hearing = endings_of(tools)
    hearing.listen()
    now(tools.memory.publish(endings.PURPOSE, octets))
    hearing.close()
    return hearing.take() is not None


def logins_of(tools: SessionTools) -> LoginStates:
    return LoginStates(tools.sealer("login"), tools.clock)


def make_login(tools: SessionTools) -> bytes:
    """Seal as `LoginStates.begin` does, which draws another id each time."""
    octets = b'{"at": %d, "state": {}}' % int(tools.clock.time())
    sealed: bytes = tools.sealer("login").seal(octets, LOGIN.encode())
    return sealed


def takes_login(tools: SessionTools, octets: bytes) -> bool:
    browser = Browser(**{login_name(LOGIN): encode(octets)})
    return logins_of(tools).take(browser.request(), LOGIN)[0] is not None


def make_logout(tools: SessionTools) -> bytes:
    (_, field), _ = LogoutStates(tools.sealer("logout"), tools.clock).begin({})
    octets = decode(field.partition(";")[0].partition("=")[2])
    assert octets is not None
    return octets


def takes_logout(tools: SessionTools, octets: bytes) -> bool:
    browser = Browser(**{LOGOUT: encode(octets)})
    states = LogoutStates(tools.sealer("logout"), tools.clock)
    return states.take(browser.request())[0] is not None


def make_body(tools: SessionTools) -> bytes:
    bodies = KeptBodies(tools.memory, tools.sealer("login-body"))
    name = now(bodies.keep("/", "text/plain", b"posted"))
    whole = tools.sealer("login-body").open(
        only_value(tools.memory, kept.PURPOSE), name.encode()
    )
    assert whole is not None
    now(tools.memory.delete(kept.PURPOSE, name.encode()))
    sealed: bytes = tools.sealer("login-body").seal(whole, LOGIN.encode())
    return sealed


def takes_body(tools: SessionTools, octets: bytes) -> bool:
    now(tools.memory.put(kept.PURPOSE, LOGIN.encode(), octets, 60))
    bodies = KeptBodies(tools.memory, tools.sealer("login-body"))
    return now(bodies.give(LOGIN, "session")) is not None


def make_nonce(tools: SessionTools) -> bytes:
    octets = decode(Nonces(tools.sealer("dpop-nonce")).make(NOW))
    assert octets is not None
    return octets


def takes_nonce(tools: SessionTools, octets: bytes) -> bool:
    return Nonces(tools.sealer("dpop-nonce")).time(encode(octets)) is not None


def bound_of(tools: SessionTools) -> BoundCookie:
    return BoundCookie(
        "__Host-sso-bound",
        Scope(),
        sealer=tools.sealer("device-bound"),
        clock=tools.clock,
        lifetime=300,
    )


def make_bound(tools: SessionTools) -> bytes:
    browser = Browser()
    browser.take(bound_of(tools).write("holder", "print", NOW + 999))
    octets = decode(browser.cookies["__Host-sso-bound"])
    assert octets is not None
    return octets


def takes_bound(tools: SessionTools, octets: bytes) -> bool:
    browser = Browser(**{"__Host-sso-bound": encode(octets)})
    return bound_of(tools).read(browser.request(), "holder") is not None


def challenges_of(tools: SessionTools) -> Challenges:
    return Challenges(tools.sealer("device-challenge"), tools.memory, tools.clock)


def make_challenge(tools: SessionTools) -> bytes:
    octets = decode(challenges_of(tools).make("refresh", "holder", "app.example.com"))
    assert octets is not None
    return octets


def takes_challenge(tools: SessionTools, octets: bytes) -> bool:
    text, host = encode(octets), "app.example.com"
    return challenges_of(tools).check(text, "refresh", "holder", host)


def keys_of(tools: SessionTools) -> DeviceKeys:
    return DeviceKeys(tools.memory, tools.sealer("device-key"))


def make_key(tools: SessionTools) -> bytes:
    key = DeviceKey(jwk={}, thumbprint="print", algorithm="ES256", since=NOW)
    now(keys_of(tools).register("holder", key, 60))
    return only_value(tools.memory, device_keys.PURPOSE)


def takes_key(tools: SessionTools, octets: bytes) -> bool:
    keys = keys_of(tools)
    name = keys._digest("holder")  # noqa: SLF001
    now(tools.memory.put(device_keys.PURPOSE, name, octets, 60))
    return now(keys.find("holder")) is not None


THINGS = {
    "record": Sealed("session", make_record, takes_record),
    "cookie": Sealed("session-cookie", make_cookie, takes_cookie),
    "newest": Sealed("session-cookie", make_newest, takes_newest),
    "ending": Sealed("session-ended", make_ending, takes_ending),
    "login": Sealed("login", make_login, takes_login),
    "logout": Sealed("logout", make_logout, takes_logout),
    "body": Sealed("login-body", make_body, takes_body),
    "nonce": Sealed("dpop-nonce", make_nonce, takes_nonce),
    "bound": Sealed("device-bound", make_bound, takes_bound),
    "challenge": Sealed("device-challenge", make_challenge, takes_challenge),
    "key": Sealed("device-key", make_key, takes_key),
}


KINDS = sorted(
    {
        kind
        for path in PRODUCT.rglob("*.py")
        for kind in re.findall(r"\.sealer\(\s*\"([^\"]+)\"", path.read_text())
    }
)
"""What components ask sealers for."""


def test_all_kinds_are_there() -> None:
    assert {thing.kind for thing in THINGS.values()} <= set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_opens_with_another_bit(kind: str) -> None:
    sealer = SessionTools().sealer(kind)
    sealed = sealer.seal(b"some data of this kind", b"context")
    for position in range(8 * len(sealed)):
        changed = bytearray(sealed)
        changed[position // 8] ^= 1 << position % 8
        assert sealer.open(bytes(changed), b"context") is None, position


@pytest.mark.parametrize("name", THINGS)
def test_what_is_sealed_is_believed(name: str) -> None:
    thing, tools = THINGS[name], SessionTools()
    assert thing.takes(tools, thing.make(tools))


@pytest.mark.parametrize("name", THINGS)
def test_no_single_bit_can_be_changed(name: str) -> None:
    thing, tools = THINGS[name], SessionTools()
    sealed = thing.make(tools)
    for position in range(8 * len(sealed)):
        changed = bytearray(sealed)
        changed[position // 8] ^= 1 << position % 8
        assert not thing.takes(tools, bytes(changed)), position


@pytest.mark.parametrize("name", THINGS)
def test_no_octet_can_be_taken_off_or_added(name: str) -> None:
    thing, tools = THINGS[name], SessionTools()
    sealed = thing.make(tools)
    for length in range(1, len(sealed)):
        assert not thing.takes(tools, sealed[:length]), length
    assert not thing.takes(tools, sealed + b"\0")
    assert not thing.takes(tools, sealed + sealed)


@pytest.mark.parametrize("place", THINGS)
@pytest.mark.parametrize("name", THINGS)
def test_nothing_is_believed_in_the_place_of_another(name: str, place: str) -> None:
    """A login that has begun is no session, nor anything else what it is not (C9)."""
    tools = SessionTools()
    sealed = THINGS[name].make(tools)
    assert THINGS[place].takes(SessionTools(), sealed) == (name == place)


@pytest.mark.parametrize("context", [b"", NAME, LOGIN.encode(), b"cookie main"])
def test_no_kind_opens_what_another_has_sealed(context: bytes) -> None:
    """Not even where both say the same of the place."""
    sealers = {kind: SessionTools().sealer(kind) for kind in KINDS}
    for ours, theirs in itertools.product(KINDS, KINDS):
        sealed = sealers[ours].seal(b"data", context)
        opened = sealers[theirs].open(sealed, context)
        assert opened == (b"data" if ours == theirs else None), (ours, theirs)


@pytest.mark.parametrize("name", THINGS)
def test_what_is_equal_never_looks_equal(name: str) -> None:
    """After what says which key it was, there is no octet that is always the same."""
    thing = THINGS[name]
    sealed = [thing.make(SessionTools()) for _ in range(64)]
    assert len(set(sealed)) == 64
    start = 2 + sealed[0][1]
    for column in zip(*(each[start:] for each in sealed), strict=False):
        assert len(set(column)) > 8


def test_a_request_without_any_cookie_has_none_of_them() -> None:
    tools = SessionTools()
    assert now(cookie_sessions(tools).load(make_request())).session is None
