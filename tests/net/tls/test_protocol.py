import pytest
from OpenSSL import SSL

from sso_proxy.config.model import ListenerConfig
from sso_proxy.net.tls.protocol import (
    DEFAULT_CIPHERS,
    Protocol,
    read_protocol,
    unknown_ciphers,
    unknown_groups,
    unknown_suites,
)


@pytest.mark.parametrize(
    ("ciphers", "unknown"),
    [
        (DEFAULT_CIPHERS, []),
        ("ECDHE+AESGCM:!aNULL:-SHA1:@STRENGTH", []),
        ("ECDHE+AESGCM:NONSENSE", ["NONSENSE"]),
        ("ECDHE+AESGCM, !NONSENSE", ["!NONSENSE"]),
        ("", []),
    ],
)
def test_an_unknown_cipher_among_known_ones_is_found(
    ciphers: str, unknown: list[str]
) -> None:
    assert list(unknown_ciphers(ciphers)) == unknown


@pytest.mark.parametrize(
    ("suites", "unknown"),
    [
        ("TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256", []),
        ("TLS_AES_128_GCM_SHA256:TLS_NONSENSE", ["TLS_NONSENSE"]),
        ("TLS_AES_128_GCM_SHA256:+:" + "x" * 200, ["+", "x" * 200]),
        ("ECDHE-RSA-AES128-GCM-SHA256", ["ECDHE-RSA-AES128-GCM-SHA256"]),
    ],
)
def test_an_unknown_suite_among_known_ones_is_found(
    suites: str, unknown: list[str]
) -> None:
    assert list(unknown_suites(suites)) == unknown


def test_an_unknown_group_among_known_ones_is_found() -> None:
    assert list(unknown_groups(("X25519", "Q-1", "X25519MLKEM768"))) == ["Q-1"]


def test_options_and_modes_are_set() -> None:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    Protocol().apply(context)
    options, modes = context.set_options(0), context.set_mode(0)
    for option in (
        SSL.OP_NO_COMPRESSION,
        SSL.OP_NO_RENEGOTIATION,
        SSL.OP_CIPHER_SERVER_PREFERENCE,
    ):
        assert options & option
    assert not options & SSL.OP_IGNORE_UNEXPECTED_EOF
    partial_write, moving_buffer = 1, 2
    assert modes & partial_write
    assert modes & moving_buffer
    assert modes & SSL.MODE_RELEASE_BUFFERS


def test_mistakes_are_noted_at_their_option() -> None:
    notes: list[tuple[str, str]] = []
    config = ListenerConfig(
        address="::",
        min_version="TLSv1.3",
        max_version="TLSv1.2",
        ciphers="A",
        ciphersuites="B",
        groups=("C",),
    )
    read_protocol(config, "listener[3]", lambda path, what: notes.append((path, what)))
    assert [path.removeprefix("listener[3].") for path, _ in notes] == [
        "min_version",
        "ciphers",
        "ciphersuites",
        "groups",
    ]
    assert notes[3][1] == "OpenSSL does not offer 'C' here"
