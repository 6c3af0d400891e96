"""Tests for `sso_proxy.specs.oauth.pkce` (RFC 7636)."""

from base64 import urlsafe_b64encode
from contextlib import suppress
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.oauth.pkce import METHOD, challenge_of


def test_example_of_the_standard() -> None:
    """RFC 7636 appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_method_is_never_plain() -> None:
    assert METHOD == "S256"


@given(st.from_regex(r"[A-Za-z0-9._~-]{43,128}", fullmatch=True))
def test_a_challenge_is_the_hash_without_padding(verifier: str) -> None:
    """BASE64URL-ENCODE(SHA256(ASCII(code_verifier))), 43 characters (section 4.2)."""
    digest = sha256(verifier.encode()).digest()
    challenge = challenge_of(verifier)
    assert challenge == urlsafe_b64encode(digest).decode().rstrip("=")
    assert len(challenge) == 43


@pytest.mark.parametrize(
    "verifier",
    ["", "a" * 42, "a" * 129, "a" * 42 + "+", "a" * 42 + "ä", "a" * 43 + "\n"],
)
def test_a_verifier_of_another_form_is_refused(verifier: str) -> None:
    with pytest.raises(ValueError, match="43 to 128 unreserved"):
        challenge_of(verifier)


@given(st.text())
def test_no_other_error_is_raised(verifier: str) -> None:
    with suppress(ValueError):
        challenge_of(verifier)
