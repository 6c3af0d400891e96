"""What is translated of Apache's requirements is true for whom Apache lets in."""

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sso_proxy.authz.compiling import compile_tree
from sso_proxy.authz.facts import NOTHING
from sso_proxy.model import Identity, Request
from sso_proxy.specs.apache_conditions import (
    FALSE,
    TRUE,
    Condition,
    TooLargeError,
    write,
    write_each,
)
from sso_proxy.specs.apache_config import read_apache_config
from sso_proxy.specs.apache_require import Login, Translator, requires
from sso_proxy.specs.expression import parse
from sso_proxy.testing.fakes import make_identity, make_request


def translate(text: str, login: Login | None = None) -> tuple[Condition, list[str]]:
    translator = Translator(login or Login())
    found = translator.translate(read_apache_config(text), "requireany").granted
    return found, [each.kind for each in translator.findings]


def holds(condition: Condition, who: Identity, what: Request) -> bool:
    if condition in {TRUE, FALSE}:
        return condition == TRUE
    return compile_tree(parse(write(condition)), NOTHING)(who, what) is True


def is_granted(
    text: str,
    login: Login | None = None,
    request: Request | None = None,
    **claims: Any,  # noqa: ANN401
) -> bool:
    found, _ = translate(text, login)
    return holds(found, make_identity(claims=claims), request or make_request())


@pytest.mark.parametrize(
    ("text", "claims", "granted"),
    [
        ("claim a:b", {"a": "b"}, True),
        ("claim a:b", {"a": ["x", "b"]}, True),
        ("claim a:b", {"a": "c"}, False),
        ("claim a:b", {}, False),
        ("claim a:b c:d", {"c": "d"}, True),
        ("claim a:3", {"a": 3}, True),
        ("claim a:3", {"a": "3"}, True),
        ("claim a:true", {"a": True}, True),
        ("claim a:true", {"a": "true"}, True),
        ("claim a:false", {"a": True}, False),
        ("claim a.b:c", {"a": {"b": "c"}}, True),
        ("claim a.b:c", {"a.b": "c"}, True),
        ("claim a:b@c.d.e.f.g.h.i.j", {"a": "b@c.d.e.f.g.h.i.j"}, True),
        ("claim a.b.c:d", {"a": {"b.c": "d"}}, True),
        (
            "claim https://x.example/role:admin",
            {"https://x.example/role": "admin"},
            True,
        ),
        ('claim "a:b c"', {"a": "b c"}, True),
        ("claim a~^b+$", {"a": "bbb"}, True),
        ("claim a~^b+$", {"a": ["x", "b"]}, True),
        ("claim a~b", {"a": "abc"}, True),
        ("claim a~b|c", {"a": "xxc"}, True),
        ("claim scope~(^|\\s)x($|\\s)", {"scope": "w x y"}, True),
        ("claim scope~(^|\\s)x($|\\s)", {"scope": "w xy"}, False),
        ("oauth2_claim a:b", {"a": "b"}, True),
        ("user alice bob", {}, True),
        ("user bob", {}, False),
        ("valid-user", {}, True),
        ("method GET", {}, True),
        ("method HEAD", {}, True),
        ("method POST PUT", {}, False),
        ("ip 192.0.2", {}, True),
        ("ip 192.0.2.0/255.255.255.0 10", {}, True),
        ("ip 2001:db8::/32", {}, False),
        ("local", {}, False),
        ("ssl", {}, True),
        ("all granted", {}, True),
        ("all denied", {}, False),
    ],
)
def test_a_requirement_is_translated(
    text: str, claims: dict[str, Any], *, granted: bool
) -> None:
    assert is_granted(f"Require {text}", **claims) is granted
    negated = f"<RequireAll>\nRequire all granted\nRequire not {text}\n</RequireAll>"
    assert is_granted(negated, **claims) is not granted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "all",
        "group staff",
        "host example.com",
        "env x",
        "expr true",
        "ldap-group x",
        "claims_expr '.a'",
        "claim",
        "claim a",
        "claim :b",
        "claim a~(?=b)",
        "claim a~(",
        "claim a:%{HTTP_HOST}",
        "claim a'b:c",
        "claim a:\x01",
        "claim " + "a." * 40 + "b:c",
        "ip example.com",
        "ip 10.0.0.1/8",
        "method get",
        "user",
        "no-such-provider",
    ],
)
def test_what_cannot_be_translated_lets_nobody_in(text: str) -> None:
    """Not even if it is negated."""
    found, kinds = translate(f"Require {text}")
    assert (found, kinds) == (FALSE, ["unsupported"])
    none = f"<RequireNone>\nRequire {text}\n</RequireNone>"
    for whole in (
        f"<RequireAll>\nRequire all granted\nRequire not {text}\n</RequireAll>",
        f"<RequireAll>\nRequire all granted\n{none}\n</RequireAll>",
        f"<RequireAll>\nRequire valid-user\nRequire {text}\n</RequireAll>",
    ):
        assert translate(whole)[0] == FALSE


def test_other_ways_in_stay_open() -> None:
    assert is_granted("Require env x\nRequire claim a:b", a="b")


