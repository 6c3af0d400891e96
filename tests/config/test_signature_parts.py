"""What holds for signed requests unless something else is said."""

from sso_proxy.config.signature_parts import SignatureConfig


def test_what_matters_is_signed_by_itself() -> None:
    """The request line, the host and who calls; each signature is good once."""
    config = SignatureConfig(key="k.pem")
    names = ("@method", "@authority", "@path", "@query", "identity")
    assert config.components == names
    assert (config.label, config.tag, config.nonce) == ("sso", "sso-proxy", True)
    assert config.expires == 60


def test_bodies_are_not_held_unless_it_is_said() -> None:
    """What is large goes on as it comes."""
    assert not SignatureConfig(key="k.pem").digest
