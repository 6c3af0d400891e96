"""Whoever checks what we sign finds our public keys."""

import json

from sso_proxy.endpoints.desks import BrowserEndpoints
from sso_proxy.endpoints.jwks import KeysAlone, answer_jwks
from sso_proxy.model import Response
from sso_proxy.specs.jose.public_jwk import PublicKey
from sso_proxy.testing.fakes import make_request
from tests.support.caching import now

KEY = {"kty": "EC", "kid": "1"}


def ask(path: str, method: str = "GET") -> Response | None:
    endpoints = BrowserEndpoints("/.sso/", None, [KeysAlone([KEY])])
    return now(endpoints.answer(make_request(path=path, method=method)))


def test_keys_are_there_for_anybody_who_may_keep_them_for_a_while() -> None:
    for method in ("GET", "HEAD"):
        answer = ask("/.sso/jwks", method)
        assert answer is not None
        assert answer.status == 200
        assert json.loads(answer.body) == {"keys": [KEY]}
        assert dict(answer.headers) == {
            "content-type": "application/jwk-set+json",
            "cache-control": "public, max-age=300",
            "x-content-type-options": "nosniff",
        }


def test_keys_are_only_read() -> None:
    answer = ask("/.sso/jwks", "POST")
    assert answer is not None
    assert (answer.status, answer.headers) == (405, (("allow", "GET, HEAD"),))


def test_there_is_nothing_else() -> None:
    for path in ("/.sso/jwks/x", "/.sso/login", "/.sso/", "/.sso/logout"):
        assert ask(path) is None


def test_nobody_logs_in_there() -> None:
    endpoints = BrowserEndpoints("/.sso/", None, [KeysAlone([KEY])])
    assert now(endpoints.start(make_request(), ["corp"])) is None


def test_keys_that_are_added_later_are_there() -> None:
    keys: list[PublicKey] = []
    part = KeysAlone(keys)
    keys.append(KEY)
    answer = now(part.answer(make_request(path="/.sso/jwks"), "jwks", ""))
    assert answer is not None
    assert answer.body == answer_jwks([KEY]).body
