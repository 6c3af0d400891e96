"""All our public keys of a place are in one set, each under a name of its own."""

import json

import pytest

from sso_proxy.errors import ConfigError
from sso_proxy.key_places import KeyPlaces, pattern_of
from sso_proxy.testing.fakes import make_request
from tests.support.caching import now

A = ("a.example", "/.sso/")
B = ("b.example", "/.sso/")
KEY = {"kty": "EC", "kid": "1", "x": "AA"}
OTHER = {"kty": "EC", "kid": "2", "x": "BB"}


def test_each_place_has_its_keys_each_once() -> None:
    places = KeyPlaces()
    places.add("route[0]", A, [KEY])
    places.add("route[1]", A, [KEY, OTHER, OTHER])
    places.add("route[2]", B, [OTHER])
    assert [*places.at(A)] == [KEY, OTHER]
    assert [*places.at(B)] == [OTHER]


def test_a_name_means_one_key() -> None:
    places = KeyPlaces()
    places.add("route[0]", A, [KEY])
    same = {**KEY, "x": "CC"}
    with pytest.raises(ConfigError, match=r"^route\[1\]\.token\[0\]: several keys"):
        places.add("route[1].token[0]", A, [same])
    places.add("route[2]", B, [same])
    assert [*places.at(A)] == [KEY]


def test_a_key_is_for_one_purpose() -> None:
    places = KeyPlaces()
    places.add("route[0]", A, [{**KEY, "use": "sig"}])
    with pytest.raises(ConfigError, match="several keys"):
        places.add("route[1]", A, [{**KEY, "use": "enc"}])


def test_places_without_logins_have_entries_of_their_own() -> None:
    places = KeyPlaces()
    places.at(("c.example", "/.sso/"))
    places.add("route[0]", A, [KEY])
    places.add("route[1]", B, [KEY])
    (route,) = places.routes(besides={B})
    assert (route.host, route.path) == A
    assert route.logins is not None
    answer = now(route.logins.answer(make_request(path="/.sso/jwks")))
    assert answer is not None
    assert json.loads(answer.body) == {"keys": [KEY]}


@pytest.mark.parametrize(
    ("host", "patterns", "pattern"),
    [
        ("a.example", {"a.example", "*.example", "*"}, "a.example"),
        ("b.example", {"a.example", "*.example", "*"}, "*.example"),
        ("b.other", {"a.example", "*.example", "*"}, "*"),
        ("*.other", {"a.example", "*"}, "*"),
        ("b.other", {"a.example"}, "b.other"),
    ],
)
def test_keys_take_no_host_from_its_routes(
    host: str, patterns: set[str], pattern: str
) -> None:
    assert pattern_of(host, patterns) == pattern
