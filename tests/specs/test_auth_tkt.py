"""Tickets say one thing, and only to those who know the secret of who made them."""

from base64 import b64encode
from typing import Any
from urllib.parse import quote

import attrs
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sso_proxy.specs.auth_tkt import (
    ANYWHERE,
    DIGESTS,
    LATEST,
    LONGEST,
    Digest,
    IPv6Form,
    Ticket,
    TicketKey,
    decode_cookie,
    encode_cookie,
    parse,
    sign,
    signed_octets,
    verify,
)
from sso_proxy.specs.pubtkt_keys import TicketError
from tests.support import auth_tkt_desk
from tests.support.auth_tkt_desk import made

SECRET = auth_tkt_desk.SECRET.encode()
KEY = TicketKey(secret=SECRET)
ALICE = Ticket(uid="alice", timestamp=1_800_000_000)
IP = "192.0.2.1"

TEXT = st.text(
    st.characters(blacklist_categories=("Cc", "Cs")),
    max_size=40,
)
UID = TEXT.map(lambda text: text.replace("!", "")).filter(bool)
TOKEN = TEXT.map(lambda text: text.replace(",", "").replace("!", "")).filter(bool)
TICKETS = st.builds(
    Ticket,
    uid=UID,
    timestamp=st.integers(10**9, LATEST),
    tokens=st.lists(TOKEN, max_size=3).map(tuple),
    udata=TEXT,
)
ALIKE = st.builds(
    Ticket,
    uid=st.text("ab", min_size=1, max_size=3),
    timestamp=st.sampled_from([1_111_111_111, 1_111_111_112, 2_111_111_111]),
    tokens=st.lists(st.sampled_from(["a", "b", "ab"]), max_size=2).map(tuple),
    udata=st.text("ab,!", max_size=3),
)
FEW = st.sampled_from(["1.1.1.1", "1.1.1.2", "::1", "::11", "::111"])
KEYS = st.builds(
    TicketKey,
    secret=st.just(SECRET),
    digest=st.sampled_from(DIGESTS),
    ipv6=st.sampled_from(["packed", "text"]),
    user=st.sampled_from(["plain", "quoted", "pyramid"]),
)
ADDRESSES = st.ip_addresses().map(str)


LAST = b"%x" % (int(made(b"alice!")[31:32], 16) ^ 1)
"""Another last digit of a digest."""


def refusal(text: str | bytes, key: TicketKey = KEY, **where: str) -> str:
    with pytest.raises(TicketError) as raised:
        verify(text, key, **where)
    return raised.value.reason


@settings(max_examples=50)
@given(TICKETS, KEYS, ADDRESSES)
def test_what_is_signed_is_read_again(
    ticket: Ticket, key: TicketKey, address: str
) -> None:
    assume(key.user != "pyramid" or "userid_type:" not in ticket.udata)
    text = sign(ticket, key, ip=address)
    assert verify(text, key, ip=address) == ticket == parse(text, key)
    shown = (encode_cookie(text), quote(encode_cookie(text), ""), quote(text, ""))
    assert {decode_cookie(value) for value in shown} == {text.encode()}


@settings(max_examples=50)
@given(TICKETS, KEYS, st.integers(0), st.integers(1, 255))
def test_no_octet_can_be_another(
    ticket: Ticket, key: TicketKey, place: int, change: int
) -> None:
    """Only in a user that is URL-encoded can an escape have other letters."""
    assume(key.user != "pyramid" or "userid_type:" not in ticket.udata)
    text = bytearray(sign(ticket, key, ip=IP).encode())
    text[place % len(text)] ^= change
    try:
        read = verify(bytes(text), key, ip=IP)
    except TicketError:
        return
    assert key.user != "plain"
    assert read == ticket


@settings(max_examples=50)
@given(TICKETS, st.sampled_from(DIGESTS), st.integers(0), st.integers(1, 127))
def test_no_letter_of_a_cookie_can_be_another(
    ticket: Ticket, digest: Digest, place: int, change: int
) -> None:
    key = TicketKey(secret=SECRET, digest=digest)
    value = encode_cookie(sign(ticket, key))
    place %= len(value)
    other = value[:place] + chr(ord(value[place]) ^ change) + value[place + 1 :]
    octets = decode_cookie(other)
    if octets is not None and place not in {0, len(value) - 1}:  # quotes are taken off
        with pytest.raises(TicketError):
            verify(octets, key)


