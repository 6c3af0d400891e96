"""
Every probe that the OpenID Foundation's suite sends to a resource server with DPoP.

Names are those of its modules ``dpop-negative-tests``, ``ensure-dpopproof-with-iat-…``
and ``access-token-type-header-case-sensitivity``; the outcomes here are stricter: a
refusal is a 401 with a challenge, the reason is in the record, and the backend sees
nothing.
"""

import json
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from sso_proxy.testing.pki import Pki
from sso_proxy.testing.proofs import ProofSigner
from sso_proxy.testing.tokens import TokenSigner
from tests.support.raw_client import Got, RawClient
from tests.support.recorder import Recorder
from tests.support.running import REAL, Proxy, eventually

CONFIG: Final = """
[server]
workers = {workers}
state_dir = "state"
audit = {{ to = "file", file = "audit.log" }}

[[listener]]
address = "127.0.0.1"
port = 0
certificate = "api.crt"
key = "api.key"

[authenticator.api]
type = "bearer"
issuer = "https://login.example"
audience = ["https://api.example"]
pem = "issuer.pem"

[binding.dpop]
algorithms = ["ES256", "PS256", "EdDSA"]
nonce = "{nonce}"

[[route]]
host = "api.example"
authenticate = ["api"]
path_parameters = "strip"
binding = {{ dpop = "require" }}
backend = "{backend}"

[[route]]
host = "api.example"
path = "/mixed/"
authenticate = ["api"]
backend = "{backend}"
"""

