from typing import TYPE_CHECKING

import attrs
import pytest
from OpenSSL import SSL

from sso_proxy.net.tls import probe

if TYPE_CHECKING:
    from tests.net.tls.conftest import Lab


def test_the_build_that_we_ship_with_offers_everything() -> None:
    assert probe.missing() == ()


def test_what_a_library_lacks_is_off_and_said_so() -> None:
    found = probe.find_capabilities(object())
    assert not any(attrs.asdict(found).values())
    lines = probe.missing(found)
    assert len(lines) == 5
    assert any("Token Binding is off" in line for line in lines)


def test_openssl_tells_known_groups_from_unknown_ones() -> None:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    assert probe.set_groups(context, "X25519:P-256")
    assert not probe.set_groups(context, "X25519:NONSENSE")


def test_an_error_has_openssl_words() -> None:
    assert probe.error_words(10) == "certificate has expired"


def test_without_the_functions_nothing_is_claimed(
    lab: "Lab", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "CAPABILITIES", probe.find_capabilities(object()))
    shaken = lab.connect(lab.listener(), version=SSL.TLS1_2_VERSION)
    assert not probe.has_extended_master_secret(shaken.server)
    assert not probe.set_groups(SSL.Context(SSL.TLS_SERVER_METHOD), "X25519")
    assert probe.error_words(10) == "verification error 10"
