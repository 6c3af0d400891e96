"""etc/api-clients.toml does what docs/howto/api-clients.md says, as curl sees it."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sso_proxy.testing.pki import Pki
from sso_proxy.testing.tokens import TokenSigner, jwks
from tests.support.programs import Backend, CurlAnswer, curl, free_port
from tests.support.running import REAL, Proxy

EXAMPLE = Path(__file__).parent.parent / "etc" / "api-clients.toml"
METADATA = "https://api.example.com/.well-known/oauth-protected-resource/orders/"
SHOP = "https://shop.example.com"
SIGNER = TokenSigner.create()

Ask = Callable[..., CurlAnswer]


def keys_and_orders(connection: socket.socket, _number: int) -> None:
    """Serve the issuer's keys, and orders that pages of any origin may read."""
    head = b""
    with connection.makefile("rwb") as file:
        for line in file:
            head += line
            if line != b"\r\n":
                continue
            asked_for_keys = head.startswith(b"GET /jwks ")
            body = jwks(SIGNER) if asked_for_keys else head
            file.write(
                b"HTTP/1.1 200 OK\r\n"
                b"Access-Control-Allow-Origin: *\r\n"
                b"Access-Control-Allow-Credentials: true\r\n"
                b"X-Total-Count: 3\r\n"
                b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
            )
            file.flush()
            head = b""


@pytest.fixture(scope="module", name="ask")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    directory = tmp_path_factory.mktemp("clients")
    tls, port = directory / "tls", free_port()
    tls.mkdir()
    pki = Pki.create()
    pki.issue("api", dns=["api.example.com"], server=True).write(tls, "api")
    pki.write(tls, "ca")
    proxy = Proxy(directory)

    def ask(path: str, *options: str) -> CurlAnswer:
        resolve = ("--resolve", f"api.example.com:{port}:127.0.0.1")
        url = f"https://api.example.com:{port}{path}"
        ca = ("--cacert", tls / "ca.crt")
        return curl(*ca, *resolve, "--path-as-is", *options, url)

    with Backend(keys_and_orders) as backend:
        text = EXAMPLE.read_text()
        for old, new in {
            '"0.0.0.0"': '"127.0.0.1"',
            "8443": str(port),
            "https://login.example.com/jwks": f"http://127.0.0.1:{backend.port}/jwks",
            "http://127.0.0.1:9000": f"http://127.0.0.1:{backend.port}",
        }.items():
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        proxy.config.write_text(f"[server]\nstate_dir = '{directory}/state'\n{text}")
        with proxy.start(program=REAL).wait_until_serving():
            yield ask
        assert "Traceback" not in proxy.log()


def bearer(**changes: Any) -> tuple[str, str]:  # noqa: ANN401
    now = int(time.time())
    claims = {
        "iss": "https://login.example.com",
        "aud": "https://api.example.com/orders/",
        "sub": "alice",
        "scope": "orders.read",
        "iat": now,
        "exp": now + 600,
        **changes,
    }
    return "-H", f"Authorization: Bearer {SIGNER.sign(claims)}"


def from_page(origin: str = SHOP) -> tuple[str, str]:
    return "-H", f"Origin: {origin}"


def challenge(answer: CurlAnswer) -> str:
    return answer.values("www-authenticate")[0]


def test_a_client_without_a_token_is_told_where_to_ask(ask: Ask) -> None:
    answer = ask("/orders/")
    assert answer.status == 401
    first, second = answer.values("www-authenticate")
    assert first == f'Bearer realm="sso-proxy", resource_metadata="{METADATA}"'
    assert second.startswith('DPoP algs="ES256')
    assert f'resource_metadata="{METADATA}"' in second
    assert answer.values("access-control-allow-origin") == []


def test_the_metadata_is_where_the_challenge_says(ask: Ask) -> None:
    """RFC 9728 3.3: resource is what the URL was made of."""
    answer = ask("/.well-known/oauth-protected-resource/orders/")
    assert answer.status == 200
    assert answer.values("content-type") == ["application/json"]
    assert answer.values("cache-control") == ["public, max-age=300"]
    assert answer.values("access-control-allow-origin") == ["*"]
    document = json.loads(answer.body)
    assert document.pop("dpop_signing_alg_values_supported")[0] == "ES256"
    assert document == {
        "resource": "https://api.example.com/orders/",
        "authorization_servers": ["https://login.example.com"],
        "scopes_supported": ["orders.read"],
        "bearer_methods_supported": ["header"],
        "resource_name": "Orders",
        "resource_documentation": "https://docs.example.com/orders",
    }


