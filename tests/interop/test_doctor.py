"""``sso-proxy doctor`` at npm oidc-provider: what is right, and what is not."""

import subprocess
import sys
from pathlib import Path
from typing import Final

from sso_proxy.testing.pki import Pki
from tests.support.oidc_provider import OidcProvider
from tests.support.running import environment

SECRET: Final = "a-secret-of-forty-characters-or-even-more"
CONFIG: Final = """
[server]
state_dir = "state"
[[listener]]
address = "127.0.0.1"
port = 8443
certificate = "{certificate}.crt"
key = "{certificate}.key"
[authenticator.people]
type = "oidc"
issuer = "{issuer}"
client_id = "people"
client_secret_file = "secret"
ca = "ca.crt"
[session.main]
type = "cookie"
max_bytes = 20000
[[route]]
host = "{host}"
authenticate = ["people"]
session = "main"
backend = "http://127.0.0.1:9"
"""


def doctor(directory: Path, **values: str) -> tuple[int, list[str]]:
    """Give the status, and the lines."""
    file = directory / "sso-proxy.toml"
    file.write_text(CONFIG.format(**values))
    program = "import sys; from sso_proxy.cli import main; sys.exit(main())"
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", program, "doctor", str(file)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(),
    )
    assert done.stderr == ""
    assert SECRET not in done.stdout
    return done.returncode, done.stdout.splitlines()


def test_each_thing_is_told_with_what_to_do(pki: Pki, tmp_path: Path) -> None:
    """First an estate with three faults; then they are mended, and one is no fault."""
    pki.write(tmp_path, "ca")
    secret = tmp_path / "secret"
    secret.touch(0o600)
    secret.write_text(SECRET)
    names = ["app.example.com"]
    pki.issue("good", dns=names, server=True).write(tmp_path, "good")
    pki.issue("old", dns=names, server=True, expired=True).write(tmp_path, "old")
    client = {
        "client_id": "people",
        "client_secret": SECRET,
        "redirect_uris": ["https://app.example.com/.sso/callback/people"],
        "response_types": ["code"],
        "grant_types": ["authorization_code"],
    }
    with OidcProvider(pki, [client]) as provider:
        issuer = provider.issuer
        status, bad = doctor(
            tmp_path, issuer=issuer, certificate="old", host="www.example.com"
        )
        mended, good = doctor(
            tmp_path, issuer=issuer, certificate="good", host="app.example.com"
        )
    assert (status, mended) == (1, 0), (bad, good)
    kinds = {line[:8].strip(): line for line in bad}
    assert set(kinds) == {"ok", "warning", "broken"}
    for text in (
        "broken  listener[0].certificate: has expired on ",
        "warning host www.example.com: no certificate has this name",
        f"ok      authenticator.people: {issuer}/.well-known/",
        "broken  authenticator.people, redirect URI https://www.example.com/.sso/callback",
        "ok      clock: as at localhost:",
        "warning session.main, cookie: has up to 20000 octets",
    ):
        assert [line for line in bad if line.startswith(text)], (text, bad)
    assert "broken" not in {line[:8].strip() for line in good}, good
    back = "the provider sends people to https://app.example.com/.sso/callback/people"
    assert [line for line in good if back in line], good
