"""Compiled conditions say what their words mean, and when that may change."""

import math
from typing import Any

import attrs
import pytest

from sso_proxy.authz.compiling import (
    clocks,
    compile_tree,
    depends_on_request,
    is_steady,
)
from sso_proxy.authz.facts import FACTS, STEADY, Context, UndefinedError
from sso_proxy.specs.expression import parse
from sso_proxy.testing.fakes import NOW, make_identity, make_request

CONTEXT = Context(
    template="/orders/{id}",
    groups={"admins": frozenset({"alice", "bob"})},
    tables={"codes": {"x1": {"country": "DE"}}},
)
REQUEST = attrs.evolve(make_request(path="/orders/17", time=NOW), bindings=("dpop",))


def answer_to(text: str, claims: dict[str, Any] | None = None) -> bool | None:
    identity = make_identity(claims=claims, scopes=["a.read"])
    return compile_tree(parse(text), CONTEXT)(identity, REQUEST)


@pytest.mark.parametrize(
    ("text", "claims", "answer"),
    [
        ("path.id == '17'", {}, True),
        ("path starts with '/orders/'", {}, True),
        ("path like '/orders/*'", {}, True),
        ("path matches '/orders/[0-9]+'", {}, True),
        ("path not matches '/orders/[0-9]+'", {}, False),
        ("host == 'app.example.com'", {}, True),
        ("client in ['192.0.2.0/24']", {}, True),
        ("client not in ['192.0.2.0/24']", {}, False),
        ("client == '192.0.2.1'", {}, True),
        ("bindings contains 'dpop'", {}, True),
        ("scopes contains like 'a.*'", {}, True),
        ("scopes contains matches 'b'", {}, False),
        ("claims.groups contains starts with 'team-'", {"groups": ["team-a"]}, True),
        ("claims.groups contains starts with 'team-'", {"groups": "team-a"}, None),
        ("claims.a like 'x*'", {"a": "xy"}, True),
        ("claims.a like 'x*'", {"a": 1}, None),
        ("claims.a not like 'x*'", {}, None),
        ("amr contains 'mfa'", {"amr": ["pwd", "mfa"]}, True),
        ("claims.a >= 3", {"a": 3}, True),
        ("claims.a > 3", {"a": 3.5}, True),
        ("claims.a < 3", {"a": "2"}, None),
        ("claims.a < 3", {"a": True}, None),
        ("claims.a < 3", {"a": math.nan}, None),
        ("claims.a > now", {"a": NOW + 1}, True),
        ("claims.a <= now", {"a": NOW}, True),
        ("claims.a > now", {"a": "2126-01-01"}, True),
        ("claims.a > now", {"a": "tomorrow"}, None),
        ("claims.a >= 2027-01-15", {"a": "2027-01-15T08:00:00Z"}, True),
        ("claims.a == 2027-01-15", {"a": 1799971200}, True),
        ("claims.a in [2027-01-15, 2027-01-16]", {"a": "2027-01-16"}, True),
        ("now in 'mon-sun 00:00-24:00 UTC'", {}, True),
        ("now not in 'mon-sun 00:00-24:00 UTC'", {}, False),
        ("subject in groups.admins", {}, True),
        ("claims.a not in groups.admins", {"a": "carol"}, True),
        ("claims.a in groups.admins", {"a": ["x", "bob"]}, True),
        ("claims.a in groups.admins", {"a": 1}, None),
        ("claims.a in groups.admins", {}, None),
        ("tables.codes[claims.code].country == 'DE'", {"code": "x1"}, True),
        ("tables.codes[claims.code].country == 'DE'", {"code": "x2"}, None),
        ("exists tables.codes[claims.code].country", {"code": "x2"}, False),
        ("exists certificate.subject", {}, False),
        ("certificate.verified != true", {}, None),
        ("claims.a contains 2027-01-15", {"a": ["2027-01-15T00:00:00Z"]}, True),
        ("claims.a not contains 2027-01-15", {"a": [1799971200]}, False),
        ("claims.a contains 2027-01-15", {"a": ["x", None, 1]}, False),
        ("claims.a contains 2027-01-15", {"a": "2027-01-15"}, None),
        ("claims.a like 'x**'", {"a": "x\ud800"}, None),
        ("claims.a not matches 'x'", {"a": "\udfff"}, None),
        ("claims.a contains like 'x*'", {"a": ["x\ud800", "xy"]}, True),
        ("claims.a > now", {"a": 10**400}, True),
        ("claims.a > 3", {"a": 10**400}, True),
        ("claims.a == 'admin'", {"a": "\uff41dmin"}, False),
        ("claims.a == 'admin'", {"a": "\u0430dmin"}, False),
        ("claims.a == 'admin'", {"a": "admin "}, False),
        ("claims.a == 'admin'", {"a": "admin\0"}, False),
        ("claims.a matches 'admin'", {"a": "admin\n"}, False),
        ("claims.a like '*'", {"a": "a\nb"}, True),
        ("claims.a like '*'", {"a": "a/b"}, False),
        ("claims.a[].b contains 2", {"a": [{"b": 1}, {"b": 2}]}, True),
    ],
)
def test_a_condition_means_this(
    text: str, claims: dict[str, Any], *, answer: bool | None
) -> None:
    assert answer_to(text, claims) is answer


