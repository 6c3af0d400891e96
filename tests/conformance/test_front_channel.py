"""What the real proxy makes of providers that do wrong with what browsers bring."""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, Final

import pytest

from sso_proxy.testing.pki import Pki
from tests.conformance.accepting import RSA_ONLY
from tests.conformance.faults import FAULTS
from tests.conformance.parts import Change, Grant
from tests.conformance.provider import Provider
from tests.conformance.proxied import Case, World, world
from tests.conformance.rows import ROWS
from tests.support.browser import Browser

HYBRID: Final = "code id_token"
IMPLICIT: Final = "id_token token"
ALL: Final = ("id_token", IMPLICIT, HYBRID, "code token", "code id_token token")
MODES: Final = ("fragment", "form_post", "jwt", "form_post.jwt")
_WAYS: Final = [
    *product(ALL, MODES[:2]),
    *product((HYBRID, IMPLICIT), MODES[2:]),
]

_OPTIONS: Final[Mapping[str, str]] = {
    "invalid-sig-es256": 'id_token_algorithms = ["ES256"]',
    "invalid-sig-hs256": 'id_token_algorithms = ["HS256"]',
}
# The codes are what is new with both; the rest is checked in the same way.
_WITH_CODE: Final = (
    *("nonce-invalid", "nonce-missing", "invalid-iss", "missing-sub", "invalid-aud"),
    *("expired", "invalid-sig-rs256", "sig-none", "unknown-kid"),
    *("c-hash-invalid", "c-hash-missing", "s-hash-invalid"),
)
_ELSEWHERE: Final = {
    *("zip-bomb", "rsa1_5-encryption", "truncated-gcm-tag"),
    *("c-hash-invalid", "c-hash-missing"),
}
_ROWS: Final = [
    *((HYBRID, name) for name in _WITH_CODE),
    *((IMPLICIT, n) for n in ROWS.refused["id_token"] if n not in _ELSEWHERE),
]


def _asking(text: str, more: str = RSA_ONLY) -> str:
    return f'response_type = "{text}"\n{more}'


def _at_back(**claims: object) -> Case:
    """Make a provider whose second ID token says something else."""

    def change(said: Mapping[str, Any], grant: Grant) -> Mapping[str, Any]:
        return said if grant.front else {**said, **claims}

    return _changed("id_token_claims", change)


def _changed(step: str, change: Change, text: str = HYBRID) -> Case:
    return Case(prepare=lambda op: op.changes.add(step, change), options=_asking(text))


def _without(*names: str) -> Change:
    return lambda fields, _: tuple(f for f in fields if f[0] not in names)


def _lists(*texts: str) -> Case:
    change = {"response_types_supported": [*texts]}
    return _changed("metadata", lambda said, _: {**said, **change})


# What is done wrong, and what the log says of it.
_FURTHER: Final[Mapping[str, tuple[Case, str]]] = {
    "tokens-in-query": (
        _changed("answer_mode", lambda _mode, _: "query", IMPLICIT),
        "login-refused: id_token came in a query",
    ),
    "hybrid-in-query": (
        _changed("answer_mode", lambda _mode, _: "query"),
        "login-refused: id_token came in a query",
    ),
    "form-instead-of-fragment": (
        _changed("answer_mode", lambda _mode, _: "form_post"),
        "login-no-cookie",
    ),
    "code-alone": (
        _changed("answer", _without("id_token")),
        "login-refused: there is no id_token",
    ),
    "id-token-alone": (
        _changed("answer", _without("code")),
        "login-refused: there is no code",
    ),
    "access-token-unasked": (
        _changed(
            "answer",
            lambda fields, _: (*fields, ("access_token", "a"), ("token_type", "b")),
        ),
        "login-refused: token_type is not Bearer",
    ),
    "two-id-tokens": (
        _changed("answer", lambda fields, _: (*fields, ("id_token", "a.b.c"))),
        "login-refused: id_token occurs twice",
    ),
    "refresh-token": (
        _changed("answer", lambda fields, _: (*fields, ("refresh_token", "a"))),
        "login-refused: refresh_token came through the browser",
    ),
    "another-user-behind": (
        _at_back(sub="mallory"),
        "login-refused: token-subject: sub differs",
    ),
    "another-login-behind": (
        _at_back(auth_time=1),
        "login-refused: token-differs: auth_time differs",
    ),
    "type-not-listed": (_lists("code", "code id_token token"), "response_type 'code"),
}


