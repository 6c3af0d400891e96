"""What is told of a session is what was chosen, whatever is in it."""

import json
from typing import Any, get_args

import attrs
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.config.route_parts import Shown
from sso_proxy.model import Identity
from sso_proxy.session import Session
from sso_proxy.specs.session_info import build_session_info, write_plain_json
from sso_proxy.testing.fakes import make_identity

NAMES = get_args(Shown)
CLAIMS = ("sub", "email", "groups", "nonce")
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
TIMES = st.floats(0, 4e9)
MEMBERS = {
    "remote_user": {"remote_user"},
    "scope": {"scope"},
    "times": {"created", "expires", "inactive_at"},
    "access_token_expires": {"access_token_expires"},
    "id_token": {"id_token"},
    "userinfo": {"userinfo"},
    "access_token": {"access_token", "token_type"},
}


def marked(what: str) -> dict[str, Any]:
    """Give claims that say where they are from."""
    return {name: f"secret-{what}-{name}" for name in CLAIMS}


SESSION = Session(
    id="secret-id",
    identity=Identity(
        issuer="secret-issuer",
        subject="secret-subject",
        authenticator="secret-authenticator",
        claims=marked("claims"),
        scopes=frozenset({"secret-scope"}),
        sources={
            "id_token": marked("id_token"),
            "userinfo": marked("userinfo"),
            "others": marked("others"),
        },
    ),
    created=1.9,
    used=2.9,
    expires=3.9,
    data={
        "access_token": "secret-access_token",
        "refresh_token": "secret-refresh",
        "id_token": "secret-jwt",
        "sid": "secret-sid",
        "access_expires": 9.9,
        "token_type": "DPoP",
        "anything": "secret-anything",
    },
    extra={"more": "secret-extra"},
)


def tell(show: set[str], claims: set[str], session: Session = SESSION) -> Any:  # noqa: ANN401
    told = build_session_info(
        session, "secret-remote_user", show=show, claims=claims, inactive_at=2.5
    )
    return json.loads(write_plain_json(told))


def secrets_of(value: object) -> set[str]:
    text = json.dumps(value)
    return {part.partition('"')[0] for part in text.split("secret-")[1:]}


@given(
    show=st.sets(st.sampled_from(NAMES)),
    claims=st.sets(st.sampled_from(CLAIMS)),
    others=st.sets(st.sampled_from([*NAMES, *CLAIMS]) | st.text(max_size=8)),
)
def test_nothing_is_told_that_was_not_chosen(
    show: set[str], claims: set[str], others: set[str]
) -> None:
    """Whatever an authenticator keeps, and whatever else a provider says."""
    session = attrs.evolve(
        SESSION,
        data={**dict.fromkeys(others, "secret-data"), **SESSION.data},
        identity=attrs.evolve(
            SESSION.identity,
            claims={**dict.fromkeys(others, "secret-claim"), **marked("claims")},
        ),
    )
    told = tell(show, claims, session)
    members = {member for name in show for member in MEMBERS[name]}
    assert set(told) == members | ({"claims"} if claims else set())

    allowed = show & {"remote_user", "scope", "access_token"}
    allowed |= {f"claims-{name}" for name in claims}
    for source in show & {"id_token", "userinfo"}:
        allowed |= {f"{source}-{name}" for name in CLAIMS}
    assert secrets_of(told) == allowed


def test_every_name_is_known_here() -> None:
    assert set(MEMBERS) == set(NAMES)


@given(
    created=TIMES,
    expires=TIMES,
    inactive_at=TIMES,
    access_expires=st.none() | TIMES | st.integers(0, 2**40),
)
def test_times_are_whole_numbers_and_never_later_than_true(
    created: float,
    expires: float,
    inactive_at: float,
    access_expires: float | None,
) -> None:
    session = Session(
        id="x",
        identity=make_identity(),
        created=created,
        used=created,
        expires=expires,
        data={"access_expires": access_expires},
    )
    told = build_session_info(
        session, "", show=NAMES, claims=(), inactive_at=inactive_at
    )
    for name, exact in (
        ("created", created),
        ("expires", expires),
        ("inactive_at", inactive_at),
        ("access_token_expires", access_expires),
    ):
        if exact is None:
            assert name not in told
        else:
            assert type(told[name]) is int
            assert told[name] <= exact < told[name] + 1


@given(
    st.recursive(
        LEAVES,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text(max_size=5), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_no_browser_finds_a_tag_and_the_value_comes_back(value: object) -> None:
    octets = write_plain_json({"claims": {"x": value, "y": "</script><!--&\u2028"}})
    assert octets.isascii()
    assert not set(b"<>&") & set(octets)
    assert json.loads(octets)["claims"]["x"] == value