def test_sections_that_hold_for_some_requests_let_nobody_in() -> None:
    text = "<RequireAll>\nRequire all granted\n<If x>\nRequire all granted\n</If>\n"
    assert translate(f"{text}</RequireAll>")[0] == FALSE


@pytest.mark.parametrize(
    ("login", "user", "granted"),
    [
        (Login(), "alice", True),
        (Login(with_issuer=True), "alice@login.example.com", True),
        (Login(with_issuer=True), "alice@other.example.com", False),
        (Login(with_issuer=True), "alice", False),
        (Login(claim="email"), "a@b.example", True),
        (Login(claim="email"), "alice", False),
        (Login(known=False), "alice", False),
    ],
)
def test_users_are_called_as_apache_calls_them(
    login: Login, user: str, *, granted: bool
) -> None:
    assert is_granted(f"Require user {user}", login, email="a@b.example") is granted


def test_nobody_in_particular_is_no_valid_user() -> None:
    found, _ = translate("Require valid-user")
    nobody = make_identity("anonymous", issuer="anonymous")
    assert not holds(found, nobody, make_request())


def test_sections_in_sections_have_an_end() -> None:
    """Each may say the same twice, of what is inside."""
    text = "Require claim a:b"
    for _ in range(30):
        text = f"<RequireAll>\nRequire not claim c:d\n{text}\n</RequireAll>"
        text = f"<RequireNone>\nRequire claim e:f\n{text}\n</RequireNone>"
    translator = Translator(Login())
    with pytest.raises(ValueError, match=r"nested too deep|more than a rule"):
        translator.translate(read_apache_config(text), "requireany")
    assert len(translator.findings) < 100


def test_conditions_stand_one_in_a_line() -> None:
    text = "<RequireAll>\nRequire claim a:b\nRequire ip 10\n</RequireAll>"
    found, _ = translate(text)
    assert write_each(found) == (
        "any(claims.a == 'b', claims.a contains 'b')",
        "client in ['10.0.0.0/8']",
    )
    assert write_each(TRUE) == ()


def test_what_requires_something_is_found_inside() -> None:
    assert requires(read_apache_config("<If x>\nRequire ip 10\n</If>"))
    assert not requires(read_apache_config("AuthType oauth2"))


# Apache's own rules, word for word

LEAVES = ("a:b", "a:1", "a:true", "c:x", "c~^x")
TREES = st.recursive(
    st.sampled_from(LEAVES),
    lambda below: st.tuples(
        st.sampled_from(["RequireAll", "RequireAny", "RequireNone"]),
        st.lists(st.tuples(st.booleans(), below), min_size=1, max_size=3),
    ),
    max_leaves=8,
)
VALUES = st.one_of(
    st.sampled_from(["b", "1", "true", "x", "xy", "other"]),
    st.integers(0, 2),
    st.booleans(),
    st.lists(st.sampled_from(["b", 1, True, "x", "other"]), max_size=2),
)


def render(tree: Any, negated: bool = False) -> str:  # noqa: ANN401, FBT001, FBT002
    if isinstance(tree, str):
        return f"Require {'not ' if negated else ''}claim {tree}"
    kind, parts = tree
    inside = "\n".join(render(part, flag) for flag, part in parts)
    return f"<{kind}>\n{inside}\n</{kind}>"


def matches(spec: str, each: object) -> bool:
    sign, value = spec[1], spec[2:]
    if sign == "~":
        return isinstance(each, str) and each.startswith("x")
    if isinstance(each, bool):
        return value == str(each).lower()
    if isinstance(each, int):
        return each == (int(value) if value.isdigit() else 0)
    return each == value


def naive(tree: Any, claims: dict[str, Any]) -> str:  # noqa: ANN401
    """Give granted, denied or neutral, as mod_authz_core does."""
    if isinstance(tree, str):
        given = claims.get(tree[0])
        elements = given if isinstance(given, list) else [given]
        return "granted" if any(matches(tree, e) for e in elements) else "denied"
    kind, parts = tree
    negative = {"granted": "denied", "denied": "neutral", "neutral": "neutral"}
    answers = [
        (flag and isinstance(part, str), naive(part, claims)) for flag, part in parts
    ]
    found = [negative[answer] if flag else answer for flag, answer in answers]
    if kind == "RequireNone":
        return "denied" if "granted" in found else "neutral"
    order = ("denied", "granted") if kind == "RequireAll" else ("granted", "denied")
    return next((answer for answer in order if answer in found), "neutral")


@given(
    tree=TREES,
    claims=st.fixed_dictionaries({}, optional={"a": VALUES, "c": VALUES}),
)
@settings(max_examples=60)
def test_who_gets_in_is_whom_apache_lets_in(tree: Any, claims: dict[str, Any]) -> None:  # noqa: ANN401
    try:
        found, _ = translate(render(tree))
    except TooLargeError:
        assume(False)
    ours = holds(found, make_identity(claims=claims), make_request())
    theirs = naive(tree, claims) == "granted"
    assert not ours or theirs
    # A number is compared with what is none as if that were 0; so nobody gets in by 0.
    assume(not any(each == 0 and each is not False for each in claims.values()))
    assert ours is theirs