def _without_a_token_endpoint(provider: Provider) -> None:
    def change(said: Mapping[str, Any], _grant: object) -> Mapping[str, Any]:
        return {n: value for n, value in said.items() if n != "token_endpoint"}

    provider.changes.add("metadata", change)


def _slug(text: str, name: str) -> str:
    return f"row{_ROWS.index((text, name))}"


def _way(text: str, mode: str) -> str:
    return f"way{ALL.index(text)}{MODES.index(mode)}"


@pytest.fixture(scope="module")
def running(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Give the proxy, with a provider for each row."""
    cases = {
        _slug(text, name): Case(
            prepare=FAULTS["id_token", name],
            options=_asking(text, _OPTIONS.get(name, RSA_ONLY)),
        )
        for text, name in _ROWS
    }
    for text, mode in _WAYS:
        options = f'{_asking(text)}\nresponse_mode = "{mode}"'
        cases[_way(text, mode)] = Case(options=options)
    cases |= {name: case for name, (case, _) in _FURTHER.items()}
    cases["tokenless"] = Case(
        prepare=_without_a_token_endpoint, options=_asking(IMPLICIT)
    )
    cases["unordered"] = _lists("code", "id_token code")
    with world(tmp_path_factory.mktemp("world"), pki, cases) as found:
        yield found


@pytest.mark.parametrize(("text", "name"), _ROWS)
def test_a_bad_id_token_is_refused(running: World, text: str, name: str) -> None:
    """And the code is not even used."""
    browser, logs, row = running.browser(), running.logs(), _slug(text, name)
    page = browser.go(running.url(row))
    told = ROWS.refused["id_token"][name]
    running.check_refused(row, browser, page, logs, told=told)
    assert running.providers[row].times("token") == 0


@pytest.mark.parametrize("name", _FURTHER)
def test_a_bad_answer_is_refused(running: World, name: str) -> None:
    browser, logs = running.browser(), running.logs()
    page = browser.go(running.url(name))
    running.check_refused(name, browser, page, logs, told=_FURTHER[name][1])
    asked = running.providers[name].times("token")
    assert asked == name.endswith("behind")


@pytest.mark.parametrize(("text", "mode"), _WAYS)
def test_each_response_type_comes_in_each_mode(
    running: World, text: str, mode: str
) -> None:
    name = _way(text, mode)
    browser = running.check_login(name)
    provider = running.providers[name]
    assert provider.times("token") == ("code" in text.split())
    assert provider.times("userinfo") == (text != "id_token")
    check_trail(browser, provider)


def check_trail(browser: Browser, provider: Provider) -> None:
    """Check that no token was in a URL that a server sees."""
    grant = provider.grants[-1]
    for _, url, _ in browser.trail:
        seen = url.partition("#")[0]
        assert "eyJ" not in seen
        for secret in filter(None, (grant.front_token, grant.access_token)):
            assert secret not in seen


def test_types_are_listed_in_any_order(running: World) -> None:
    running.check_login("unordered")


def test_a_provider_that_gives_no_codes_needs_no_token_endpoint(
    running: World,
) -> None:
    running.check_login("tokenless")


def test_nothing_that_a_browser_brought_is_logged(running: World) -> None:
    log = running.proxy.log() + running.proxy.audit.read_text()
    front = 0
    for provider in running.providers.values():
        for grant in provider.grants:
            brought = (grant.code, grant.front_token, grant.asked["nonce"])
            for secret in filter(None, brought):
                assert secret not in log, provider.issuer
            front += bool(grant.front_token)
    assert front > len(_WITH_CODE)
    assert "eyJ" not in log
