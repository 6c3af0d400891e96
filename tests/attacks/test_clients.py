"""What is there for all clients, and for pages of others, gives nobody any more."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs
import pytest

from sso_proxy.testing.tokens import TokenSigner
from tests.support.programs import RealProxy
from tests.support.raw_client import Got, RawClient
from tests.support.recorder import CLOSE, Recorder, answer

CONFIG: Final = """
[[listener]]
address = "127.0.0.1"
port = 0
tls = false
allow_plaintext = true

[authenticator.api]
type = "bearer"
issuer = "https://login.example"
audience = ["https://api.example"]
pem = "{pem}"

[[route]]
host = "api.example"
authenticate = ["api"]
backend = "{backend}"
encoded_slashes = true
[route.resource]
[route.cors]
origins = ["https://page.example"]

[[route]]
host = "*.tenant.example"
authenticate = ["api"]
backend = "{backend}"
[route.resource]
identifier = "https://one.tenant.example"

[[route]]
host = "passing.example"
authenticate = ["api"]
backend = "{backend}"
[route.cors]
origins = ["https://page.example"]
preflight = "backend"

[[route]]
host = "open.example"
authenticate = ["anonymous"]
backend = "{backend}"
[route.cors]
origins = ["*"]
"""

WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"
PREFLIGHT: Final = (
    "Origin: https://page.example",
    "Access-Control-Request-Method: PUT",
)


@attrs.frozen(kw_only=True)
class Scene:
    """A proxy in front of a backend that keeps what it gets."""

    recorder: Recorder
    port: int

    def send(self, *requests: tuple[str, ...]) -> list[Got]:
        """Send requests over one connection, each with its own lines."""
        heads = [i for i, (line, *_) in enumerate(requests) if line.startswith("HEAD")]
        found: list[Got] = []
        with RawClient(self.port) as client:
            for number, (line, *fields) in enumerate(requests, 1):
                lines = [f"{line} HTTP/1.1", *fields, "", ""]
                client.send("\r\n".join(lines).encode("latin-1"))
                found = client.read(number, heads=heads)
        return found

    def one(self, *lines: str) -> Got:
        return self.send(lines)[0]


@pytest.fixture(scope="module", name="running")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    directory: Path = tmp_path_factory.mktemp("clients")
    pem = directory / "issuer.pem"
    pem.write_bytes(TokenSigner.create().public_pem())
    with Recorder() as recorder:
        backend = f"http://127.0.0.1:{recorder.port}"
        text = CONFIG.format(backend=backend, pem=pem)
        with RealProxy(directory, text).serve() as proxy:
            yield Scene(recorder=recorder, port=proxy.ports[0])
            assert recorder.garbage == []
            assert "Traceback" not in proxy.log()


@pytest.fixture
def scene(running: Scene) -> Scene:
    """A running proxy, whose backend has seen nothing yet."""
    running.recorder.clear()
    return running


@pytest.mark.parametrize(
    "lines",
    [
        (f"GET {WELL_KNOWN}", "Host: api.example"),
        (f"GET {WELL_KNOWN}", "Host: API.example:8443"),
        (f"GET {WELL_KNOWN}", "Host: api.example."),
        (f"GET http://api.example{WELL_KNOWN}", "Host: api.example"),
        (f"GET /x/..{WELL_KNOWN}?resource=https://evil.example", "Host: api.example"),
        (f"GET /%2Ewell-known//{WELL_KNOWN[13:]}", "Host: api.example"),
        (f"GET {WELL_KNOWN}", "Host: api.example", "Authorization: Bearer forged"),
        (
            f"GET {WELL_KNOWN}",
            "Host: api.example",
            "X-Forwarded-Host: evil.example",
            "Forwarded: host=evil.example",
            "Origin: https://evil.example",
        ),
    ],
    ids=lambda lines: lines[0],
)
def test_a_document_never_has_anything_of_the_request(
    scene: Scene, lines: tuple[str, ...]
) -> None:
    got = scene.one(*lines)
    assert got.status == 200
    assert b'"resource": "https://api.example/"' in got.body
    assert b"evil" not in got.body
    assert got.values("access-control-allow-origin") == ["*"]
    assert scene.recorder.seen == []


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ((f"GET {WELL_KNOWN}", "Host: evil.example"), 404),
        ((f"GET {WELL_KNOWN}", "Host: two.tenant.example"), 404),
        ((f"GET {WELL_KNOWN}", "Host: api.example.evil.example"), 404),
        ((f"GET {WELL_KNOWN}", "Host: api.example", "Host: evil.example"), 400),
        ((f"GET http://evil.example{WELL_KNOWN}", "Host: api.example"), 400),
        ((f"GET {WELL_KNOWN}", "Host: api.example@evil.example"), 400),
        ((f"POST {WELL_KNOWN}", "Host: api.example", "Content-Length: 0"), 405),
        ((f"DELETE {WELL_KNOWN}", "Host: api.example"), 405),
        # What is not exactly there is a request for the backend, and needs a token.
        ((f"GET {WELL_KNOWN}/", "Host: api.example"), 401),
        ((f"GET {WELL_KNOWN}/x", "Host: api.example"), 401),
        # What can be read as if it were there is nobody's (B12).
        ((f"GET {WELL_KNOWN.replace('/oauth', '%2Foauth')}", "Host: api.example"), 400),
        ((f"GET {WELL_KNOWN.replace('/oauth', '%5Coauth')}", "Host: api.example"), 400),
        ((f"GET {WELL_KNOWN.upper()}", "Host: api.example"), 401),
        ((f"GET {WELL_KNOWN};x", "Host: api.example"), 400),
        ((f"GET {WELL_KNOWN}%00", "Host: api.example"), 400),
    ],
    ids=str,
)
def test_nothing_else_is_public(
    scene: Scene, lines: tuple[str, ...], status: int
) -> None:
    got = scene.one(*lines)
    assert got.status == status
    assert b"login.example" not in got.body
    assert scene.recorder.seen == []


def test_a_document_has_the_same_head_without_its_body(scene: Scene) -> None:
    asked = (WELL_KNOWN, "Host: one.tenant.example")
    get, head, again = scene.send(
        (f"GET {asked[0]}", asked[1]),
        (f"HEAD {asked[0]}", asked[1]),
        (f"GET {asked[0]}", asked[1]),
    )
    assert get.body == again.body != b""
    assert head.values("content-length") == [str(len(get.body))]


def test_what_a_preflight_may_do_nothing_else_may(scene: Scene) -> None:
    """The same bytes after another request line, on the same connection."""
    host = "Host: passing.example"
    answers = scene.send(
        ("OPTIONS /secret", host, *PREFLIGHT),
        ("GET /secret", host, *PREFLIGHT),
        ("OPTIONS /secret", host, *PREFLIGHT),
        ("DELETE /secret", host, *PREFLIGHT),
        ("OPTIONS /secret", host, *PREFLIGHT, "Authorization: Bearer forged"),
        ("OPTIONS /secret", host, *PREFLIGHT, "X-Remote-User: root"),
    )
    assert [got.status for got in answers] == [200, 401, 200, 401, 401, 200]
    assert [seen.method for seen in scene.recorder.seen] == ["OPTIONS"] * 3
    for seen in scene.recorder.seen:
        assert "x-remote-user" not in seen.names


def test_a_preflight_is_one_also_after_an_equal_request(scene: Scene) -> None:
    host = "Host: open.example"
    first, second = scene.send(
        ("GET /", host, *PREFLIGHT), ("OPTIONS /", host, *PREFLIGHT)
    )
    assert (first.status, second.status) == (200, 204)
    assert [seen.method for seen in scene.recorder.seen] == ["GET"]


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "https://page.example.evil.example",
        "https://page.example, https://evil.example",
        "https://page.example\x09https://evil.example",
        "HTTPS://PAGE.EXAMPLE",
    ],
)
def test_an_origin_that_is_not_listed_is_never_named(scene: Scene, origin: str) -> None:
    for lines in (
        ("GET /", "Host: api.example", f"Origin: {origin}"),
        ("OPTIONS /", "Host: api.example", f"Origin: {origin}", PREFLIGHT[1]),
    ):
        got = scene.one(*lines)
        assert got.status == 401
        assert not any(k.lower().startswith("access-control") for k, _ in got.headers)
        assert got.values("vary") == ["Origin"]


def test_a_page_learns_that_the_backend_failed(scene: Scene) -> None:
    scene.recorder.scripts["/broken"] = (CLOSE,)
    got = scene.one("POST /broken", "Host: open.example", "Origin: https://any.example")
    assert got.status == 502
    assert got.values("access-control-allow-origin") == ["*"]


def test_there_are_never_two_allowed_origins(scene: Scene) -> None:
    """Browsers refuse an answer with two, and the backend does not decide."""
    scene.recorder.scripts["/both"] = (
        answer(
            b"x",
            "200 OK",
            b"Access-Control-Allow-Origin: https://evil.example",
            b"access-control-allow-credentials: true",
        ),
    )
    origin = "Origin: https://any.example"
    answers = scene.send(*[("GET /both", "Host: open.example", origin)] * 3)
    for got in answers:
        assert got.values("access-control-allow-origin") == ["*"]
        assert got.values("access-control-allow-credentials") == []
