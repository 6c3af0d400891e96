"""Tickets say one thing, and only what their key has signed."""

import subprocess
from base64 import b64encode
from pathlib import Path
from typing import Any

import attrs
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from hypothesis import given, settings
from hypothesis import strategies as st

from sso_proxy.specs.pubtkt import (
    LATEST,
    LONGEST,
    Ticket,
    TicketEncoding,
    decode_cookie,
    decode_field,
    decrypt_bauth,
    encode_bauth,
    encode_cookie,
    encrypt_bauth,
    parse,
    sign,
    verify,
)
from sso_proxy.specs.pubtkt_keys import TicketError
from tests.support.programs import program
from tests.support.pubtkt_keys import private_pem, signing_key, verifying_key

ALICE = Ticket(uid="alice", valid_until=1_800_000_000)
BODY = "uid=alice;validuntil=1800000000;tokens=;udata="
KEY, IV = b"0123456789abcdef", bytes(range(16))

TEXT = st.text(
    st.characters(blacklist_categories=("Cc", "Cs"), blacklist_characters=";"),
    max_size=40,
)
TOKEN = TEXT.map(lambda text: text.replace(",", "")).filter(bool)
TICKETS = st.builds(
    Ticket,
    uid=TEXT.filter(bool),
    valid_until=st.integers(1, LATEST),
    cip=st.sampled_from(["", "192.0.2.1", "2001:db8::1"]),
    grace_period=st.integers(0, LATEST),
    bauth=st.binary(max_size=60).map(lambda octets: b64encode(octets).decode()),
    tokens=st.lists(TOKEN, max_size=3).map(tuple),
    udata=TEXT,
    multifactor=st.sampled_from(["", "0", "1"]),
)


def signed(body: str | bytes, name: str = "rsa") -> bytes:
    """Sign whatever is no ticket of ours."""
    octets = body.encode() if isinstance(body, str) else body
    return octets + b";sig=" + b64encode(signing_key(name).sign(octets))


def refusal(body: str | bytes, encoding: TicketEncoding = "utf-8") -> str:
    with pytest.raises(TicketError) as raised:
        verify(signed(body), verifying_key("rsa"), encoding=encoding)
    return raised.value.reason


@settings(max_examples=60)
@given(TICKETS, st.sampled_from(["rsa", "ec", "ed25519"]))
def test_what_is_signed_is_read_again(ticket: Ticket, name: str) -> None:
    text = sign(ticket, signing_key(name))
    assert verify(text, verifying_key(name)) == ticket == parse(text)
    assert decode_cookie(encode_cookie(text)) == text.encode()


@settings(max_examples=60)
@given(TICKETS, st.integers(0), st.integers(1, 255))
def test_no_octet_of_what_was_signed_can_be_another(
    ticket: Ticket, place: int, change: int
) -> None:
    text = bytearray(sign(ticket, signing_key("ec")).encode())
    place %= text.index(b";sig=") + 5
    text[place] ^= change
    with pytest.raises(TicketError):
        verify(bytes(text), verifying_key("ec"))


@settings(max_examples=60)
@given(st.binary(max_size=200))
def test_anything_at_all_is_a_ticket_or_refused(octets: bytes) -> None:
    for text in (octets, signed(octets, "ed25519")):
        try:
            verify(text, verifying_key("ed25519"))
        except TicketError as e:
            assert e.reason.startswith("ticket-")  # noqa: PT017


@pytest.mark.parametrize(
    "tail", [b";uid=admin", b"!!!", b";sig=QUJD", b"\r\nX: y", b"=;tokens=admin"]
)
def test_nothing_behind_the_signature_is_read(tail: bytes) -> None:
    """A reader of the whole string would take the second uid."""
    assert verify(signed(BODY) + tail, verifying_key("rsa")) == ALICE