@settings(max_examples=150)
@given(ALIKE, ALIKE, st.sampled_from(["packed", "text"]), FEW, FEW)
def test_two_tickets_never_have_the_same_octets_under_their_digest(
    one: Ticket, two: Ticket, form: IPv6Form, here: str, there: str
) -> None:
    """The format has no other mark between the parts than NUL, and no lengths."""
    key = TicketKey(secret=SECRET, ipv6=form)
    assume((":" in here) == (":" in there))
    assume((one, here) != (two, there))
    assert signed_octets(one, key, ip=here) != signed_octets(two, key, ip=there)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({"tokens": ("a",), "udata": "b"}, {"udata": "a!b"}),
        ({"uid": "al", "tokens": ("ice",)}, {"uid": "alice"}),
        ({"tokens": ("a", "b")}, {"tokens": ("a",), "udata": "b"}),
        ({"tokens": ("x",)}, {"udata": "x"}),
    ],
)
def test_no_text_moves_from_one_field_to_another(
    one: dict[str, Any], two: dict[str, Any]
) -> None:
    first, second = attrs.evolve(ALICE, **one), attrs.evolve(ALICE, **two)
    assert sign(first, KEY)[:32] != sign(second, KEY)[:32]


def test_an_address_of_ipv6_ends_where_the_time_begins() -> None:
    """Else ::1 at 1234567890 was ::11 at 234567890."""
    key = TicketKey(secret=SECRET, ipv6="text")
    sign(attrs.evolve(ALICE, timestamp=1_234_567_890), key, ip="::1")
    early = attrs.evolve(ALICE, timestamp=234_567_890)
    with pytest.raises(TicketError) as raised:
        sign(early, key, ip="::11")
    assert raised.value.reason == "ticket-time"
    assert sign(early, KEY, ip="::11")


@settings(max_examples=50)
@given(st.binary(max_size=200))
def test_anything_at_all_is_a_ticket_or_refused(octets: bytes) -> None:
    for text in (octets, made(octets)):
        for user in ("plain", "quoted", "pyramid"):
            key = attrs.evolve(KEY, user=user)
            try:
                verify(text, key)
            except TicketError as e:
                assert e.reason.startswith("ticket-")  # noqa: PT017


@settings(max_examples=50)
@given(st.text(st.characters(max_codepoint=255), max_size=80))
def test_anything_at_all_may_stand_in_a_cookie(value: str) -> None:
    octets = decode_cookie(value)
    assert octets is None or isinstance(octets, bytes)


@pytest.mark.parametrize(
    ("body", "tokens", "udata"),
    [
        (b"alice!", (), ""),
        (b"alice!!", (), ""),
        (b"alice!data", (), "data"),
        (b"alice!!data", (), "data"),
        (b"alice!!da!ta", (), "da!ta"),
        (b"alice!a,b!", ("a", "b"), ""),
        (b"alice!a,,b,!d!e", ("a", "b"), "d!e"),
    ],
)
def test_fields_end_where_mod_auth_tkt_says(
    body: bytes, tokens: tuple[str, ...], udata: str
) -> None:
    ticket = verify(made(body), KEY)
    assert (ticket.uid, ticket.tokens, ticket.udata) == ("alice", tokens, udata)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "ticket-signature"),
        (made(b"alice"), "ticket-signature"),
        (made(b"alice!")[:39], "ticket-signature"),
        (made(b"alice!").upper(), "ticket-signature"),
        (made(b"alice!")[:32] + b"6B49D200alice!", "ticket-signature"),
        (made(b"alice!")[:32] + b" b49d200alice!", "ticket-signature"),
        (made(b"alice!")[:32] + b"0x49d200alice!", "ticket-signature"),
        (made(b"alice!").replace(b"alice", b"admin"), "ticket-signature"),
        (made(b"alice!").replace(b"6b49d200", b"6b49d201"), "ticket-signature"),
        (b"0" * 32 + made(b"alice!")[32:], "ticket-signature"),
        (made(b"alice!")[:31] + LAST + made(b"alice!")[32:], "ticket-signature"),
        (made(b"a\0b!"), "ticket-signature"),
        (made(b"!"), "ticket-uid"),
        (made(b"!tokens!data"), "ticket-uid"),
        (made(b"a\r\nb!"), "ticket-control"),
        (made(b"a!x\ty!"), "ticket-control"),
        (made(b"a!\x7f"), "ticket-control"),
        (made(b"jos\xe9!"), "ticket-encoding"),
        (made(b"a!" + b"d" * LONGEST), "ticket-long"),
    ],
)
def test_what_is_no_good_ticket_is_refused(text: bytes, reason: str) -> None:
    assert refusal(text) == reason


def test_a_ticket_has_an_end() -> None:
    body = b"a!" + b"d" * (LONGEST - 42)
    assert len(made(body)) == LONGEST
    verify(made(body), KEY)
    with pytest.raises(TicketError) as raised:
        sign(attrs.evolve(ALICE, udata="d" * LONGEST), KEY)
    assert raised.value.reason == "ticket-long"


