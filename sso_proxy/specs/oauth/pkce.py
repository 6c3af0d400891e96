"""Proof Key for Code Exchange: only who asked can redeem the code (RFC 7636)."""

import re
from hashlib import sha256
from typing import Final

from sso_proxy.specs.jose.strict import encode_base64url

METHOD: Final = "S256"
"""The one method here: ``plain`` shows the verifier to whoever sees the request."""

_is_verifier = re.compile(r"[A-Za-z0-9._~-]{43,128}").fullmatch


def challenge_of(verifier: str) -> str:
    """
    Give the ``code_challenge`` of *verifier* by the method S256 (section 4.2).

    Args:
        verifier: What nobody can guess, in 43 to 128 unreserved characters (section
            4.1); 32 octets of randomness in base64url are right.

    Raises:
        ValueError: It is written otherwise.
    """
    if _is_verifier(verifier) is None:
        raise ValueError("a code verifier has 43 to 128 unreserved characters")
    return encode_base64url(sha256(verifier.encode("ascii")).digest())
