"""How requests may be signed, and what the options must not say."""

from collections.abc import Callable
from pathlib import Path

import pytest

Mistakes = Callable[..., dict[str, str]]

ROUTE = """
[[route]]
host = "app.example.com"
authenticate = ["anonymous"]
backend = "{backend}"
signature = {{ {options} }}
"""


def route(options: str, backend: str = "http://127.0.0.1:9") -> str:
    return ROUTE.format(backend=backend, options=options)


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNING_SECRET", "s" * 32)


@pytest.mark.parametrize(
    "options",
    [
        "key = 'k.pem'",
        "key = 'k.pem', alg = 'ed25519', keyid = 'proxy 1', tag = 'urn:x'",
        "key = 'k.pem', digest = true, body_bytes = 1000",
        "key = 'k.pem', components = ['@target-uri', 'identity', 'content-type']",
        "key = 'k.pem', digest = true, components = ['content-digest', 'host']",
        "key = 'k.pem', label = 'sig1', expires = 5, nonce = false",
        "secret = 'env:SIGNING_SECRET', keyid = 'shared'",
        "secret = 'env:SIGNING_SECRET', keyid = 'shared', alg = 'hmac-sha256'",
    ],
)
def test_it_is_accepted(mistakes: Mistakes, options: str) -> None:
    """Keys, secrets, and every option once."""
    assert mistakes("", route=route(options)) == {}


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ("", "key"),
        ("key = 'k.pem', secret = 'env:SIGNING_SECRET', keyid = 'a'", "key"),
        ("key = 'k.pem', alg = 'hmac-sha256'", "alg"),
        ("key = 'k.pem', alg = 'none'", "alg"),
        ("secret = 'env:SIGNING_SECRET', keyid = 'a', alg = 'ed25519'", "alg"),
        ("secret = 'env:SIGNING_SECRET'", "keyid"),
        ("key = 'k.pem', keyid = ''", "keyid"),
        ("key = 'k.pem', tag = 'ä'", "tag"),
        ("key = 'k.pem', tag = ' a'", "tag"),
        ("key = 'k.pem', label = 'Sig'", "label"),
        ("key = 'k.pem', components = []", "components"),
        ("key = 'k.pem', components = ['@status']", "components[0]"),
        ("key = 'k.pem', components = ['@query-param']", "components[0]"),
        ("key = 'k.pem', components = ['@path', '@path']", "components[1]"),
        ("key = 'k.pem', components = ['Accept']", "components[0]"),
        ("key = 'k.pem', components = ['a b']", "components[0]"),
        ("key = 'k.pem', components = ['signature']", "components[0]"),
        ("key = 'k.pem', components = ['content-digest']", "components[0]"),
        ("key = 'k.pem', components = ['connection']", "components[0]"),
        ("key = 'k.pem', components = ['transfer-encoding']", "components[0]"),
        ("key = 'k.pem', expires = 0", "expires"),
        ("key = 'k.pem', body_bytes = 1000", "body_bytes"),
        ("key = 'k.pem', digest = true, body_bytes = 0", "body_bytes"),
    ],
)
def test_it_is_refused(mistakes: Mistakes, options: str, place: str) -> None:
    """With the place of the mistake, and only that one."""
    assert set(mistakes("", route=route(options))) == {f"route[0].signature.{place}"}


def test_files_check_no_signatures(mistakes: Mistakes, tmp_path: Path) -> None:
    """What is served from here needs none."""
    found = mistakes("", route=route("key = 'k.pem'", backend=f"static:{tmp_path}"))
    assert set(found) == {"route[0].signature"}
