"""The examples about access tokens run with nothing but names and ports replaced."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from sso_proxy.testing.pki import Pki
from tests.support.issuing import Issuer, Quiet, serving
from tests.support.programs import CurlAnswer, curl, free_port
from tests.support.running import REAL, Proxy

ETC = Path(__file__).parent.parent / "etc"


class _ApiRequest(Quiet):
    """Answers with the request that it got."""

    def do_GET(self) -> None:  # noqa: N802
        got = {"path": self.path, **{k.lower(): v for k, v in self.headers.items()}}
        self.reply(200, json.dumps(got).encode())


class Example:
    """One of the examples, with names and ports of this machine."""

    def __init__(self, name: str, directory: Path, issuers: dict[str, Issuer]) -> None:
        self.api = ThreadingHTTPServer(("127.0.0.1", 0), _ApiRequest)
        self.port = free_port()
        self.tls = directory / "tls"
        self.tls.mkdir()
        pki = Pki.create()
        pki.write(self.tls, "ca")
        pki.issue("api", dns=["api.example.com"], server=True).write(self.tls, "api")
        text = (ETC / name).read_text()
        for url, issuer in issuers.items():
            assert text.count(f'issuer = "{url}"') == 1
            text = text.replace(f'"{url}"', f'"{issuer.url}"')
        text = text.replace('"0.0.0.0"', '"127.0.0.1"').replace("8443", str(self.port))
        text = text.replace("127.0.0.1:9000", f"127.0.0.1:{self.api.server_port}")
        self.proxy = Proxy(directory)
        self.proxy.config.write_text(f"[server]\nstate_dir = '{directory}'\n{text}")

    def ask(self, path: str, token: str) -> CurlAnswer:
        url = f"https://api.example.com:{self.port}{path}"
        resolve = f"api.example.com:{self.port}:127.0.0.1"
        ca, field = self.tls / "ca.crt", f"Authorization: Bearer {token}"
        return curl("--cacert", ca, "--resolve", resolve, "-H", field, url)

    @contextmanager
    def running(self, *issuers: Issuer) -> Iterator["Example"]:
        started = self.proxy.start(program=REAL)
        with serving(self.api, *issuers), started.wait_until_serving():
            yield self


def test_several_issuers(tmp_path: Path) -> None:
    """etc/several-issuers.toml"""
    staff, partner = Issuer(), Issuer()
    urls = {"https://login.example.com": staff, "https://partner.example.net": partner}
    example = Example("several-issuers.toml", tmp_path, urls)
    with example.running(staff, partner):
        passed = example.ask("/orders/1", staff.token())
        assert passed.status == 200, example.proxy.log()
        got = json.loads(passed.text)
        assert (got["x-remote-user"], "authorization" in got) == ("alice", False)

        assert example.ask("/orders/1", partner.token("JWT", azp="shop")).status == 200
        other = partner.token("JWT", azp="other")
        assert example.ask("/orders/1", other).status == 401
        assert example.ask("/orders/1", staff.token("JWT")).status == 401

        stolen = partner.key.sign(staff.claims())
        assert example.ask("/orders/1", stolen).status == 401
        stranger = staff.token(iss="https://evil.example.org")
        assert example.ask("/orders/1", stranger).status == 401

        admin = {"scope": "orders.admin"}
        assert example.ask("/admin/", staff.token(**admin)).status == 200
        assert example.ask("/admin/", staff.token()).status == 403
        partners = partner.token("JWT", azp="shop", **admin)
        assert example.ask("/admin/", partners).status == 401


def test_introspection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """etc/introspection.toml"""
    monkeypatch.setenv("INTROSPECTION_SECRET", "s3cret")
    issuer = Issuer()
    example = Example(
        "introspection.toml", tmp_path, {"https://login.example.com": issuer}
    )
    issuer.known["opaque"] = issuer.claims(sub="bob")
    issuer.known["other"] = issuer.claims(aud="https://other.example.com")
    with example.running(issuer):
        for _ in range(2):
            passed = example.ask("/", "opaque")
            assert passed.status == 200, example.proxy.log()
            assert json.loads(passed.text)["x-remote-user"] == "bob"
        questions = [asked for asked in issuer.asked if asked[1] == "opaque"]
        assert questions == [("Basic b3JkZXJzLWFwaTpzM2NyZXQ=", "opaque")]

        assert example.ask("/", "other").status == 401
        assert example.ask("/", "unknown").status == 401

        signed = issuer.token()
        assert example.ask("/", signed).status == 200
        assert signed not in [token for _, token in issuer.asked]
