"""The example etc/dpop.toml runs with nothing but names and ports replaced."""

import time
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from sso_proxy.testing.pki import Pki
from sso_proxy.testing.proofs import ProofSigner
from sso_proxy.testing.tokens import TokenSigner, jwks
from tests.support.programs import CurlAnswer, curl, free_port
from tests.support.recorder import Recorder, answer
from tests.support.running import REAL, Proxy

EXAMPLE = Path(__file__).parent.parent / "etc" / "dpop.toml"
PATH = "/orders/42"
MINE, OTHER = ProofSigner.create(), ProofSigner.create()


@attrs.frozen(kw_only=True)
class Example:
    """The example, running."""

    api: Recorder
    issuer: TokenSigner
    ca: Path
    port: int

    def token(self, client: ProofSigner = MINE, scope: str = "orders.read") -> str:
        now = int(time.time())
        return self.issuer.sign(
            {
                "iss": "https://login.example.com",
                "aud": "https://api.example.com",
                "sub": "orders-app",
                "scope": scope,
                "cnf": client.confirmation,
                "iat": now,
                "exp": now + 60,
            }
        )

    def ask(self, *fields: str) -> CurlAnswer:
        headers = [part for field in fields for part in ("-H", field)]
        connect = f"api.example.com:{self.port}:127.0.0.1"
        url = f"https://api.example.com:{self.port}{PATH}"
        return curl("--cacert", self.ca, "--resolve", connect, *headers, url)

    def prove(
        self, token: str, nonce: str | None, client: ProofSigner = MINE
    ) -> CurlAnswer:
        uri = f"https://api.example.com:{self.port}{PATH}"
        proof = client.prove("GET", uri, token, time.time(), nonce=nonce)
        return self.ask(f"Authorization: DPoP {token}", f"DPoP: {proof}")

    def nonce(self) -> str:
        (nonce,) = self.prove(self.token(), None).values("dpop-nonce")
        return nonce


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
    directory, port = tmp_path_factory.mktemp("dpop"), free_port()
    tls, issuer, pki = directory / "tls", TokenSigner.create(), Pki.create()
    tls.mkdir()
    pki.issue("api", dns=["api.example.com"], server=True).write(tls, "api")
    with Recorder() as api, Proxy(directory) as proxy:
        api.scripts["/jwks"] = (answer(jwks(issuer)),)
        text = EXAMPLE.read_text()
        for old, new in {
            '"0.0.0.0"': '"127.0.0.1"',
            "8443": str(port),
            "https://login.example.com/jwks": f"http://127.0.0.1:{api.port}/jwks",
            "http://127.0.0.1:9000": f"http://127.0.0.1:{api.port}",
        }.items():
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        state = directory / "state"
        proxy.config.write_text(f"[server]\nstate_dir = '{state}'\n{text}")
        proxy.start(program=REAL).wait_until_serving()
        yield Example(api=api, issuer=issuer, ca=pki.write(tls), port=port)


def test_without_a_token_one_is_asked_for(example: Example) -> None:
    unasked = example.ask()
    assert unasked.status == 401
    assert "error=" not in unasked.values("www-authenticate")[0]


def test_a_client_gets_a_nonce_and_then_in(example: Example) -> None:
    token = example.token()
    first = example.prove(token, None)
    assert first.status == 401
    assert 'DPoP error="use_dpop_nonce"' in first.values("www-authenticate")[0]
    (nonce,) = first.values("dpop-nonce")
    for _ in range(2):
        assert example.prove(token, nonce).status == 200
    seen = [seen for seen in example.api.seen if seen.path == PATH]
    assert seen[-1].values("X-Remote-User") == ["orders-app"]
    assert not {"authorization", "dpop"} & seen[-1].names


def test_a_stolen_token_is_of_no_use(example: Example) -> None:
    nonce = example.nonce()
    stolen = example.prove(example.token(), nonce, OTHER)
    assert stolen.status == 401
    assert 'DPoP error="invalid_dpop_proof"' in stolen.values("www-authenticate")[0]
    assert example.ask(f"Authorization: Bearer {example.token()}").status == 401
    assert example.prove(example.token(OTHER), nonce).status == 401


def test_a_good_proof_does_not_replace_a_scope(example: Example) -> None:
    narrow = example.token(scope="orders.write")
    assert example.prove(narrow, example.nonce()).status == 403
