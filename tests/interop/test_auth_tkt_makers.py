"""Tickets of the libraries that make them are read, and ours by them."""

from base64 import b64encode

import attrs
import pytest
from auth_tkt.ticket import AuthTkt, validate

from sso_proxy.specs.auth_tkt import (
    ANYWHERE,
    DIGESTS,
    Digest,
    Ticket,
    TicketKey,
    decode_cookie,
    encode_cookie,
    sign,
    verify,
)
from sso_proxy.specs.pubtkt_keys import TicketError
from tests.support import auth_tkt_desk

SECRET = auth_tkt_desk.SECRET.encode()
KEY = TicketKey(secret=SECRET)
ALICE = Ticket(uid="alice", timestamp=1_800_000_000)
IP = "192.0.2.1"


@pytest.mark.parametrize("digest", DIGESTS)
def test_another_library_and_ours_take_each_others_tickets(digest: Digest) -> None:
    key = TicketKey(secret=SECRET, digest=digest)
    ticket = Ticket(uid="josé", timestamp=ALICE.timestamp, tokens=("a", "b"), udata="d")
    others = AuthTkt(
        SECRET.decode(), "josé", "d", IP, ("a", "b"), ts=ALICE.timestamp, digest=digest
    )
    octets = decode_cookie(others.ticket())
    assert octets is not None
    assert verify(octets, key, ip=IP) == ticket
    ours = encode_cookie(sign(ticket, key, ip=IP))
    assert validate(ours, SECRET.decode(), IP, timeout=0, digest=digest).uid == "josé"


FROM_PHP = b64encode(
    b"846935773f9bd92796cf0644d39e87526b49d200alice!staff,x!some data"
).decode()


@pytest.mark.parametrize(
    ("value", "tokens", "udata"),
    [
        (FROM_PHP, ("staff", "x"), "some data"),
        (
            "MWIwNWVmNDcyN2JmZmYzYWQyZjIwMDBhM2FkOThkMDQ2YjQ5ZDIwMGFsaWNlIQ%3D%3D",
            (),
            "",
        ),
        ("ZjA5MTBlYjc2NDQ1Zjc2NWNhMmZmMGQ4MzkxNjM1NDg2YjQ5ZDIwMGFsaWNlIWQ%3D", (), "d"),
    ],
)
def test_the_tickets_of_the_code_for_php_are_read(
    value: str, tokens: tuple[str, ...], udata: str
) -> None:
    """Made with PHP 8.2 and what mod_auth_tkt has for it; setcookie() writes %3D."""
    octets = decode_cookie(value)
    assert octets is not None
    expected = attrs.evolve(ALICE, tokens=tokens, udata=udata)
    assert verify(octets, KEY, ip=IP) == expected


PASTE = "j.%20smith%40example.com!staff,x!some data"
MARKS = {
    "md5": "227565cdf5a323756f077f525529e1b1",
    "sha256": "d4092eebe58917543eb3e8f72cda1b3601254ab2dad5dea572a71630afd398e7",
    "sha512": "5ba6d51222a09ac5c8dd27773716f9d729207c0d17588251da140e7a426047f8"
    "390672c699cbf2d4d2a272ac0621a6ccc1ade63f7693ea2bbc3f693e6ff92f34",
}
"""Digests of Paste 3.10."""


@pytest.mark.parametrize("digest", DIGESTS)
def test_pastes_tickets_have_quoted_users(digest: Digest) -> None:
    key = TicketKey(secret=SECRET, digest=digest, user="quoted")
    text = MARKS[digest] + "6b49d200" + PASTE
    ticket = verify(text, key, ip=IP)
    assert ticket == Ticket(
        uid="j. smith@example.com",
        timestamp=0x6B49D200,
        tokens=("staff", "x"),
        udata="some data",
    )
    assert sign(ticket, key, ip=IP) == text
    with pytest.raises(TicketError):
        verify(text, attrs.evolve(key, user="plain"), ip=IP)


def test_in_quoted_users_there_may_be_what_ends_plain_ones() -> None:
    text = "5ff3c4706a55e1aaf60882500c4f24516b49d200al%21ice!t!d!e"  # of Paste
    ticket = verify(text, attrs.evolve(KEY, user="quoted"), ip=IP)
    assert (ticket.uid, ticket.tokens, ticket.udata) == ("al!ice", ("t",), "d!e")


PYRAMID = {
    "josé": (
        '"0c5b54c5c3ff5c97e670fb956570795f3b0cc3f29de1e988d5b24ae694e6dadd0a832fa0e6bec9'
        "35b923c8b5d16dd1acb1a95e40736f1220c6fbe4709a0afcaa6b49d200am9zw6k%3D"
        '!staff\\054x!userid_type:b64unicode"'
    ),
    "42": (
        '"2cdd9b454aaeb85e9ee6e3abe00cc857c8902f2510fa0aec9f2b273fb30df337a0f34d93bdf85e'
        "fb095fc3699cf2021c5644c99d6b0270984cdb82987f681a176b49d20042"
        '!staff\\054x!userid_type:int"'
    ),
    "al/ice?": (
        '"d959706bab74846d6df06316dde4f0286b49d200YWwvaWNlPw%3D%3D'
        '!staff\\054x!userid_type:b64unicode"'
    ),
}
"""Values of cookies of Pyramid 2.1."""


@pytest.mark.parametrize(
    ("uid", "digest", "ip"),
    [
        ("josé", "sha512", IP),
        ("42", "sha512", "2001:db8::1"),
        ("al/ice?", "md5", ANYWHERE),
    ],
)
def test_pyramids_tickets_have_users_of_types(
    uid: str, digest: Digest, ip: str
) -> None:
    key = TicketKey(secret=SECRET, digest=digest, ipv6="text", user="pyramid")
    octets = decode_cookie(PYRAMID[uid])
    assert octets is not None
    ticket = verify(octets, key, ip=ip)
    assert ticket == Ticket(
        uid=uid, timestamp=0x6B49D200, tokens=("staff", "x"), udata=""
    )
    if uid != "42":
        assert sign(ticket, key, ip=ip).encode() == octets
