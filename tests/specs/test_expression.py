"""Tests for `sso_proxy.specs.expression`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.expression import parse
from sso_proxy.specs.expression_times import Moment, read_window
from sso_proxy.specs.expression_tokens import ExpressionError
from sso_proxy.specs.expression_tree import (
    NOW,
    All,
    Any,
    AuthAge,
    CellOperand,
    ClaimOperand,
    Comparison,
    Exists,
    FactOperand,
    Member,
    Node,
    Not,
    PartOperand,
    Scope,
    Value,
    Within,
    children,
)

METHOD = FactOperand("method")
A, B, C = Scope("a"), Scope("b"), Scope("c")


def claim(*path: str) -> ClaimOperand:
    return ClaimOperand(path)


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("scope:orders.read", Scope("orders.read")),
        ("scope:https://example.com/a:b", Scope("https://example.com/a:b")),
        ("scope:'a(b),c'", Scope("a(b),c")),
        ("method == GET", Comparison(METHOD, "==", ("GET",))),
        ("method == 'get'", Comparison(METHOD, "==", ("get",))),
        ("method in [GET, HEAD]", Comparison(METHOD, "in", ("GET", "HEAD"))),
        ("claims.a == 'x'", Comparison(claim("a"), "==", ("x",))),
        ('claims.a.b == "x"', Comparison(claim("a", "b"), "==", ("x",))),
        ("claims.'a b' == -5", Comparison(claim("a b"), "==", (-5,))),
        ("claims.a!=true", Comparison(claim("a"), "==", (True,), negated=True)),
        ("claims.in in ['not', 'in']", Comparison(claim("in"), "in", ("not", "in"))),
        ("claims.a not in [1]", Comparison(claim("a"), "in", (1,), negated=True)),
        ("claims.a contains 'b'", Comparison(claim("a"), "contains", ("b",))),
        ("claims.a not contains 1", Comparison(claim("a"), "contains", (1,), True)),
        (
            r"subject == 'it\'s \\'",
            Comparison(FactOperand("subject"), "==", ("it's \\",)),
        ),
        ("acr == 'gold'", Comparison(FactOperand("acr"), "==", ("gold",))),
        ("acr in ['a', 'urn:b']", Comparison(FactOperand("acr"), "in", ("a", "urn:b"))),
        ("auth_age <= 300", AuthAge(300)),
        ("not auth_age<=0", Not(AuthAge(0))),
        ("exists claims.a.b", Exists(claim("a", "b"))),
        ("id_token.a == 1", Comparison(ClaimOperand(("a",), "id_token"), "==", (1,))),
        ("exists userinfo.a.b", Exists(ClaimOperand(("a", "b"), "userinfo"))),
        ("exists token.'a b'", Exists(ClaimOperand(("a b",), "token"))),
        ("exists certificate.subject", Exists(FactOperand("certificate.subject"))),
        ("host == 'a'", Comparison(FactOperand("host"), "==", ("a",))),
        ("path.id == 'x'", Comparison(PartOperand("id"), "==", ("x",))),
        ("path like '/a/*'", Comparison(FactOperand("path"), "like", ("/a/*",))),
        (
            "path not starts with '/a'",
            Comparison(FactOperand("path"), "starts with", ("/a",), negated=True),
        ),
        ("claims.a matches 'x+'", Comparison(claim("a"), "matches", ("x+",))),
        (
            "scopes contains like 'a.*'",
            Comparison(FactOperand("scopes"), "like", ("a.*",), inside=True),
        ),
        (
            "client in ['10.0.0.0/8', '::1']",
            Comparison(FactOperand("client"), "in", ("10.0.0.0/8", "::1")),
        ),
        ("claims.a >= 3", Comparison(claim("a"), ">=", (3,))),
        ("claims.a < now", Comparison(claim("a"), "<", (NOW,))),
        ("claims.a > 1970-01-02", Comparison(claim("a"), ">", (Moment(86400.0),))),
        (
            "claims.a == 1970-01-01T01:00:01+01:00",
            Comparison(claim("a"), "==", (Moment(1.0),)),
        ),
        (
            "now not in 'mon 08:00-09:00 UTC'",
            Within(read_window("mon 08:00-09:00 UTC"), negated=True),
        ),
        ("subject in groups.admins", Member(FactOperand("subject"), "admins")),
        ("claims.a not in groups.b", Member(claim("a"), "b", negated=True)),
        (
            "tables.t[claims.a].b == 'x'",
            Comparison(CellOperand("t", claim("a"), "b"), "==", ("x",)),
        ),
        (
            "certificate.verified == true",
            Comparison(FactOperand("certificate.verified"), "==", (True,)),
        ),
        (
            "claims.a[0].b == 1",
            Comparison(ClaimOperand(("a", 0, "b")), "==", (1,)),
        ),
        (
            "claims.a[].b contains 1",
            Comparison(ClaimOperand(("a", None, "b")), "contains", (1,)),
        ),
        ("not scope:a", Not(A)),
        ("not (scope:a)", Not(A)),
        ("scope:a or scope:b and scope:c", Any((A, All((B, C))))),
        ("(scope:a or scope:b) and scope:c", All((Any((A, B)), C))),
        ("not scope:a and scope:b", All((Not(A), B))),
        ("any(scope:a, scope:b)", Any((A, B))),
        ("all(scope:a,not scope:b)", All((A, Not(B)))),
        ("\t((scope:a))\n", A),
    ],
)
def test_a_condition_has_one_tree(text: str, node: Node) -> None:
    assert parse(text) == node


@pytest.mark.parametrize(
    ("text", "column", "problem"),
    [
        ("", 1, "expected a condition"),
        ("scope:", 1, "expected scope:NAME"),
        ("scope: a", 1, "expected scope:NAME"),
        ("scope:a scope:b", 9, "expected 'and', 'or' or the end"),
        ("scope:a and", 12, "expected a condition"),
        ("scope:a && scope:b", 9, "cannot read"),
        ("(scope:a", 9, "expected ')'"),
        ("scope:a)", 8, "expected 'and'"),
        ("any()", 5, "expected a condition"),
        ("any scope:a", 5, "expected '('"),
        ("claims.", 1, "name of a claim"),
        ("claims..a == 1", 1, "name of a claim"),
        ("token.", 1, "name of a claim"),
        ("access_token.a == 1", 1, "expected a condition"),
        ("id_token == 1", 1, "expected a condition"),
        ("claims.a", 9, "expected =="),
        ("claims.a = 'x'", 10, "cannot read"),
        ("claims.a == sales", 13, "in quotes: 'sales'"),
        ("claims.a == 'x", 13, "cannot read"),
        (r"claims.a == '\n'", 13, "cannot read"),
        ("claims.a == 1.5", 13, "cannot read"),
        ("claims.a == 1x", 13, "cannot read"),
        ("claims.a == " + "1" * 16, 13, "cannot read"),
        ("claims.a in []", 14, "expected a string"),
        ("claims.a in [1, 'a']", 14, "one type"),
        ("claims.a in [1, true]", 14, "one type"),
        ("claims.a in 'x'", 13, "expected '['"),
        ("claims.a == claims.b", 13, "expected a string"),
        ("method == get", 11, "in capitals"),
        ("method == 1", 11, "expected a method"),
        ("subject == alice", 12, "in quotes"),
        ("subject == true", 12, "in quotes"),
        ("issuer == 5", 11, "compared with a string"),
        ("method contains 'G'", 8, "method is no list"),
        ("exists scope:a", 8, "expected a condition"),
        ("path.a.b == 'x'", 1, "expected a condition"),
        ("claims.a[x] == 1", 9, "expected =="),
        ("host starts 'a'", 13, "expected 'with'"),
        ("host starts with ''", 18, "begins with nothing"),
        ("host like a", 11, "expected text in quotes"),
        ("path matches '('", 14, "no regular expression"),
        (r"path matches '(a)\\1'", 14, "no regular expression"),
        ("scopes like 'a'", 8, "scopes is no text"),
        ("scopes contains 1", 17, "compared with a string"),
        ("certificate.verified == 'true'", 25, "expected true or false"),
        ("certificate.verified like 'a'", 22, "is no text"),
        ("client in ['10.0.0.1/8']", 12, "host bits"),
        ("client == 'localhost'", 11, "does not appear to be"),
        ("host < 3", 6, "only claims have an order"),
        ("claims.a < 'x'", 12, "expected a number, a moment"),
        ("claims.a > 2026-13-01", 12, "no such moment"),
        ("claims.a > 2026-1-1", 12, "cannot read"),
        ("claims.a > 2026-01-01T", 12, "expected a moment"),
        ("now == 2026-01-01", 5, "expected in"),
        ("now in 'always'", 8, "expected hours"),
        ("now in 'mon 08:00-09:00 Mars/Base'", 8, "no time zone"),
        ("tables.t[claims.a] == 'x'", 20, "expected '.'"),
        ("tables.t == 'x'", 10, "expected '['"),
        ("tables.t[claims.a].b.c == 'x'", 20, "name of a column"),
        ("claims.a in groups", 13, "expected '['"),
        ("amr == 'mfa'", 5, "amr is a list: expected contains"),
        ("scopes != 'a'", 8, "scopes is a list: expected contains"),
        ("certificate.dns in ['a']", 20, "is a list: expected a group"),
        ("certificate.verified in groups.a", 25, "is no member"),
        ("tables.t[subject].b == 3", 24, "compared with a string"),
        ("tables.t[subject].b >= 3", 24, "expected a number, a moment"),
        ("tables.t[subject].b contains 'x'", 21, "is no list"),
        ("host in ['a', 'B']", 15, "no host is ever written as 'B'"),
        ("host == 'a.'", 9, "no host is ever written as 'a.'"),
        ("path == '/a/../b'", 9, "no path is ever written as"),
        ("path == '/a/%62'", 9, "no path is ever written as"),
        ("path == '/%40a'", 9, "no path is ever written as"),
        ("path == 'a'", 9, "no path is ever written as"),
        ("acr", 4, "expected =="),
        ("acr == 3", 8, "compared with a string"),
        ("acr == ''", 8, "no client could ask"),
        ("acr == 'a b'", 8, "no client could ask"),
        ("acr in ['a', 'b\"c']", 14, "no client could ask"),
        ("acr == 'g\xf6ld'", 8, "no client could ask"),
        (r"acr == 'a\\b'", 8, "no client could ask"),
        ("acr <= 3", 5, "only claims have an order"),
        ("auth_age", 9, "expected <="),
        ("auth_age == 300", 10, "expected <="),
        ("auth_age <= -1", 13, "number of seconds"),
        ("auth_age <= '300'", 13, "number of seconds"),
        ("user == 'alice'", 1, "expected a condition"),
        ("__import__('os')", 1, "expected a condition"),
        ("'a' == 'a'", 1, "expected a condition"),
    ],
)
def test_what_is_no_condition_is_refused_at_its_column(
    text: str, column: int, problem: str
) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert caught.value.column == column
    assert problem in caught.value.problem


@pytest.mark.parametrize("opening", ["(", "not ", "any("])
def test_nesting_has_an_end(opening: str) -> None:
    closing = ")" if opening.endswith("(") else ""
    parse(opening * 32 + "scope:a" + closing * 32)
    with pytest.raises(ExpressionError, match="nested deeper than 32"):
        parse(opening * 33 + "scope:a" + closing * 33)


def test_siblings_do_not_count_as_nesting() -> None:
    parse(" and ".join(["not (scope:a)"] * 100))


def test_the_text_has_an_end() -> None:
    with pytest.raises(ExpressionError, match="longer than 4096"):
        parse("scope:a" + " " * 4096)


def column_of(text: str) -> int:
    """Give the column of the mistake in *text*, or 1 if there is none."""
    try:
        parse(text)
    except ExpressionError as e:
        return e.column
    return 1


@given(st.text(max_size=60))
def test_any_text_is_a_condition_or_refused(text: str) -> None:
    assert 1 <= column_of(text) <= len(text) + 1


WORDS = st.sampled_from(
    [
        *("scope:a", "claims.a", "method", "subject", "==", "!=", "in", "not"),
        *("contains", "exists", "any", "all", "and", "or", *"()[],1.<"),
        *("'x'", "true", "GET", "now", "path", "path.id", "client", "scopes", "like"),
        *("starts", "with", "matches", "groups.g", "tables.t", "2026-01-01", ">="),
    ]
)


@given(st.lists(WORDS, max_size=12).map(" ".join))
def test_any_words_are_a_condition_or_refused(text: str) -> None:
    assert 1 <= column_of(text) <= len(text) + 1


@given(
    st.one_of(
        st.text(),
        st.integers(min_value=-(10**15) + 1, max_value=10**15 - 1),
        st.booleans(),
    )
)
def test_every_value_can_be_written(value: Value) -> None:
    match value:
        case str():
            escaped = value.replace("\\", "\\\\").replace("'", "\\'")
            text = f"'{escaped}'"
        case _:
            text = str(value).lower()
    if len(text) < 4000:
        assert parse(f"claims.a == {text}") == Comparison(claim("a"), "==", (value,))


def test_what_a_condition_is_made_of_can_be_walked() -> None:
    assert children(parse("scope:a and scope:b")) == (A, B)
    assert children(parse("not scope:a")) == (A,)
    assert children(A) == ()


@pytest.mark.parametrize("opening", ["tables.t["])
def test_tables_inside_tables_have_an_end(opening: str) -> None:
    def text(times: int) -> str:
        return opening * times + "claims.a" + "].b" * times + " == 'x'"

    parse(text(32))
    with pytest.raises(ExpressionError, match="nested deeper than 32"):
        parse(text(33))