def test_an_address_of_ipv4_in_ipv6_is_one_of_ipv4() -> None:
    other = attrs.evolve(REQUEST.client, address="::ffff:192.0.2.1")
    request = attrs.evolve(REQUEST, client=other)
    compiled = compile_tree(parse("client in ['192.0.2.0/24']"), CONTEXT)
    assert compiled(make_identity(), request) is True
    request = attrs.evolve(REQUEST, client=attrs.evolve(other, address="unix"))
    assert compiled(make_identity(), request) is None
    compiled = compile_tree(parse("client in ['192.0.2.0/24', 'unix']"), CONTEXT)
    assert compiled(make_identity(), request) is True
    assert compiled(make_identity(), REQUEST) is True


def test_without_a_clock_nothing_about_time_can_be_told() -> None:
    request = attrs.evolve(REQUEST, time=None)
    for text in ("now in 'mon-sun 00:00-24:00 UTC'", "claims.a < now"):
        identity = make_identity(claims={"a": 1})
        assert compile_tree(parse(text), CONTEXT)(identity, request) is None


@pytest.mark.parametrize(
    "text",
    ["subject in groups.none", "path.none == 'x'", "exists tables.none[subject].a"],
)
def test_what_is_not_defined_is_said(text: str) -> None:
    with pytest.raises(UndefinedError):
        compile_tree(parse(text), CONTEXT)


@pytest.mark.parametrize(
    ("text", "depends"),
    [
        ("path like '/a'", True),
        ("not path.id == 'x'", True),
        ("method == GET", True),
        ("method in groups.admins", True),
        ("exists tables.codes[path.id].country", True),
        ("subject == 'a' and host == 'b'", False),
        ("claims.a == 'b'", False),
    ],
)
def test_some_conditions_depend_on_the_request(text: str, *, depends: bool) -> None:
    assert depends_on_request(parse(text)) is depends


@pytest.mark.parametrize(
    ("text", "claims", "left"),
    [
        ("auth_age <= 300", {"auth_time": NOW - 100}, 200),
        ("auth_age <= 300", {"auth_time": NOW - 301}, math.inf),
        ("claims.a > now", {"a": NOW + 7}, 7),
        ("claims.a > now", {"a": NOW - 7}, math.inf),
        ("claims.a > now", {}, math.inf),
        ("claims.a > now", {"a": 10**400}, math.inf),
        ("not (scope:a and now in 'mon-sun 00:00-24:00 UTC')", {}, 57600),
    ],
)
def test_a_clock_tells_when_the_answer_may_change(
    text: str, claims: dict[str, Any], left: float
) -> None:
    (clock,) = clocks(parse(text), CONTEXT)
    assert clock(make_identity(claims=claims), REQUEST, NOW) - NOW == left


@pytest.mark.parametrize("key", ["path.id", "path", "method"])
def test_a_moment_of_a_path_says_nothing_about_other_paths(key: str) -> None:
    """A repeated request is decided on as of when its like came (edge.memo)."""
    (clock,) = clocks(parse(f"tables.codes[{key}].country > now"), CONTEXT)
    assert clock(make_identity(), REQUEST, NOW) == NOW


@pytest.mark.parametrize(
    ("text", "steady"),
    [
        ("scope:a", True),
        ("method == GET", True),
        ("subject in groups.admins", True),
        ("claims.a == 'x' or not token.b contains 'y'", True),
        ("exists claims.a and acr == 'gold'", True),
        ("tables.codes[claims.code].country == 'DE'", True),
        ("claims.until > 2026-12-31", True),
        ("claims.until > now", False),
        ("claims.a == 'x' and claims.until > now", False),
        ("not (claims.until > now)", False),
        ("auth_age <= 60", False),
        ("now in 'mon-sun 00:00-24:00 UTC'", False),
        ("any(scope:a, now in 'mon-sun 00:00-24:00 UTC')", False),
        ("path.id == '17'", False),
        ("tables.codes[path.id].country == 'DE'", False),
        ("tables.codes[client].country == 'DE'", False),
        ("client in groups.admins", False),
        ("exists certificate.subject", False),
    ],
)
def test_what_is_the_same_for_a_caller_and_a_method(text: str, *, steady: bool) -> None:
    assert is_steady(parse(text)) is steady


def test_what_is_steady_reads_nothing_of_a_request_but_its_method() -> None:
    """Whoever adds a fact has to think about which of them it is."""
    identity = make_identity(claims={"acr": "gold", "amr": ["pwd"]})
    asked = make_request(
        method="PUT", path="/a", host="a.example", client="192.0.2.1", time=NOW
    )
    other = make_request(
        method="PUT", path="/b", host="b.example", client="2001:db8::1", tls=False
    )
    other = attrs.evolve(other, bindings=("dpop",), time=NOW + 1e6)
    for name in STEADY:
        found = FACTS[name](identity, asked)
        assert found is not None, name
        assert found == FACTS[name](identity, other), name


@pytest.mark.parametrize("text", ["path like '/a/**z'", "path matches '/a/.*z'"])
def test_a_pattern_says_the_same_of_a_path_each_time(text: str) -> None:
    compiled = compile_tree(parse(text), CONTEXT)
    long = "/a/" + "x" * 1000
    paths = (
        "/a/z",
        "/a/b",
        "/b/z",
        long + "z",
        long,
        *(f"/a/{n}z" for n in range(200)),
    )
    for path in paths * 2:
        fits = compiled(make_identity(), make_request(path=path))
        assert fits is (path.startswith("/a/") and path.endswith("z")), path


def test_a_network_says_the_same_of_a_client_each_time() -> None:
    compiled = compile_tree(parse("client in ['192.0.2.0/25']"), CONTEXT)
    for number in (*range(256), *range(0, 256, 7)):
        request = make_request(client=f"192.0.2.{number}")
        assert compiled(make_identity(), request) is (number < 128)
