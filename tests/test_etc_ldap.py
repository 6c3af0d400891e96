"""The example about directories runs with nothing but names and ports replaced."""

from base64 import b64encode
from pathlib import Path

import pytest

from sso_proxy.testing.pki import Pki
from tests.support.programs import CurlAnswer, RealProxy, curl
from tests.support.recorder import Recorder
from tests.support.slapd import PASSWORD, READER_PASSWORD, Slapd
from tests.test_etc import ETC

HOST = "app.example.com"


def configuration(slapd: Slapd, backend: int) -> str:
    text = (ETC / "ldap.toml").read_text()
    for old, new, times in (
        ('"0.0.0.0"', '"127.0.0.1"', 1),
        ("8443", "0", 1),
        ("ldaps://ldap.example.com", slapd.tls_url, 2),
        ("127.0.0.1:9000", f"127.0.0.1:{backend}", 1),
    ):
        assert text.count(old) == times, old
        text = text.replace(old, new)
    return text


def test_passwords_and_groups_of_a_directory(
    tmp_path: Path, slapd: Slapd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """etc/ldap.toml"""
    monkeypatch.setenv("LDAP_PASSWORD", READER_PASSWORD)
    tls = tmp_path / "tls"
    tls.mkdir()
    pki = Pki.create()
    pki.write(tls, "ca")
    pki.issue(HOST, dns=[HOST], server=True).write(tls, "app")
    (tls / "ldap-ca.crt").write_bytes(slapd.pki.ca_pem)
    with Recorder() as backend:
        text = configuration(slapd, backend.port)
        state = str(tmp_path / "state")
        with RealProxy(tmp_path, text, state_dir=state).serve() as proxy:

            def ask(user: str, password: str = PASSWORD) -> CurlAnswer:
                credentials = b64encode(f"{user}:{password}".encode()).decode()
                resolve = f"{HOST}:{proxy.port}:127.0.0.1"
                field = ("-H", f"Authorization: Basic {credentials}")
                url = f"https://{HOST}:{proxy.port}/page"
                return curl(
                    "--cacert", tls / "ca.crt", "--resolve", resolve, *field, url
                )

            assert ask("Bob").status == 200
            [seen] = backend.seen
            assert seen.values("X-Remote-User") == ["bob"]
            assert seen.values("X-Claim-name") == ["bob"]
            assert seen.values("X-Claim-groups") == ["admins,staff"]
            assert seen.values("Authorization") == []
            assert ask("bob", "wrong").status == 401
            assert ask("*").status == 401
            assert ask("dave").status == 401
            assert ask("many1").status == 403
            assert len(backend.seen) == 1
            assert READER_PASSWORD not in proxy.log()
            assert PASSWORD not in proxy.log()
