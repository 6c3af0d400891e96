"""``Content-Digest``."""

import pytest

from sso_proxy.specs.http.digest import build_content_digest, check_content_digest

CONTENT = b'{"hello": "world"}'
SHA512 = (
    "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+T"
    "aPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:"
)
"""Of RFC 9421 appendix B.2."""

SHA256 = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"
"""Of RFC 9530 appendix D."""


def test_digests_are_those_of_the_standards() -> None:
    """Each algorithm gives what the examples say."""
    assert build_content_digest(CONTENT) == SHA256
    assert build_content_digest(CONTENT, ("sha-512",)) == SHA512
    both = build_content_digest(CONTENT, ("sha-256", "sha-512"))
    assert both == f"{SHA256}, {SHA512}"


@pytest.mark.parametrize(
    "value", [SHA256, SHA512, f"{SHA256}, {SHA512}", f"md5=:AAAA:, {SHA256}"]
)
def test_the_digest_of_the_content_is_accepted(value: str) -> None:
    """Any of the hashes that can be relied on will do."""
    check_content_digest(value, CONTENT)


@pytest.mark.parametrize("value", [SHA256, SHA512, f"{SHA256}, {SHA512}"])
def test_other_content_is_refused(value: str) -> None:
    """One changed octet is found."""
    with pytest.raises(ValueError, match="another"):
        check_content_digest(value, CONTENT[:-1] + b"]")


def test_every_digest_has_to_fit() -> None:
    """A right hash beside a wrong one proves nothing about who wrote which."""
    wrong = build_content_digest(b"another", ("sha-512",))
    with pytest.raises(ValueError, match="another sha-512"):
        check_content_digest(f"{SHA256}, {wrong}", CONTENT)


@pytest.mark.parametrize(
    "value",
    ["", "md5=:AAAA:", "sha-256=AAAA", "sha-256=(:AAAA:)", "sha-256", "sha-256=:A:"],
)
def test_what_proves_nothing_is_refused(value: str) -> None:
    """No field, broken algorithms and malformed values are no proof."""
    with pytest.raises(ValueError, match=r"digest|base64"):
        check_content_digest(value, CONTENT)
