"""The example about WS-Trust runs with nothing but names and ports replaced."""

from base64 import b64decode
from pathlib import Path

import pytest

from sso_proxy.specs.wstrust.names import SAML2
from sso_proxy.specs.xml import parse_xml
from sso_proxy.testing.pki import Pki
from tests.support.gsoap_sts import CLIENT, SECRET, GsoapSts
from tests.support.programs import CurlAnswer, RealProxy, curl
from tests.support.recorder import Recorder

ETC = Path(__file__).parent.parent / "etc"
HOST = "app.example.com"


def test_an_assertion_for_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """etc/ws-trust.toml"""
    monkeypatch.setenv("STS_PASSWORD", SECRET)
    pki, tls, place = Pki.create(), tmp_path / "tls", tmp_path / "sts"
    tls.mkdir()
    place.mkdir()
    pki.write(tls, "staff-ca")
    pki.issue(HOST, dns=[HOST], server=True).write(tls, "app")

    with GsoapSts(place, pki) as sts, Recorder() as backend:
        changes = {
            '"0.0.0.0"': '"127.0.0.1"',
            "8443": "0",
            "127.0.0.1:9000": f"127.0.0.1:{backend.port}",
            "https://sts.example.com/trust/13": sts.url,
            '"sso-proxy"': f'"{CLIENT}"',
        }
        text = (ETC / "ws-trust.toml").read_text()
        for old, new in changes.items():
            assert old in text, old
            text = text.replace(old, new)
        server = {"outbound": {"ca": str(sts.ca)}, "state_dir": str(tmp_path / "state")}
        with RealProxy(tmp_path, text, **server).serve() as proxy:

            def ask(name: str) -> CurlAnswer:
                shown = pki.issue(name, client=True).write(tmp_path, "client")
                return curl(
                    *("--cacert", sts.ca, "--cert", shown[0], "--key", shown[1]),
                    *("--resolve", f"{HOST}:{proxy.port}:127.0.0.1"),
                    *("-H", "X-Assertion: forged"),
                    f"https://{HOST}:{proxy.port}/page",
                )

            assert ask("alice").status == 200, proxy.log()[-3000:]
            [value] = backend.seen[-1].values("X-Assertion")
            root = parse_xml(b64decode(value))
            (name,) = root.iter(f"{{{SAML2}}}NameID")
            (audience,) = root.iter(f"{{{SAML2}}}Audience")
            assert (name.text, audience.text) == (
                "alice",
                "https://orders.example.com/",
            )

            assert ask("nobody").status == 403
            assert ask("broken").status == 502
            assert len(backend.seen) == 1
        assert "nobody gets a token" in proxy.audit.read_text() + proxy.log()
        assert SECRET not in proxy.log()