def test_what_precedes_a_signature_is_all_that_is_parsed() -> None:
    assert parse(BODY + ";sig=x;uid=admin") == ALICE


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("uid=alice;uid=bob;validuntil=9", "ticket-duplicate"),
        ("uid=alice;validuntil=9;x=1;x=2", "ticket-duplicate"),
        ("uid=a\r\nb;validuntil=9", "ticket-control"),
        ("uid=a;validuntil=9;x=\x00", "ticket-control"),
        ("uid=a;validuntil=9;udata=\x7f", "ticket-control"),
        ("uid=;validuntil=9", "ticket-uid"),
        ("validuntil=9", "ticket-uid"),
        ("uid=a", "ticket-time"),
        ("uid=a;validuntil=0", "ticket-time"),
        ("uid=a;validuntil=-1", "ticket-time"),
        ("uid=a;validuntil=abc", "ticket-time"),
        ("uid=a;validuntil=4294967296", "ticket-time"),
        ("uid=a;validuntil=18446744073709551617", "ticket-time"),
        ("uid=a;validuntil=٣", "ticket-time"),
        ("uid=a;validuntil=9;graceperiod=-1", "ticket-time"),
        ("uid=" + "u" * 256 + ";validuntil=9", "ticket-field-long"),
        ("uid=a;validuntil=9;cip=" + "1" * 40, "ticket-field-long"),
        ("uid=a;validuntil=9;udata=" + "é" * 128, "ticket-field-long"),
        ("uid=a;validuntil=9;tokens=" + "t" * 256, "ticket-field-long"),
        ("uid=a;validuntil=9;bauth=" + "b" * 256, "ticket-field-long"),
        (b"uid=\xe9;validuntil=9", "ticket-encoding"),
    ],
)
def test_what_readers_would_read_differently_is_refused(
    body: str | bytes, reason: str
) -> None:
    assert refusal(body) == reason


def test_times_end_where_their_digits_do() -> None:
    assert parse("uid=a;validuntil=123xyz").valid_until == 123
    assert parse(f"uid=a;validuntil={LATEST}").valid_until == LATEST
    assert parse("uid=a;validuntil=9;graceperiod=").grace_period == 0


def test_unknown_fields_and_what_is_none_are_passed_over() -> None:
    assert parse("a;udata=x=y;foo=1;validuntil=9;;uid=b").udata == "x=y"


def test_octets_are_characters_as_they_are_said_to_be() -> None:
    body = b"uid=jos\xe9;validuntil=9"
    assert verify(signed(body), verifying_key("rsa"), encoding="latin-1").uid == "josé"
    ticket = Ticket(uid="josé", valid_until=9)
    text = sign(ticket, signing_key("rsa"), encoding="latin-1")
    assert decode_cookie(encode_cookie(text, encoding="latin-1")) == text.encode(
        "latin-1"
    )
    with pytest.raises(TicketError, match="beyond latin-1"):
        sign(Ticket(uid="Ω", valid_until=9), signing_key("rsa"), encoding="latin-1")


def test_a_ticket_has_an_end() -> None:
    body = "uid=a;validuntil=9;pad="
    room = LONGEST - len(signed(body))
    verify(signed(body + "p" * room), verifying_key("rsa"))
    assert refusal(body + "p" * (room + 1)) == "ticket-long"
    with pytest.raises(TicketError, match="octets"):
        parse("x" * (LONGEST + 1))


@pytest.mark.parametrize("end", ["", ";sig=", ";sig=!", ";sig=A", ";sig=QUJD"])
def test_without_a_signature_it_is_nothing(end: str) -> None:
    with pytest.raises(TicketError) as raised:
        verify(BODY + end, verifying_key("rsa"))
    assert raised.value.reason == "ticket-signature"


@pytest.mark.parametrize(
    "change",
    [
        {"uid": "a;b=c"},
        {"uid": ""},
        {"udata": "x;sig=y"},
        {"udata": "line\nfeed"},
        {"tokens": ("a,b",)},
        {"tokens": ("",)},
        {"valid_until": 0},
        {"valid_until": LATEST + 1},
        {"grace_period": -1},
        {"uid": "u" * 256},
        {"udata": "d" * 256},
    ],
)
def test_what_no_ticket_can_say_is_not_signed(change: dict[str, Any]) -> None:
    with pytest.raises(TicketError):
        sign(attrs.evolve(ALICE, **change), signing_key("rsa"))