ORIGIN: Final = "https://api.example"
ISSUER: Final = TokenSigner.create()
CLIENT: Final = ProofSigner.create()
OTHER: Final = ProofSigner.create()
RSA: Final = ProofSigner.create("RS256")
PUBLIC: Final = CLIENT.signer.public_jwk(use=None, alg=None)
PRIVATE: Final = {**PUBLIC, "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}


def make_token(cnf: Mapping[str, str] | None = None) -> str:
    now = int(time.time())
    claims = {"iss": "https://login.example", "aud": "https://api.example"}
    bound = {} if cnf is None else {"cnf": cnf}
    given = {**claims, "sub": "app", "iat": now, "exp": now + 86400, **bound}
    return ISSUER.sign(given)


TOKEN: Final = make_token(CLIENT.confirmation)


@attrs.frozen(kw_only=True)
class Scene:
    """A proxy in front of a backend that keeps what it gets."""

    directory: Path
    recorder: Recorder
    proxy: Proxy
    port: int
    nonces: bool
    tls: ssl.SSLContext

    def send(self, *fields: str, path: str = "/orders", method: str = "GET") -> Got:
        """Send a request over a connection of its own."""
        lines = [f"{method} {path} HTTP/1.1", "Host: api.example", *fields]
        request = "\r\n".join([*lines, "Connection: close", "", ""])
        with RawClient(self.port, tls=self.tls, name="api.example") as client:
            return client.send(request.encode()).read_to_end()[0]

    def nonce(self) -> str | None:
        """Get a nonce, if there are any."""
        if not self.nonces:
            return None
        got = self.send(f"Authorization: DPoP {TOKEN}", f"DPoP: {prove(self, None)}")
        assert 'error="use_dpop_nonce"' in got.values("www-authenticate")[0]
        return got.values("dpop-nonce")[0]

    def reason(self, got: Got) -> str:
        """Give what the audit record says about an answer."""
        (id_,) = got.values("x-request-id")
        found: list[str] = []

        def recorded() -> bool:
            lines = (self.directory / "audit.log").read_text().splitlines()
            records = [json.loads(line) for line in lines if line.endswith("}")]
            found.extend(r["reason"] for r in records if r["id"] == id_)
            return bool(found)

        eventually(recorded, "the audit record")
        return found[0]


def run(directory: Path, *, nonces: bool, workers: int = 1) -> Iterator[Scene]:
    """Run the proxy in *directory*."""
    pki = Pki.create()
    pki.issue("api", dns=["api.example"], server=True).write(directory, "api")
    (directory / "issuer.pem").write_bytes(ISSUER.public_pem())
    context = ssl.create_default_context(cafile=str(pki.write(directory)))
    with Recorder() as recorder, Proxy(directory) as proxy:
        proxy.config.write_text(
            CONFIG.format(
                nonce="required" if nonces else "off",
                workers=workers,
                backend=f"http://127.0.0.1:{recorder.port}",
            )
        )
        proxy.start(program=REAL)
        proxy.wait_for_log("serving on")
        yield Scene(
            directory=directory,
            recorder=recorder,
            proxy=proxy,
            port=proxy.port,
            nonces=nonces,
            tls=context,
        )
        assert recorder.garbage == []
        assert "Traceback" not in proxy.log()


@pytest.fixture(scope="module", params=[False, True], ids=["iat", "nonce"])
def _running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    yield from run(tmp_path_factory.mktemp("dpop"), nonces=request.param)


@pytest.fixture
def scene(_running: Scene) -> Scene:
    """A running proxy, whose backend has seen nothing yet."""
    _running.recorder.clear()
    return _running


def claims_of(nonce: str | None, **changes: object) -> dict[str, Any]:
    """Give the claims of a good proof, changed."""
    given = {"nonce": nonce, **changes}
    return CLIENT.claims("GET", ORIGIN + "/orders", TOKEN, time.time(), **given)


def prove(scene: Scene, nonce: str | None = "", **changes: object) -> str:
    """Make a good proof, changed."""
    return CLIENT.sign(claims_of(scene.nonce() if nonce == "" else nonce, **changes))


def headed(scene: Scene, **header: object) -> str:
    """Make a proof whose claims are good, under a changed header."""
    given = {"typ": "dpop+jwt", "alg": "ES256", "jwk": PUBLIC, **header}
    members = {name: value for name, value in given.items() if value is not None}
    return CLIENT.sign_octets(members, json.dumps(claims_of(scene.nonce())).encode())


def dpop(proof: str, token: str = TOKEN, scheme: str = "DPoP") -> tuple[str, ...]:
    """Give the fields of a request."""
    return (f"Authorization: {scheme} {token}", f"DPoP: {proof}")


Fields = Callable[[Scene], tuple[str, ...]]


def good(**changes: Any) -> Fields:  # noqa: ANN401
    return lambda scene: dpop(prove(scene, **changes))


def under(**header: object) -> Fields:
    return lambda scene: dpop(headed(scene, **header))


def away(seconds: float) -> Fields:
    return lambda scene: dpop(prove(scene, iat=int(time.time() + seconds)))


def name_in_capitals(scene: Scene) -> tuple[str, ...]:
    return (f"AUTHORIZATION: DPoP {TOKEN}", f"DPOP: {prove(scene)}")


def two_headers(scene: Scene) -> tuple[str, ...]:
    return (*dpop(prove(scene)), f"DPoP: {prove(scene)}")


def malformed(scene: Scene) -> tuple[str, ...]:
    return dpop(prove(scene).replace(".", "", 1))


def rs256(scene: Scene) -> tuple[str, ...]:
    token = make_token(RSA.confirmation)
    now, nonce = time.time(), scene.nonce()
    return dpop(RSA.prove("GET", ORIGIN + "/orders", token, now, nonce=nonce), token)


def bad_signature(scene: Scene) -> tuple[str, ...]:
    return dpop(OTHER.sign(claims_of(scene.nonce()), jwk=PUBLIC))


def other_key(scene: Scene) -> tuple[str, ...]:
    return dpop(OTHER.sign(claims_of(scene.nonce())))


def other_token(scene: Scene) -> tuple[str, ...]:
    """The proof is good for its client's token, which this is not."""
    return dpop(prove(scene), make_token(OTHER.confirmation))


def extra_header(scene: Scene) -> tuple[str, ...]:
    return dpop(CLIENT.sign(claims_of(scene.nonce()), extra="x"))


def no_proof(_: Scene) -> tuple[str, ...]:
    return (f"Authorization: DPoP {TOKEN}",)


def as_bearer(scene: Scene) -> tuple[str, ...]:
    return dpop(prove(scene), scheme="Bearer")


def as_bearer_alone(_: Scene) -> tuple[str, ...]:
    return (f"Authorization: Bearer {TOKEN}",)


def unbound_token(scene: Scene) -> tuple[str, ...]:
    token = make_token()
    now, nonce = time.time(), scene.nonce()
    return dpop(CLIENT.prove("GET", ORIGIN + "/orders", token, now, nonce=nonce), token)


def scheme(name: str) -> Fields:
    return lambda scene: dpop(prove(scene), scheme=name)


ACCEPTED: Final = ""
URI: Final = ORIGIN + "/orders"
AS_NONCES_GO: Final = "dpop-iat unless nonces are used"

PROBES: Final[Mapping[str, tuple[Fields, str]]] = {
    "header name in capitals": (name_in_capitals, ACCEPTED),
    "two DPoP headers": (two_headers, "dpop-repeated"),
    "malformed JWT": (malformed, "dpop-malformed"),
    "missing typ": (under(typ=None), "dpop-type"),
    "missing alg": (under(alg=None), "dpop-alg"),
    "missing jwk": (under(jwk=None), "dpop-jwk"),
    "missing jti": (good(jti=None), "dpop-jti"),
    "missing htm": (good(htm=None), "dpop-htm"),
    "missing htu": (good(htu=None), "dpop-htu"),
    "missing iat": (good(iat=None), "dpop-iat"),
    "missing ath": (good(ath=None), "dpop-ath"),
    "wrong typ": (under(typ="jwt"), "dpop-type"),
    "RS256": (rs256, "dpop-alg"),
    "RS256 with another key": (under(alg="RS256"), "dpop-alg"),
    "alg none": (under(alg="none"), "dpop-alg"),
    "bad signature": (bad_signature, "dpop-signature"),
    "private key in jwk": (under(jwk=PRIVATE), "dpop-jwk"),
    "wrong htm": (good(htm="POST"), "dpop-htm"),
    "htu with query": (good(htu=URI + "?a=b"), ACCEPTED),
    "htu with fragment": (good(htu=URI + "#a"), ACCEPTED),
    "htu with query and fragment": (good(htu=URI + "?a=b#c"), ACCEPTED),
    "other htu": (good(htu=ORIGIN + "/other"), "dpop-htu"),
    "htu of another host": (good(htu="https://other.example/orders"), "dpop-htu"),
    "iat an hour before": (away(-3600), AS_NONCES_GO),
    "iat an hour after": (away(3600), AS_NONCES_GO),
    "iat 10 seconds before": (away(-10), ACCEPTED),
    "iat 10 seconds after": (away(10), ACCEPTED),
    "wrong ath": (good(ath="x" * 43), "dpop-ath"),
    "other key": (other_key, "dpop-key"),
    "another client's token": (other_token, "dpop-key"),
    "extra header": (extra_header, ACCEPTED),
    "extra claims": (good(extra="x", sub="y"), ACCEPTED),
    "htu in another case": (good(htu="HTTPS://API.EXAMPLE/orders"), ACCEPTED),
    "htu with the default port": (good(htu="https://api.example:443/orders"), ACCEPTED),
    "no proof": (no_proof, "dpop-missing"),
    "DPoP-bound token as Bearer": (as_bearer, "token-dpop-bound"),
    "DPoP-bound token as Bearer without proof": (as_bearer_alone, "token-dpop-bound"),
    "token that is not bound": (unbound_token, "token-not-dpop"),
    "scheme dPOP": (scheme("dPOP"), ACCEPTED),
    "scheme dpop": (scheme("dpop"), ACCEPTED),
    "sanity": (good(), ACCEPTED),
}


@pytest.mark.parametrize("name", PROBES)
def test_probe(scene: Scene, name: str) -> None:
    make, reason = PROBES[name]
    fields = make(scene)
    if reason == AS_NONCES_GO:
        reason = ACCEPTED if scene.nonces else "dpop-iat"
    got = scene.send(*fields)
    assert scene.reason(got) == reason
    if reason == ACCEPTED:
        assert got.status == 200
        (seen,) = scene.recorder.seen
        assert seen.values("X-Remote-User") == ["app"]
        assert not {"authorization", "dpop"} & seen.names
        return
    assert got.status == 401
    assert scene.recorder.seen == []
    (challenge,) = got.values("www-authenticate")
    if reason.startswith("dpop-"):
        assert challenge.startswith('DPoP error="invalid_dpop_proof"')
        assert 'algs="ES256 PS256 EdDSA"' in challenge
    else:
        assert 'error="invalid_token"' in challenge


def test_a_proof_is_good_once(scene: Scene) -> None:
    """jti replay."""
    fields = dpop(prove(scene))
    assert scene.send(*fields).status == 200
    got = scene.send(*fields)
    assert (got.status, scene.reason(got)) == (401, "dpop-replayed")
    assert len(scene.recorder.seen) == 1


def test_a_proof_is_good_once_on_one_connection(scene: Scene) -> None:
    """What was decided for the same octets is not used again."""
    head = "GET /orders HTTP/1.1\r\nHost: api.example\r\n"
    request = head + "".join(f"{field}\r\n" for field in dpop(prove(scene)))
    last = request + "Connection: close\r\n\r\n"
    with RawClient(scene.port, tls=scene.tls, name="api.example") as client:
        pieces = (request + "\r\n", request + "\r\n", last)
        got = client.send(*(piece.encode() for piece in pieces)).read_to_end()
    assert [answer.status for answer in got] == [200, 401, 401]
    assert len(scene.recorder.seen) == 1


def test_what_was_decided_for_one_request_is_not_used_for_a_similar_one(
    scene: Scene,
) -> None:
    """Another path or token with the same proof is another request."""
    nonce, other = scene.nonce(), make_token(CLIENT.confirmation)
    for again in (f"GET /other {TOKEN}", f"GET /orders {other}"):
        proof = prove(scene, nonce)
        with RawClient(scene.port, tls=scene.tls, name="api.example") as client:
            for line in (f"GET /orders {TOKEN}", again):
                method, path, token = line.split(" ")
                head = f"{method} {path} HTTP/1.1\r\nHost: api.example"
                fields = "\r\n".join(dpop(proof, token))
                client.send(f"{head}\r\n{fields}\r\n\r\n".encode())
            got = client.read(2)
        assert [answer.status for answer in got] == [200, 401]


def test_a_refused_proof_is_not_used_up(scene: Scene) -> None:
    """Who has seen a proof cannot spend it with a request that it is not for."""
    fields = dpop(prove(scene))
    assert scene.send(*fields, path="/other").status == 401
    assert scene.send(*fields, method="PUT").status == 401
    assert scene.send(*fields).status == 200


@pytest.mark.parametrize(
    ("path", "htu"),
    [
        ("/orders?a=b", URI),
        ("//orders", URI),
        ("//orders", ORIGIN + "//orders"),
        ("/x/../orders", ORIGIN + "/x/../orders"),
        ("/%6frders", ORIGIN + "/%6Frders"),
        ("/a%2fb;c/d", None),
        ("/a;x=1/b", ORIGIN + "/a;x=1/b"),
        ("/caf%c3%a9", ORIGIN + "/caf%C3%A9"),
    ],
)
def test_the_uri_is_compared_in_its_normal_form(
    scene: Scene, path: str, htu: str | None
) -> None:
    got = scene.send(*dpop(prove(scene, htu=htu or ORIGIN + path)), path=path)
    assert got.status == (400 if htu is None else 200)


@pytest.mark.parametrize("port", ["8444", "80", "1"])
def test_a_host_field_does_not_make_a_proof_for_another_port_good(
    scene: Scene, port: str
) -> None:
    proof = prove(scene, htu=f"https://api.example:{port}/orders")
    request = f"GET /orders HTTP/1.1\r\nHost: api.example:{port}\r\nConnection: close"
    octets = "\r\n".join([request, *dpop(proof), "", ""]).encode()
    with RawClient(scene.port, tls=scene.tls, name="api.example") as client:
        (got,) = client.send(octets).read_to_end()
    assert (got.status, scene.reason(got)) == (401, "dpop-origin")


def test_the_listeners_own_port_is_ours(scene: Scene) -> None:
    proof = prove(scene, htu=f"https://api.example:{scene.port}/orders")
    host = f"Host: api.example:{scene.port}"
    lines = ["GET /orders HTTP/1.1", host, *dpop(proof), "Connection: close", "", ""]
    with RawClient(scene.port, tls=scene.tls, name="api.example") as client:
        (got,) = client.send("\r\n".join(lines).encode()).read_to_end()
    assert got.status == 200


@pytest.mark.parametrize(
    "field",
    [
        "X-Forwarded-Host: other.example",
        "X-Forwarded-Proto: http",
        "X-Forwarded-Port: 8444",
        "Forwarded: host=other.example;proto=http",
    ],
)
def test_no_field_says_what_was_asked_for(scene: Scene, field: str) -> None:
    assert scene.send(field, *dpop(prove(scene))).status == 200
    elsewhere = prove(scene, htu="http://other.example:8444/orders")
    assert scene.send(field, *dpop(elsewhere)).status == 401


def test_connection_does_not_take_the_proof_away_from_the_decision(
    scene: Scene,
) -> None:
    lines = ["GET /orders HTTP/1.1", "Host: api.example", *dpop(prove(scene))]
    request = "\r\n".join([*lines, "Connection: close, dpop", "", ""])
    with RawClient(scene.port, tls=scene.tls, name="api.example") as client:
        (got,) = client.send(request.encode()).read_to_end()
    assert got.status in {400, 401}
    assert scene.recorder.seen == []


def test_a_bound_token_is_checked_where_binding_is_not_required(scene: Scene) -> None:
    path = "/mixed/"
    assert scene.send(f"Authorization: Bearer {make_token()}", path=path).status == 200
    assert scene.send(f"Authorization: Bearer {TOKEN}", path=path).status == 401
    assert scene.send(f"Authorization: DPoP {TOKEN}", path=path).status == 401
    proof = prove(scene, htu=ORIGIN + path)
    assert scene.send(*dpop(proof), path=path).status == 200


def test_a_nonce_is_asked_for_and_taken(scene: Scene) -> None:
    if not scene.nonces:
        assert scene.send(*dpop(prove(scene, nonce="x"))).status == 200
        return
    for nonce in (None, "x", "x" * 600):
        got = scene.send(*dpop(prove(scene, nonce)))
        assert got.status == 401
        assert got.values("cache-control") == ["no-store"]
        (fresh,) = got.values("dpop-nonce")
        assert re.fullmatch(r"[\x21\x23-\x5B\x5D-\x7E]+", fresh)
        assert scene.send(*dpop(prove(scene, fresh))).status == 200


def test_of_many_at_once_with_one_proof_one_passes(tmp_path: Path) -> None:
    """The workers share what was used."""
    for scene in run(tmp_path, nonces=False, workers=2):
        for _ in range(3):
            scene.recorder.clear()
            fields = dpop(prove(scene))
            with ThreadPoolExecutor(8) as pool:
                sent = [pool.submit(scene.send, *fields) for _ in range(16)]
                statuses = sorted(each.result().status for each in sent)
            assert statuses == [200] + [401] * 15
            assert len(scene.recorder.seen) == 1
