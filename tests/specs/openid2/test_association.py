"""A secret is shared with one provider, and nobody else knows it."""

import contextlib
import json
from base64 import b64encode
from hashlib import sha1, sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openid.association import Association as TheirAssociation
from openid.cryptutil import base64ToLong, longToBase64
from openid.dh import DiffieHellman

from sso_proxy.specs.openid2.association import (
    GROUP,
    LONGEST_HANDLE,
    MOST_LIFE,
    OFFERS,
    SECRET_BITS,
    Association,
    AssociationError,
    Exchange,
    Group,
    Offer,
    begin_exchange,
    build_associate,
    read_association,
    read_handle,
    read_offer,
    sign,
    write_number,
)
from sso_proxy.specs.openid2.message import MessageError
from sso_proxy.specs.openid2.names import NS

OP = "https://op.example/login"
NOW = 1_800_000_000.0
SECRET = (1 << SECRET_BITS) - 12345
DH = Offer("HMAC-SHA256", "DH-SHA256")
OLD_DH = Offer("HMAC-SHA1", "DH-SHA1")
PLAIN = Offer("HMAC-SHA256", "no-encryption")
KEY = bytes(range(32))


def answer(**changes: str | None) -> bytes:
    fields: dict[str, str | None] = {
        "ns": NS,
        "assoc_handle": "{HMAC-SHA256}{6b02235e}{b'GPXW9A=='}",
        "assoc_type": "HMAC-SHA256",
        "session_type": "no-encryption",
        "expires_in": "3600",
        "mac_key": b64encode(KEY).decode(),
        **changes,
    }
    pairs = [(n, value) for n, value in fields.items() if value is not None]
    return "".join(f"{name}:{value}\n" for name, value in pairs).encode()


def read(
    body: bytes,
    offer: Offer = PLAIN,
    exchange: Exchange | None = None,
    status: int = 200,
    op_endpoint: str = OP,
) -> Association:
    return read_association(
        status, body, offer, exchange, op_endpoint=op_endpoint, now=NOW
    )


def exchanged(offer: Offer, exchange: Exchange, key: bytes = KEY) -> bytes:
    """Answer as a provider built on another implementation does."""
    theirs = DiffieHellman.fromDefaults()
    how = sha256 if offer.session == "DH-SHA256" else sha1
    hidden = theirs.xorSecret(exchange.public, key, lambda octets: how(octets).digest())
    return answer(
        assoc_type=offer.kind,
        session_type=offer.session,
        mac_key=None,
        dh_server_public=longToBase64(theirs.public).decode(),
        enc_mac_key=b64encode(hidden).decode(),
    )


def test_a_secret_is_read_over_tls() -> None:
    assert read(answer()) == Association(
        handle="{HMAC-SHA256}{6b02235e}{b'GPXW9A=='}",
        mac_key=KEY,
        kind="HMAC-SHA256",
        op_endpoint=OP,
        expires=NOW + 3600,
    )


@pytest.mark.parametrize(("offer", "octets"), [(DH, 32), (OLD_DH, 20)], ids=str)
def test_a_secret_is_exchanged_with_another_implementation(
    offer: Offer, octets: int
) -> None:
    key = KEY[:octets]
    for secret in range(SECRET, SECRET + 8):  # numbers of all lengths
        exchange = begin_exchange(secret)
        assert read(exchanged(offer, exchange, key), offer, exchange).mac_key == key


def test_our_numbers_are_theirs() -> None:
    assert GROUP.modulus == DiffieHellman.DEFAULT_MOD
    assert GROUP.generator == DiffieHellman.DEFAULT_GEN
    for number in (0, 1, 127, 128, 255, 256, 1 << 1023, GROUP.modulus):
        assert write_number(number) == longToBase64(number).decode()
        assert base64ToLong(write_number(number)) == number


def test_what_is_asked_for() -> None:
    assert build_associate(PLAIN, None) == (
        ("openid.ns", NS),
        ("openid.mode", "associate"),
        ("openid.assoc_type", "HMAC-SHA256"),
        ("openid.session_type", "no-encryption"),
    )
    exchange = begin_exchange(SECRET)
    fields = dict(build_associate(DH, exchange))
    assert fields["openid.dh_consumer_public"] == write_number(exchange.public)
    assert "openid.dh_modulus" not in fields
    other = begin_exchange(SECRET, Group(modulus=GROUP.modulus, generator=5))
    fields = dict(build_associate(DH, other))
    assert fields["openid.dh_modulus"] == write_number(GROUP.modulus)
    assert fields["openid.dh_gen"] == "BQ=="


