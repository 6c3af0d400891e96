"""Files by which we say who we are are read once, and mistakes name the option."""

import time
from pathlib import Path

import attrs
import pytest

from sso_proxy.errors import ConfigError
from sso_proxy.net.client_auth_parts import (
    check_client,
    read_file,
    read_key,
    read_tls,
)
from sso_proxy.specs.oauth.client_auth import ClientAuth
from sso_proxy.testing.pki import Pki

PKI = Pki.create()


@attrs.frozen(kw_only=True)
class Files:
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None


def test_nothing_named_is_nothing_special() -> None:
    assert read_tls(Files(), "here") is None


def test_certificate_key_and_ca_are_read(tmp_path: Path) -> None:
    certificate, key = PKI.issue("us", client=True).write(tmp_path, "us")
    ca = PKI.write(tmp_path)
    tls = read_tls(Files(ca=str(ca), certificate=str(certificate), key=str(key)), "x")
    assert tls is not None
    assert (tls.ca, tls.key) == (PKI.ca_pem, key.read_bytes())


def test_a_mistake_names_its_option(tmp_path: Path) -> None:
    none = tmp_path / "none.pem"
    none.write_bytes(b"none")
    for files, place in (
        (Files(ca=str(none)), "here.ca: "),
        (Files(certificate=str(none), key=str(none)), "here.certificate: "),
        (Files(key=str(tmp_path / "missing")), "here.key: cannot be read"),
    ):
        with pytest.raises(ConfigError) as caught:
            read_tls(files, "here")
        assert str(caught.value).startswith(place)


def test_revocation_lists_are_read_with_their_cas(tmp_path: Path) -> None:
    ca = PKI.write(tmp_path)
    crl = tmp_path / "crl.pem"
    crl.write_bytes(PKI.crl())
    tls = read_tls(Files(ca=str(ca)), "x", crl=str(crl), now=time.time())
    assert tls is not None
    assert tls.crl == crl.read_bytes()


@pytest.mark.parametrize(
    ("lists", "problem"),
    [
        (PKI.crl(expired=True), "here.crl: the list of CN=Test CA has expired"),
        (Pki.create("Other").crl(), "here.crl: has no list signed by CN=Test CA of ca"),
        (b"none", "here.crl: .* does not hold revocation lists"),
    ],
)
def test_lists_that_check_nothing_are_mistakes(
    tmp_path: Path, lists: bytes, problem: str
) -> None:
    ca = PKI.write(tmp_path)
    crl = tmp_path / "crl.pem"
    crl.write_bytes(lists)
    with pytest.raises(ConfigError, match=problem):
        read_tls(Files(ca=str(ca)), "here", crl=str(crl), now=time.time())


def test_a_key_signs_as_the_options_say(tmp_path: Path) -> None:
    _, file = PKI.issue("us").write(tmp_path, "us")
    key = read_key(str(file), "here.key", alg=None, kid="k")
    assert (key.alg, key.kid) == ("ES256", "k")
    with pytest.raises(ConfigError, match=r"here\.key: cannot be used: the key signs"):
        read_key(str(file), "here.key", alg="RS256", kid=None)


def test_a_secret_too_short_to_sign_with_is_a_mistake() -> None:
    client = ClientAuth(
        method="client_secret_jwt", client_id="c", secret="short", audience="a"
    )
    with pytest.raises(ConfigError, match=r"here\.client_secret: HS256 needs"):
        check_client(client, "here.client_secret")
    check_client(attrs.evolve(client, secret="s" * 32), "here.client_secret")


def test_a_file_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="here: cannot be read: No such file"):
        read_file(str(tmp_path / "missing"), "here")