def test_each_digest_is_good_for_itself_alone() -> None:
    keys = [TicketKey(secret=SECRET, digest=digest) for digest in DIGESTS]
    texts = [sign(ALICE, key) for key in keys]
    for key, own in zip(keys, texts, strict=True):
        assert [text for text in texts if _is_good(text, key)] == [own]


def _is_good(text: str, key: TicketKey) -> bool:
    try:
        verify(text, key)
    except TicketError:
        return False
    return True


@pytest.mark.parametrize(
    ("made_for", "shown_by", "good"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        (ANYWHERE, "192.0.2.1", False),
        ("192.0.2.1", ANYWHERE, False),
        ("2001:db8::1", "2001:DB8:0::1", True),
        ("2001:db8::1", "2001:db8::2", False),
    ],
)
@pytest.mark.parametrize("form", ["packed", "text"])
def test_a_ticket_is_good_from_its_address_alone(
    form: IPv6Form, made_for: str, shown_by: str, *, good: bool
) -> None:
    key = TicketKey(secret=SECRET, ipv6=form)
    text = sign(ALICE, key, ip=made_for)
    if good:
        assert verify(text, key, ip=shown_by) == ALICE
    else:
        assert refusal(text, key, ip=shown_by) == "ticket-signature"


def test_who_has_no_address_has_no_ticket() -> None:
    assert refusal(sign(ALICE, KEY), ip="unix") == "ticket-address"


@pytest.mark.parametrize(
    "change",
    [
        {"uid": ""},
        {"uid": "a!b"},
        {"uid": "a\0b"},
        {"uid": "line\nfeed"},
        {"tokens": ("a,b",)},
        {"tokens": ("a!b",)},
        {"tokens": ("",)},
        {"udata": "line\nfeed"},
        {"timestamp": -1},
        {"timestamp": LATEST + 1},
    ],
)
def test_what_no_ticket_can_say_is_not_signed(change: dict[str, Any]) -> None:
    with pytest.raises(TicketError):
        sign(attrs.evolve(ALICE, **change), KEY)


def test_octets_are_characters_as_they_are_said_to_be() -> None:
    key = attrs.evolve(KEY, encoding="latin-1")
    assert verify(made(b"jos\xe9!"), key).uid == "josé"
    text = sign(attrs.evolve(ALICE, uid="josé"), key)
    assert decode_cookie(encode_cookie(text, encoding="latin-1")) == text.encode(
        "latin-1"
    )
    with pytest.raises(TicketError, match="beyond latin-1"):
        sign(attrs.evolve(ALICE, uid="Ω"), key)


@pytest.mark.parametrize(
    ("value", "octets"),
    [
        ("a!b", b"a!b"),
        ('"a!b"', b"a!b"),
        ("a%20!b", b"a%20!b"),
        ("a%20%21b", b"a !b"),
        ("a%zz%21b", None),
        ("YSFi", b"a!b"),
        ('"YSFi"', b"a!b"),
        ("YSE=", b"a!"),
        ("YSE", b"a!"),
        ("YSE%3D", b"a!"),
        ("YSF=", None),
        ("YSE==", None),
        ("YSE=YSE=", None),
        ("YSFiY", None),
        ("YSFi!", b"YSFi!"),
        ("YSFi\n", None),
        ("YSF-", None),
        ("", None),
        ('"', None),
        ('"a\\054b!\\"', b"a,b!\\"),
        ("a\\054b!", b"a\\054b!"),
    ],
)
def test_cookies_are_written_in_three_ways(value: str, octets: bytes | None) -> None:
    assert decode_cookie(value) == octets


@pytest.mark.parametrize(
    ("body", "uid"),
    [
        (b"alice!!", "alice"),
        (b"alice!!a|b", "alice"),
        (b"alice!!userid_type:unicode", "alice"),
        (b"-42!!userid_type:int|x", "-42"),
        (b"YWxpY2U%3D!!userid_type:b64str", "alice"),
        (b"4_2!!userid_type:int", None),
        (b"+1!!userid_type:int", None),
        (b"alice!!userid_type:b64unicode", None),
        (b"/w==!!userid_type:b64unicode", None),
        (b"Cg==!!userid_type:b64unicode", None),
        (b"!!userid_type:b64unicode", None),
        (b"alice!!userid_type:float", None),
        (b"alice!!userid_type:unicode|userid_type:unicode", None),
    ],
)
def test_a_user_is_of_the_type_that_the_data_say(body: bytes, uid: str | None) -> None:
    key = attrs.evolve(KEY, user="pyramid")
    text = b"0" * 32 + b"6b49d200" + body
    if uid is None:
        with pytest.raises(TicketError):
            parse(text, key)
    else:
        assert parse(text, key).uid == uid


def test_no_secret_is_shown() -> None:
    assert "secret that" not in repr(KEY)


def test_base64_is_what_perl_writes() -> None:
    assert encode_cookie("a!b") == b64encode(b"a!b").decode()