def test_the_metadata_can_only_be_read(ask: Ask) -> None:
    path = "/.well-known/oauth-protected-resource/orders/"
    whole = ask(path)
    head = ask(path, "-I")
    assert head.status == 200
    assert head.values("content-length") == [str(len(whole.body))]
    posted = ask(path, "-d", "x=1")
    assert posted.status == 405
    assert posted.values("allow") == ["GET, HEAD, OPTIONS"]
    assert ask(path, "-X", "OPTIONS").status == 204
    assert ask(path.rstrip("/")).status == 404
    assert ask("/.well-known/oauth-protected-resource").status == 404
    assert ask("/.well-known/oauth-protected-resource%2Forders/").status == 404


def test_pages_of_the_shop_may_read_what_they_may_have(ask: Ask) -> None:
    answer = ask("/orders/1", *bearer(), *from_page())
    assert answer.status == 200
    assert answer.values("access-control-allow-origin") == [SHOP]
    assert answer.values("access-control-expose-headers") == [
        "DPoP-Nonce, WWW-Authenticate, X-Total-Count"
    ]
    assert answer.values("access-control-allow-credentials") == []
    assert "Origin" in answer.values("vary")
    assert answer.values("x-total-count") == ["3"]
    assert "X-Remote-User: alice" in answer.text


def test_pages_of_others_may_not(ask: Ask) -> None:
    for origin in ("https://evil.example", "null", f"{SHOP}.evil.example"):
        answer = ask("/orders/1", *bearer(), *from_page(origin))
        assert answer.status == 200  # it is the browser that keeps it from the page
        assert answer.values("access-control-allow-origin") == []
        assert answer.values("vary") == ["Origin"]


def test_a_refusal_can_be_read_by_pages_of_the_shop(ask: Ask) -> None:
    answer = ask("/orders/1", *from_page())
    assert answer.status == 401
    assert answer.values("access-control-allow-origin") == [SHOP]
    assert "WWW-Authenticate" in answer.values("access-control-expose-headers")[0]


def test_a_preflight_is_answered_without_a_token(ask: Ask) -> None:
    asks = ("-X", "OPTIONS", "-H", "Access-Control-Request-Method: PUT")
    answer = ask("/orders/1", *asks, *from_page())
    assert (answer.status, answer.body) == (204, b"")
    assert answer.values("access-control-allow-origin") == [SHOP]
    assert "PUT" in answer.values("access-control-allow-methods")[0]
    assert "DPoP" in answer.values("access-control-allow-headers")[0]
    assert answer.values("access-control-max-age") == ["600"]
    assert ask("/orders/1", *asks, *from_page("https://evil.example")).status == 401
    assert ask("/orders/1", *asks).status == 401


def test_reading_needs_no_second_factor_and_changing_does(ask: Ask) -> None:
    """RFC 9470 3: the client is told what would be enough."""
    put = ("-X", "PUT", "-d", "x")
    plain = bearer(acr="urn:example:password", auth_time=int(time.time()) - 10)
    assert ask("/orders/1", *plain).status == 200
    answer = ask("/orders/1", *plain, *put)
    assert answer.status == 401
    text = challenge(answer)
    assert text.startswith("Bearer ")
    assert 'error="insufficient_user_authentication"' in text
    assert 'acr_values="urn:example:mfa"' in text
    assert "max_age" not in text
    assert f'resource_metadata="{METADATA}"' in text

    stale = bearer(acr="urn:example:mfa", auth_time=int(time.time()) - 301)
    text = challenge(ask("/orders/1", *stale, *put))
    assert 'max_age="300"' in text
    assert "acr_values" not in text

    fresh = bearer(acr="urn:example:mfa", auth_time=int(time.time()) - 10)
    assert ask("/orders/1", *fresh, *put).status == 200


def test_a_missing_scope_stays_403(ask: Ask) -> None:
    answer = ask("/orders/1", *bearer(scope="other"), *from_page())
    assert answer.status == 403
    text = challenge(answer)
    assert 'error="insufficient_scope"' in text
    assert 'scope="orders.read"' in text
    assert len(answer.values("www-authenticate")) == 1


def test_nothing_of_a_token_gets_into_a_challenge(ask: Ask) -> None:
    hostile = 'x", error="", realm="\r\nSet-Cookie: a=b'
    token = bearer(scope=hostile, acr=hostile, auth_time=hostile)
    for method, status in (("GET", 403), ("PUT", 401)):
        answer = ask("/orders/1", *token, "-X", method)
        assert answer.status == status
        assert answer.values("set-cookie") == []
        assert "Set-Cookie" not in challenge(answer)
