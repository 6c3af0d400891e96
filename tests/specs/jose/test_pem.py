"""Every block of a PEM file is seen, or none is used."""

import pytest

from sso_proxy.specs.jose.pem import MAX_BLOCKS, pem_blocks

KEY = b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"
CERTIFICATE = b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----"


def test_blocks_are_found_among_text() -> None:
    text = b"subject=CN = x\n" + CERTIFICATE + b"\n\nkey:\n" + KEY + b"\n"
    assert pem_blocks(text) == [(b"CERTIFICATE", CERTIFICATE), (b"PUBLIC KEY", KEY)]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"AAAA",
        KEY[:-5],
        KEY.replace(b"END PUBLIC", b"END PRIVATE"),
        KEY.replace(b"AAAA", b"A: B"),
        CERTIFICATE + b"\n-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n",
        KEY * (MAX_BLOCKS + 1),
    ],
)
def test_what_is_not_understood_refuses_the_file(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"PEM|more than"):
        pem_blocks(data)
