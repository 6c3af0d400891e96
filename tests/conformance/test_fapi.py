"""
Signed requests, and all of FAPI 2.0: Security Profile and Message Signing.

What a provider of that profile does wrong is refused although others may do it.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs
import pytest

from sso_proxy.testing.pki import Pki
from tests.conformance.accepting import DPOP
from tests.conformance.faults import FAULTS
from tests.conformance.parts import Fields
from tests.conformance.provider import Provider
from tests.conformance.proxied import Case, World, with_certificate, with_key, world

SIGNING: Final = """
auth = "private_key_jwt"
signing_keys = ["client-sign.pem"]
signing_alg = "PS256"
"""
SIGNED: Final = f'{SIGNING}{DPOP}\nprofile = "fapi2"'
"""The Security Profile and Message Signing."""
_UNSIGNED: Final = 'request_object = "off"\nresponse_mode = "query"'
FAPI: Final = f"{SIGNED}\n{_UNSIGNED}"
"""The Security Profile alone."""
_PUSHED_FIELDS: Final = {"client_id", "request_uri"}


def _strict(provider: Provider) -> None:
    """Make a provider of the profile."""
    provider.alg = "PS256"
    provider.nonces = {name: f"nonce-{name}" for name in ("par", "token", "userinfo")}


def _case(options: str = FAPI, *faults: tuple[str, str]) -> Case:
    def prepare(provider: Provider) -> None:
        _strict(provider)
        for fault in faults:
            FAULTS[fault](provider)

    return Case(prepare=prepare, options=options, client=with_key)


def _weak_alg(provider: Provider) -> None:
    _strict(provider)
    provider.alg = "RS256"


def _silent_iss(provider: Provider) -> None:
    """Send no ``iss``, and do not say that it would be sent."""
    _strict(provider)
    flag = "authorization_response_iss_parameter_supported"

    def without(fields: Fields, _grant: object) -> Fields:
        return tuple(field for field in fields if field[0] != "iss")

    def silent(said: Mapping[str, Any], _grant: object) -> dict[str, Any]:
        return {**said, flag: False}

    provider.changes.add("answer", without)
    provider.changes.add("metadata", silent)


def _bearer(provider: Provider) -> None:
    """Bind no token."""
    _strict(provider)
    provider.changes.add("token", lambda it, _: {**it, "token_type": "Bearer"})


def _bound(provider: Provider) -> None:
    provider.alg = "PS256"
    provider.bound = True


_CASES: Final[Mapping[str, Case]] = {
    "by-value": Case(
        options=f'{SIGNING}\nrequest_object = "value"\npar = "off"', client=with_key
    ),
    "by-reference": Case(
        options=f'{SIGNING}\nrequest_object = "reference"\npar = "off"',
        client=with_key,
    ),
    "pushed-object": Case(
        options=f'{SIGNING}\nrequest_object = "value"\npar = "on"', client=with_key
    ),
    "encrypted": Case(
        options=f'{SIGNING}\nrequest_object = "value"\npar = "off"\n'
        'request_object_alg = "RSA-OAEP-256"',
        client=with_key,
    ),
    "fapi": _case(),
    "fapi-signed": _case(SIGNED),
    "fapi-tls": Case(
        prepare=_bound,
        options='auth = "tls_client_auth"\ncertificate = "client.crt"\n'
        f'key = "client.key"\nprofile = "fapi2"\n{_UNSIGNED}',
        client=with_certificate,
    ),
    "aud": _case(FAPI, ("id_token", "invalid-secondary-aud")),
    "expired": _case(FAPI, ("id_token", "expired")),
    "jarm-iss": _case(SIGNED, ("jarm", "invalid-iss")),
    "jarm-none": _case(SIGNED, ("jarm", "sig-none")),
    "weak-alg": attrs.evolve(_case(), prepare=_weak_alg),
    "jarm-weak-alg": attrs.evolve(_case(SIGNED), prepare=_weak_alg),
    "silent-iss": attrs.evolve(_case(), prepare=_silent_iss),
    "bearer": attrs.evolve(_case(), prepare=_bearer),
}
_GOOD: Final = ("by-value", "by-reference", "pushed-object", "fapi", "fapi-signed")
_BAD: Final = {
    "aud": "login-refused: token-audience",
    "expired": "login-refused: token-expired",
    "jarm-iss": "login-refused: iss of the signed answer",
    "jarm-none": "login-refused: the signed answer",
    "weak-alg": "login-refused: token-alg",
    "jarm-weak-alg": "login-refused: the signed answer: alg",
    "silent-iss": "login-refused: iss is missing",
    "bearer": "login-refused: the token is not bound to our key",
}


@pytest.fixture(scope="module")
def running(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Give the proxy, with a provider for each case."""
    with world(tmp_path_factory.mktemp("fapi"), pki, _CASES) as found:
        yield found


@pytest.mark.parametrize("name", [*_GOOD, "fapi-tls"])
def test_signed_and_bound_logins_go_well(running: World, name: str) -> None:
    running.check_login(name)


@pytest.mark.parametrize("name", ["pushed-object", "fapi", "fapi-signed", "fapi-tls"])
def test_browsers_carry_a_name_of_what_was_pushed(running: World, name: str) -> None:
    running.check_login(name)
    provider = running.providers[name]
    asked = [it for where, it in provider.asked if where == "authorize"]
    assert {field for field, _ in asked[-1].query} == _PUSHED_FIELDS


def test_nothing_beside_a_request_object_counts(running: World) -> None:
    """What is beside it says who asks, and nothing else that could differ from it."""
    running.check_login("by-value")
    provider = running.providers["by-value"]
    asked = [it for where, it in provider.asked if where == "authorize"]
    assert {name for name, _ in asked[-1].query} <= {
        *("client_id", "request", "response_type", "scope")
    }


def test_request_objects_are_encrypted_to_the_provider(running: World) -> None:
    """To the one of its keys that is for that, and not to a decoy."""
    running.check_login("encrypted")
    assert running.providers["encrypted"].decrypted == 1


@pytest.mark.parametrize("name", _BAD)
def test_what_the_profile_forbids_is_refused(running: World, name: str) -> None:
    browser, logs = running.browser(), running.logs()
    page = browser.go(running.url(name))
    running.check_refused(name, browser, page, logs, told=_BAD[name])
    assert running.providers[name].times("userinfo") == 0