TRIVIAL = {
    "zero": 0,
    "one": 1,
    "minus one": GROUP.modulus - 1,
    "the modulus": GROUP.modulus,
    "one more": GROUP.modulus + 1,
    "a multiple": GROUP.modulus * 3,
}


@pytest.mark.parametrize("case", TRIVIAL)
def test_an_exchange_with_a_known_result_is_refused(case: str) -> None:
    exchange = begin_exchange(SECRET)
    body = answer(
        assoc_type="HMAC-SHA256",
        session_type="DH-SHA256",
        mac_key=None,
        dh_server_public=write_number(TRIVIAL[case]),
        enc_mac_key=b64encode(KEY).decode(),
    )
    with pytest.raises(AssociationError, match="trivial"):
        read(body, DH, exchange)


@pytest.mark.parametrize("modulus", [23, (1 << 1022) + 1, GROUP.modulus - 1])
def test_a_modulus_that_is_too_small_or_no_prime_is_refused(modulus: int) -> None:
    with pytest.raises(ValueError, match="modulus"):
        Group(modulus=modulus)


def test_a_secret_that_could_be_guessed_is_refused() -> None:
    with pytest.raises(ValueError, match="small"):
        begin_exchange(12345)


REFUSED: dict[str, bytes] = {
    "nothing": b"",
    "html": b"<html>",
    "another version": answer(ns="http://openid.net/signon/1.1"),
    "no version": answer(ns=None),
    "another kind": answer(assoc_type="HMAC-SHA1"),
    "another session": answer(session_type="DH-SHA256"),
    "no session": answer(session_type=None),
    "no handle": answer(assoc_handle=None),
    "an empty handle": answer(assoc_handle=""),
    "a handle that is too long": answer(assoc_handle="h" * (LONGEST_HANDLE + 1)),
    "a handle with a blank": answer(assoc_handle="a b"),
    "a handle of other letters": answer(assoc_handle="ä"),
    "no life": answer(expires_in=None),
    "a life of nothing": answer(expires_in="0"),
    "a life before now": answer(expires_in="-1"),
    "a life without end": answer(expires_in="9" * 11),
    "a life in words": answer(expires_in="1e9"),
    "a life in other digits": answer(expires_in="\u0661\u0662"),
    "no key": answer(mac_key=None),
    "an empty key": answer(mac_key=""),
    "a key of another length": answer(mac_key=b64encode(KEY[:20]).decode()),
    "no base64": answer(mac_key="%%%%" + b64encode(KEY).decode()),
    "base64 in url letters": answer(mac_key="_" * 43 + "="),
    "base64 without padding": answer(mac_key=b64encode(KEY).decode().rstrip("=")),
    "base64 with more behind": answer(mac_key=b64encode(KEY).decode() + "AAAA"),
    "base64 with other bits": answer(mac_key=b64encode(KEY).decode()[:-2] + "9="),
    "a key twice": answer() + b"mac_key:AAAA\n",
    "an error": answer(mode="error"),
    "an error in words": answer(error="no"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_answer_that_is_none_gives_no_secret(case: str) -> None:
    with pytest.raises(AssociationError) as refused:
        read(REFUSED[case])
    assert not refused.value.unsupported
    assert b64encode(KEY).decode()[:10] not in str(refused.value)


@pytest.mark.parametrize("status", [201, 302, 400, 500])
def test_another_status_gives_no_secret(status: int) -> None:
    with pytest.raises(AssociationError):
        read(answer(), status=status)


@pytest.mark.parametrize("field", ["dh_server_public", "enc_mac_key"])
@pytest.mark.parametrize("value", [None, "", "AAA", "/w==", "AAAA"])
def test_half_an_exchange_gives_no_secret(field: str, value: str | None) -> None:
    exchange = begin_exchange(SECRET)
    body = exchanged(DH, exchange).decode().split("\n")
    lines = [line for line in body if not line.startswith(f"{field}:")]
    lines = lines if value is None else [f"{field}:{value}", *lines]
    with pytest.raises(AssociationError):
        read("\n".join(lines).encode(), DH, exchange)


def test_a_key_that_is_sent_openly_is_none_of_an_exchange() -> None:
    """Else who is in between could leave out the exchange, and know the secret."""
    with pytest.raises(AssociationError):
        read(answer(session_type="DH-SHA256"), DH, begin_exchange(SECRET))


def test_an_association_is_made_anew_after_a_while() -> None:
    assert read(answer(expires_in="9999999999")).expires == NOW + MOST_LIFE


UNSUPPORTED = (
    b"ns:http://specs.openid.net/auth/2.0\nerror:no\nerror_code:unsupported-type"
)


@pytest.mark.parametrize("status", [200, 400])
def test_a_provider_may_suggest_another_kind(status: int) -> None:
    body = UNSUPPORTED + b"\nassoc_type:HMAC-SHA1\nsession_type:DH-SHA1\n"
    with pytest.raises(AssociationError) as refused:
        read(body, status=status)
    assert refused.value.unsupported
    assert refused.value.suggested == OLD_DH


@pytest.mark.parametrize(
    "suggestion",
    [
        b"",
        b"\nassoc_type:HMAC-SHA256\nsession_type:DH-SHA1",
        b"\nassoc_type:HMAC-SHA512\nsession_type:DH-SHA512",
        b"\nassoc_type:HMAC-SHA1",
    ],
)
def test_a_suggestion_that_is_not_legal_is_none(suggestion: bytes) -> None:
    """Net::OpenID::Server makes the first of them."""
    with pytest.raises(AssociationError) as refused:
        read(UNSUPPORTED + suggestion, status=400)
    assert refused.value.unsupported
    assert refused.value.suggested is None


def test_a_secret_is_not_sent_openly_because_a_provider_suggests_it() -> None:
    body = UNSUPPORTED + b"\nassoc_type:HMAC-SHA256\nsession_type:no-encryption\n"
    with pytest.raises(AssociationError) as refused:
        read(body, DH, begin_exchange(SECRET), 400, "http://op.example/")
    assert refused.value.suggested is None
    with pytest.raises(AssociationError) as refused:
        read(body, DH, begin_exchange(SECRET), 400)
    assert refused.value.suggested == PLAIN


def test_kinds_are_all_legal_and_have_names() -> None:
    assert [read_offer(str(offer)) for offer in OFFERS] == [*OFFERS]
    with pytest.raises(ValueError, match="HMAC-SHA256/DH-SHA256"):
        read_offer("HMAC-SHA256/DH-SHA1")


def test_an_open_secret_goes_over_tls_only() -> None:
    assert PLAIN.may_be_sent_to(OP)
    assert not PLAIN.may_be_sent_to("http://op.example/")
    assert DH.may_be_sent_to("http://op.example/")


def test_a_signature_is_that_of_another_implementation() -> None:
    pairs = [("claimed_id", "https://a.example/"), ("ns.x", "ü")]
    for kind, octets in (("HMAC-SHA256", 32), ("HMAC-SHA1", 20)):
        ours = read_association(
            200,
            answer(assoc_type=kind, mac_key=b64encode(KEY[:octets]).decode()),
            read_offer(f"{kind}/no-encryption"),
            None,
            op_endpoint=OP,
            now=NOW,
        )
        theirs = TheirAssociation("h", KEY[:octets], 0, 0, kind)
        assert sign(ours, pairs) == theirs.sign(pairs)


def test_two_lines_in_a_value_are_never_signed() -> None:
    with pytest.raises(MessageError):
        sign(read(answer()), [("identity", "a\nclaimed_id:b")])


def test_secrets_are_in_no_text() -> None:
    association, exchange = read(answer()), begin_exchange(SECRET)
    assert repr(KEY) not in repr(association)
    assert str(SECRET) not in repr(exchange)


def test_an_association_is_kept_as_json() -> None:
    association = read(answer())
    kept = json.loads(json.dumps(association.as_json()))
    assert Association.from_json(kept) == association


@pytest.mark.parametrize("handle", ["h", "!~\"'{}", "h" * LONGEST_HANDLE])
def test_handles_have_printable_letters(handle: str) -> None:
    assert read_handle(handle) == handle


@given(
    st.binary() | st.text().map(lambda text: answer(dh_server_public=text)),
    st.sampled_from(OFFERS),
    st.sampled_from([200, 400]),
)
def test_no_answer_raises_anything_else(body: bytes, offer: Offer, status: int) -> None:
    exchange = EXCHANGE if offer.exchanges else None
    for each in (body, answer(session_type=offer.session) + body):
        with contextlib.suppress(AssociationError):
            read(each, offer, exchange, status)


EXCHANGE = begin_exchange(SECRET)
