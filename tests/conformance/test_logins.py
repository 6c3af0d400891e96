"""What the real proxy makes of providers that do wrong, and of those that may."""

import time
from collections.abc import Iterator, Mapping
from typing import Final

import pytest

from sso_proxy.testing.pki import Pki
from tests.conformance.accepting import ACCEPTED, DECRYPTING, DPOP, RSA_ONLY
from tests.conformance.faults import FAULTS, SCENES, SHORT
from tests.conformance.proxied import Case, World, world
from tests.conformance.rows import ROWS
from tests.support.browser import Browser

DUE: Final = 1.2
"""Seconds after a login when its tokens need a refresh."""


def _hashed(name: str) -> str:
    return f'{RSA_ONLY}\nrequired_hashes = ["{name}"]'


_OPTIONS: Final[Mapping[tuple[str, str], str]] = {
    ("id_token", "invalid-sig-es256"): 'id_token_algorithms = ["ES256"]',
    ("id_token", "invalid-sig-hs256"): 'id_token_algorithms = ["HS256"]',
    ("id_token", "at-hash-missing"): _hashed("at_hash"),
    ("id_token", "c-hash-missing"): _hashed("c_hash"),
    ("id_token", "zip-bomb"): DECRYPTING,
    ("id_token", "rsa1_5-encryption"): DECRYPTING,
    ("id_token", "truncated-gcm-tag"): DECRYPTING,
    (
        "authorization_response",
        "error-login-required-form-post",
    ): 'response_mode = "form_post"',
    ("authorization_response", "wrong-response-mode"): 'response_mode = "form_post"',
    ("token_response", "slow"): "timeout = 0.5",
    ("token_response", "dpop-nonce-endless"): DPOP,
}
_GROUPS: Final = {"jarm": 'response_mode = "jwt"', "refresh": RSA_ONLY}


_ROWS: Final = (*FAULTS, *sorted(SCENES), *(("accepted", name) for name in ACCEPTED))


def slug(group: str, name: str) -> str:
    """Give the name of a row's provider: one that says nothing, as it is in logs."""
    return f"op{_ROWS.index((group, name))}"


def _case(group: str, name: str) -> Case:
    options = _OPTIONS.get((group, name), _GROUPS.get(group, RSA_ONLY))
    fault = FAULTS.get((group, name))
    return (
        Case(options=options) if fault is None else Case(prepare=fault, options=options)
    )


@pytest.fixture(scope="module")
def running(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Give the proxy, with a provider for each row."""
    refused = {slug(*row): _case(*row) for row in (*FAULTS, *sorted(SCENES))}
    accepted = {slug("accepted", name): row.case for name, row in ACCEPTED.items()}
    cases = {**refused, **accepted, "good": Case()}
    with world(tmp_path_factory.mktemp("world"), pki, cases) as found:
        yield found


@pytest.mark.parametrize(
    ("group", "name"),
    [row for row in FAULTS if row[0] != "refresh"],
    ids=str,
)
def test_a_bad_login_is_refused(running: World, group: str, name: str) -> None:
    """An error, no session, nothing at the backend, and the reason in the log."""
    browser, logs = running.browser(), running.logs()
    row = slug(group, name)
    page = browser.go(running.url(row))
    told = ROWS.refused[group][name]
    running.check_refused(row, browser, page, logs, told=told)


@pytest.fixture(scope="module")
def logged_in(running: World) -> Mapping[str, Browser]:
    """Give browsers whose tokens need a refresh now."""
    rows = [slug("refresh", name) for name in ROWS.refused["refresh"]]
    found = {}
    for row in rows:
        running.providers[row].ttl = SHORT
        found[row] = running.check_login(row)
    time.sleep(DUE)
    return found


@pytest.mark.parametrize("name", ROWS.refused["refresh"])
def test_a_bad_refresh_ends_the_session(
    running: World, logged_in: Mapping[str, Browser], name: str
) -> None:
    row = slug("refresh", name)
    browser, arrived = logged_in[row], 1
    if name == "rotated-token-reused":
        assert browser.fetch(running.url(row)).status == 200
        arrived += 1
        time.sleep(DUE)
    logs = running.logs()
    page = browser.fetch(running.url(row))
    told = ROWS.refused["refresh"][name]
    running.check_refused(row, browser, page, logs, told=told, arrived=arrived)
    assert running.providers[row].complaints == []


def test_an_answer_is_good_in_the_browser_that_asked_alone(running: World) -> None:
    """Else somebody's browser could be logged in as somebody else."""
    row = slug("authorization_response", "state-of-another-browser")
    attacker, victim = running.browser(), running.browser()
    stopped = attacker.go(running.url(row), stop=running.callback(row))
    assert stopped.location is not None
    logs = running.logs()
    page = victim.go(stopped.location, stop=running.providers[row].issuer)
    told = ROWS.refused["authorization_response"]["state-of-another-browser"]
    running.check_refused(row, victim, page, logs, told=told)
    assert running.providers[row].times("token") == 0


def test_an_answer_is_good_once(running: World) -> None:
    row = slug("authorization_response", "state-reused")
    first = running.browser()
    stopped = first.go(running.url(row), stop=running.callback(row))
    assert stopped.location is not None
    second = first.copy()
    assert first.go(stopped.location).status == 200
    logs = running.logs()
    page = second.go(stopped.location, stop=running.providers[row].issuer)
    told = ROWS.refused["authorization_response"]["state-reused"]
    running.check_refused(row, second, page, logs, told=told, arrived=1)


def test_an_answer_is_good_at_the_provider_that_was_asked_alone(running: World) -> None:
    """Else a provider could have the code of another (RFC 9207)."""
    row = slug("authorization_response", "code-of-another-provider")
    browser = running.browser()
    stopped = browser.go(running.url("good"), stop=running.callback("good"))
    assert stopped.location is not None
    swapped = stopped.location.replace(running.callback("good"), running.callback(row))
    logs = running.logs()
    page = browser.go(swapped, stop=running.providers[row].issuer)
    told = ROWS.refused["authorization_response"]["code-of-another-provider"]
    running.check_refused(row, browser, page, logs, told=told)
    assert running.providers[row].times("token") == 0


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_a_provider_may_do_is_borne(running: World, name: str) -> None:
    ACCEPTED[name].play(running, slug("accepted", name))


def test_a_provider_that_wants_ever_new_nonces_is_asked_twice(running: World) -> None:
    row = slug("token_response", "dpop-nonce-endless")
    before = running.providers[row].times("token")
    running.browser().go(running.url(row))
    assert running.providers[row].times("token") - before == 2


def test_nothing_is_fetched_that_a_token_names(running: World) -> None:
    provider = running.providers[slug("id_token", "key-from-jku")]
    assert provider.times("strangers-keys") == 0


def test_nothing_secret_is_logged(running: World) -> None:
    """Neither of what came through browsers, nor of what providers gave."""
    log = running.proxy.log() + running.proxy.audit.read_text()
    found = 0
    for provider in running.providers.values():
        assert provider.client.secret not in log
        for grant in provider.grants:
            asked = (grant.asked[name] for name in ("state", "nonce"))
            given = (grant.code, grant.access_token, grant.refresh_token)
            for secret in filter(None, (*asked, *given)):
                assert secret not in log, provider.issuer
                found += 1
    assert found > len(running.providers), "the logins before this one are looked at"