def test_what_is_too_long_together_is_not_signed() -> None:
    most = "x" * 255
    ticket = attrs.evolve(ALICE, uid=most, udata=most, tokens=(most,))
    with pytest.raises(TicketError, match="octets"):
        sign(ticket, signing_key("rsa"))


def test_fields_stand_in_the_order_of_the_login_server() -> None:
    ticket = Ticket(
        uid="a",
        valid_until=9,
        cip="192.0.2.1",
        grace_period=8,
        bauth="eA==",
        tokens=("t", "u"),
        udata="d",
        multifactor="1",
    )
    assert sign(ticket, signing_key("rsa")).startswith(
        "uid=a;cip=192.0.2.1;validuntil=9;graceperiod=8;bauth=eA==;tokens=t,u;udata=d"
        ";multifactor=1;sig="
    )
    assert "eA==" not in repr(ticket)


@pytest.mark.parametrize("value", ["a%zz", "a%0", "a%", "a%00b"])
def test_what_is_not_url_encoded_is_no_ticket(value: str) -> None:
    assert decode_cookie(value) is None


def test_cookies_may_stand_in_quotes_and_fields_may_not() -> None:
    assert decode_cookie('"a+b%2Bc%3B"') == b"a b+c;"
    assert decode_field('"a"') == b'"a"'
    assert decode_cookie("\xe9") == b"\xe9"


@given(st.binary(min_size=1, max_size=60).filter(lambda octets: 0 not in octets))
def test_credentials_are_encrypted_and_decrypted(credentials: bytes) -> None:
    assert decrypt_bauth(encrypt_bauth(credentials, KEY, IV), KEY) == credentials


def test_encrypted_credentials_have_the_form_of_others() -> None:
    """AES-128 in CBC mode, the IV first, filled up with NULs to whole blocks."""
    cipher = Cipher(AES(KEY), CBC(IV)).encryptor()
    blocks = cipher.update(b"al:1234567890123") + cipher.finalize()
    assert encrypt_bauth(b"al:1234567890123", KEY, IV) == (
        b64encode(IV + blocks).decode()
    )
    with pytest.raises(ValueError, match="NUL"):
        encrypt_bauth(b"al:\0", KEY, IV)


def test_what_is_short_is_not_encrypted() -> None:
    assert decrypt_bauth(encode_bauth("al", "pw"), KEY) == b"al:pw"


def test_parts_of_blocks_are_refused() -> None:
    for bauth in (b64encode(bytes(33)).decode(), "", "!"):
        with pytest.raises(TicketError) as raised:
            decrypt_bauth(bauth, KEY)
        assert raised.value.reason == "ticket-bauth"


PHP = (
    "uid=alice;cip=192.0.2.1;validuntil=1800000000;graceperiod=1799996400;bauth=eA=="
    ";tokens=a,b;udata=d;multifactor=1"
)
PERL = (
    "uid=alice;cip=192.0.2.1;validuntil=1800000000;graceperiod=1799996400;bauth=eA=="
    ";multifactor=1;tokens=a,b;udata=d"
)


@pytest.mark.parametrize("body", [PHP, PERL], ids=["PHP", "Perl"])
@pytest.mark.parametrize(
    ("name", "digest"),
    [("rsa", "sha1"), ("rsa", "sha256"), ("dsa", "sha1"), ("ec", "sha512")],
)
def test_tickets_of_others_are_good(
    name: str, digest: str, body: str, tmp_path: Path
) -> None:
    """Signed as by the login servers that come with the module: by openssl."""
    key = tmp_path / "key.pem"
    key.write_bytes(private_pem(name))
    signature = subprocess.run(  # noqa: S603
        [program("openssl"), "dgst", f"-{digest}", "-sign", key],
        input=body.encode(),
        capture_output=True,
        check=True,
        timeout=30,
    ).stdout
    text = f"{body};sig={b64encode(signature).decode()}"
    assert verify(text, verifying_key(name, digest)) == Ticket(
        uid="alice",
        cip="192.0.2.1",
        valid_until=1_800_000_000,
        grace_period=1_799_996_400,
        bauth="eA==",
        tokens=("a", "b"),
        udata="d",
        multifactor="1",
    )
