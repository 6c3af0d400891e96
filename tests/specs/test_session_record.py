"""Records of sessions, of this release and of others."""

import json

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.model import Identity
from sso_proxy.session import Session
from sso_proxy.specs.session_record import FORMAT, read_record, write_record

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=8), JSON, max_size=4)
TIMES = st.floats(0, 1e11)
IDENTITIES = st.builds(
    Identity,
    issuer=st.text(max_size=20),
    subject=st.text(max_size=20),
    authenticator=st.text(max_size=10),
    claims=OBJECTS,
    scopes=st.frozensets(st.text(max_size=5), max_size=3),
    confirmation=OBJECTS,
    expires=st.none() | TIMES,
    sources=st.dictionaries(st.text(max_size=5), OBJECTS, max_size=2),
)
SESSIONS = st.builds(
    Session,
    id=st.text(max_size=43),
    identity=IDENTITIES,
    created=TIMES,
    used=TIMES,
    expires=TIMES,
    data=OBJECTS,
    revision=st.integers(0, 2**40),
    keys=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
    extra=OBJECTS.map(lambda members: {"x-" + name: v for name, v in members.items()}),
)
SESSION = Session(
    id="id",
    identity=Identity(
        issuer="https://op.example",
        subject="alice",
        authenticator="corp",
        claims={"acr": "2", "auth_time": 5, "amr": ["pwd"]},
        scopes=frozenset({"openid"}),
        confirmation={"jkt": "x"},
    ),
    created=1.0,
    used=2.5,
    expires=3.0,
    data={"access_token": "secret-token"},
)


def record(**changes: object) -> bytes:
    return json.dumps({**json.loads(write_record(SESSION)), **changes}).encode()


@given(SESSIONS)
def test_what_is_written_is_read(session: Session) -> None:
    assert read_record(write_record(session)) == session


def test_what_a_newer_release_has_added_is_kept() -> None:
    """An older one that writes the record anew must not take it away."""
    session = read_record(record(device="d", weight={"a": [1]}))
    assert session.extra == {"device": "d", "weight": {"a": [1]}}
    later = attrs.evolve(session, used=4.0)
    assert json.loads(write_record(later))["device"] == "d"


def test_claims_that_two_sources_agree_on_are_written_once() -> None:
    """Sessions in cookies have little room."""
    claims = {"name": "Alice of the Long Name", "email": "a@example.com"}
    userinfo = {"name": "Alice of the Long Name", "email": "other@example.com"}
    sources = {"id_token": claims, "userinfo": userinfo}
    identity = attrs.evolve(SESSION.identity, claims=claims, sources=sources)
    octets = write_record(attrs.evolve(SESSION, identity=identity))
    assert octets.count(b"Long Name") == 1
    assert read_record(octets).identity.sources == sources


def test_true_in_one_source_stays_true_if_it_is_1_in_another() -> None:
    sources = {"userinfo": {"email_verified": True}}
    claims = {"email_verified": 1}
    identity = attrs.evolve(SESSION.identity, claims=claims, sources=sources)
    octets = write_record(attrs.evolve(SESSION, identity=identity))
    found = read_record(octets).identity.sources["userinfo"]["email_verified"]
    assert found is True


def test_a_record_from_before_there_were_sources_is_read() -> None:
    members = json.loads(record())
    del members["sources"]
    assert read_record(json.dumps(members).encode()) == SESSION


def test_nothing_added_takes_the_place_of_what_is_known() -> None:
    session = attrs.evolve(SESSION, extra={"sub": "mallory", "f": 0})
    assert read_record(write_record(session)).identity.subject == "alice"


def test_who_does_not_know_of_keys_does_not_read_what_is_bound_to_them() -> None:
    """A release from before there were any would let whoever has the cookie in."""
    assert json.loads(write_record(SESSION))["f"] == 1
    assert "keys" not in json.loads(write_record(SESSION))
    bound = attrs.evolve(SESSION, keys={"certificate": "x"})
    assert json.loads(write_record(bound))["f"] == 2


def test_a_later_format_is_not_read() -> None:
    with pytest.raises(ValueError, match="later format"):
        read_record(record(f=FORMAT + 1))


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100000,
        record(f=None),
        record(f=True),
        record(f=-1),
        record(sub=None),
        record(used="1"),
        record(used=float("nan")),
        record(ends=True),
        record(claims=[]),
        record(scopes="a"),
        record(scopes=[1]),
        record(until="x"),
        record(rev=1.5),
        record(rev=-1),
        record(data=None),
        record(sources=[]),
        record(keys=[]),
        record(keys=None),
        record(keys={"certificate": 1}),
        record(sources={"id_token": {}}),
        record(sources={"id_token": [["acr"]]}),
        record(sources={"id_token": [["not-there"], {}]}),
        record(sources={"id_token": [[["acr"]], {}]}),
        record(sources={"id_token": [["acr"], 1]}),
        record(sources={"id_token": [1, {}]}),
    ],
)
def test_what_is_no_record_is_not_read(octets: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_record(octets)


def test_no_secret_is_shown() -> None:
    shown = repr(attrs.evolve(SESSION, extra={"later": "secret-token"}))
    assert "secret-token" not in shown
    assert "pwd" not in shown


@pytest.mark.parametrize("claim", [float("nan"), float("inf"), {1, 2}, b"x"])
def test_what_is_no_json_is_not_written(claim: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        write_record(attrs.evolve(SESSION, data={"claim": claim}))
