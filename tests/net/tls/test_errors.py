from OpenSSL import SSL

from sso_proxy.net.tls.errors import PeerError


def test_it_is_handled_like_any_failed_handshake() -> None:
    assert isinstance(PeerError("not you"), SSL.Error)
    assert str(PeerError("not you")) == "not you"
