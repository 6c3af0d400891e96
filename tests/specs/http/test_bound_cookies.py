"""Cookies of an application: which are meant, and how they travel."""

import re
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from urllib.parse import unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.http.bound_cookies import (
    CookieNames,
    build_context,
    depth_of,
    pattern_problem,
    read_set_cookie,
    scope_of,
)

NOW = 1_800_000_000.0
texts = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"))
NAMES = CookieNames(["JSESSIONID", "PHP*", "my_app"])


def opened(field: str, names: CookieNames = NAMES) -> str:
    """Give the field if no bound cookie opens."""
    return names.replace(field, lambda *_: None)[0]


@pytest.mark.parametrize(
    ("text", "name", "value", "attributes"),
    [
        ("a=b", "a", "b", ""),
        ("a=b; Path=/; HttpOnly", "a", "b", "; Path=/; HttpOnly"),
        (' a = "b c" ;Path=/', "a", '"b c"', ";Path=/"),
        ("a=b=c;", "a", "b=c", ";"),
        ("a=", "a", "", ""),
        ("alone; Path=/", "", "alone", "; Path=/"),
        ("=a=b", "", "a=b", ""),
    ],
)
def test_a_set_cookie_is_read_as_browsers_do(
    text: str, name: str, value: str, attributes: str
) -> None:
    cookie = read_set_cookie(text)
    assert (cookie.name, cookie.value, cookie.attributes) == (name, value, attributes)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a=b", "a=new; Secure"),
        ("a=b; Path=/x; HttpOnly; SameSite=Lax", None),
        ("a=b; path=/; SECURE ;Priority=High", "a=new; path=/; SECURE ;Priority=High"),
        ("a=b;secure=yes", "a=new;secure=yes"),
        ("a=b; Comment=Secure", "a=new; Comment=Secure; Secure"),
    ],
)
def test_attributes_stay_and_secure_is_added(text: str, written: str | None) -> None:
    expected = written or text.replace("=b", "=new") + "; Secure"
    assert read_set_cookie(text).with_value("new") == expected


@pytest.mark.parametrize(
    ("attributes", "deletes"),
    [
        ("", False),
        ("; Max-Age=0", True),
        ("; max-age = -5 ", True),
        ("; Max-Age=000", True),
        ("; Max-Age=10", False),
        ("; Max-Age=soon", False),
        ("; Max-Age=10; Max-Age=0", True),
        ("; Expires=Thu, 01 Jan 1970 00:00:00 GMT", True),
        ("; expires=Thu, 01-Jan-1970 00:00:01 GMT", True),
        ("; expires=Thursday, 01-Jan-70 00:00:00 GMT", True),
        ("; Expires=Wed, 21 Oct 2099 07:28:00 GMT", False),
        ("; Expires=Wed, 21 Oct 2099 07:28:00 GMT; Max-Age=0", True),
        ("; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60", False),
        ("; Expires=0", False),
        ("; Expires", False),
    ],
)
def test_a_deletion_is_known(attributes: str, *, deletes: bool) -> None:
    assert read_set_cookie("a=b" + attributes).deletes(NOW) is deletes


@given(texts)
def test_whatever_a_backend_sets_can_be_read(text: str) -> None:
    cookie = read_set_cookie(text)
    cookie.deletes(NOW)
    again = read_set_cookie(cookie.with_value(cookie.value))
    assert again.attributes.startswith(cookie.attributes)


@given(texts)
def test_whatever_a_backend_calls_a_date_can_be_read(text: str) -> None:
    read_set_cookie("a=b; Expires=" + text).deletes(NOW)


@pytest.mark.parametrize(
    "name",
    [
        *("JSESSIONID", "jsessionid", "JSessionId", "%4ASESSIONID", "PHPSESSID", "PHP"),
        *("my_app", "my.app", "my[app", "my%5Fapp", "my_app[x]", "my_app%5Bx%5D"),
        *("+JSESSIONID", "my+app", "JSESSIONID%00x", "'JSESSIONID'"),
    ],
)
def test_a_name_is_known_however_a_backend_reads_it(name: str) -> None:
    assert NAMES.find(name)


@pytest.mark.parametrize(
    "name", ["JSESSIONIDSSO", "XPHP", "my-app", "", "__Host-JSESSIONID"]
)
def test_another_name_is_another(name: str) -> None:
    assert not NAMES.find(name)


def test_names_are_remembered_up_to_a_number() -> None:
    names = CookieNames(["a*"])
    for turn in range(2):
        for number in range(3000):
            assert names.find(f"a{number}") == "a*"
            assert names.find(f"b{number}") == "", turn
        assert names.find("a" * 1000) == "a*"
    assert len(names._found) <= 1024  # noqa: SLF001
    assert max(map(len, names._found)) < 10  # noqa: SLF001


def test_a_star_is_every_name_but_ours() -> None:
    names = CookieNames(["*"])
    assert names.find("anything")
    assert names.find("__Host-id") == "*"
    assert not names.find("__Host-sso")
    assert not names.find("__Secure-sso-admin.1")


@pytest.mark.parametrize(
    ("field", "left"),
    [
        ("theme=dark; JSESSIONID=1; lang=de", "theme=dark; lang=de"),
        ("JSESSIONID=1", ""),
        ("JSESSIONID", ""),
        ("=JSESSIONID=1; a=b", "a=b"),
        ("a=1, JSESSIONID=stolen", ""),
        ('a="x; JSESSIONID=stolen"; b=c', 'a="x; b=c'),
        ("a=1 JSESSIONID = stolen", ""),
        ("a=1%2CJSESSIONID=stolen", ""),
        ("a=x%3B%20JSESSIONID%3Dstolen", ""),
        ("\xa0JSESSIONID=stolen; b=c", "b=c"),
        ("a=1\xe2\x80\x83JSESSIONID=stolen", ""),
        ('"JSESSIONID"=stolen', ""),
        ("%20JSESSIONID=stolen", ""),
        ("  my app=stolen", ""),
        ("x,JSESSIONID=stolen", ""),
        ("x JSESSIONID=stolen", ""),
        ("\xe2\x80\x83JSESSIONID=stolen", ""),
        ("a=b=c; d=NOJSESSIONID=1", "a=b=c; d=NOJSESSIONID=1"),
        ("a=JSESSIONID; b=PHP", "a=JSESSIONID; b=PHP"),
        ("$Version=1; JSESSIONID=stolen; $Path=/", "$Version=1; $Path=/"),
        ("__Host-sso=1.abc; PHPSESSID=1", "__Host-sso=1.abc"),
        ("; ;a=b;;", "a=b"),
    ],
)
def test_nothing_that_a_backend_may_take_for_a_bound_cookie_is_left(
    field: str, left: str
) -> None:
    assert opened(field) == left


def by_python(field: str) -> set[str]:
    """Read names as `http.cookies` does: quotes, escapes, blanks between cookies."""
    found: SimpleCookie = SimpleCookie()
    with suppress(CookieError):
        found.load(field)
    return set(found)


def by_django(field: str) -> set[str]:
    """Read names as frameworks do that take the field for UTF-8."""
    text = field.encode("latin-1").decode("utf-8", "replace")
    return {pair.partition("=")[0].strip() for pair in text.split(";")}


def by_php(field: str) -> set[str]:
    """Read names as PHP did before it stopped decoding them."""
    names = (unquote_plus(pair.partition("=")[0]) for pair in field.split(";"))
    return {re.sub(r"[. ]", "_", each.lstrip().partition("[")[0]) for each in names}


def by_rack(field: str) -> set[str]:
    """Read names as Ruby and Perl did, which have commas between cookies, too."""
    pairs = (pair.partition("=") for pair in re.split(r"[;,] *", field))
    return {unquote_plus(name).strip() for name, equals, _ in pairs if equals}


PIECES = st.sampled_from(
    (
        *("JSESSIONID", "jsessionid", "my_app", "my.app", "my app", "stolen"),
        *(
            "=",
            "=",
            ";",
            ";",
            ",",
            '"',
            "'",
            "\\",
            "\\073",
            "+",
            "[",
            "]",
            "&",
            ":",
            "{",
        ),
        *("%3D", "%3B", "%20", "%2C", "$Version", "a", "b=c", "path"),
        *(" ", "\xa0", "\xe2\x80\x83", "\x85"),
    )
)


@given(st.lists(PIECES, min_size=2, max_size=10).map("".join))
def test_no_other_reader_finds_what_did_not_open(field: str) -> None:
    left = opened(field)
    for read in (by_python, by_django, by_php, by_rack):
        names = {name.lower().replace(".", "_") for name in read(left)}
        assert not names & {"jsessionid", "my_app"}, read


def test_values_are_replaced_in_their_places() -> None:
    given: list[tuple[str, str, str]] = []

    def give(*found: str) -> str:
        given.append(found)  # type: ignore[arg-type]
        return f"new{len(given)}"

    field = 'a=b;JSESSIONID = "x" ; PHPSESSID=2; JSESSIONID=3'
    found = NAMES.replace(field, give)
    assert found == ("a=b; JSESSIONID=new1; PHPSESSID=new2; JSESSIONID=new3", 0)
    assert given == [
        ("JSESSIONID", "JSESSIONID", '"x"'),
        ("PHP*", "PHPSESSID", "2"),
        ("JSESSIONID", "JSESSIONID", "3"),
    ]


@given(texts)
def test_any_field_can_be_read_and_then_stays_as_it_is(field: str) -> None:
    once = opened(field)
    assert opened(once) == once
    assert not any(NAMES.find(p.split("=")[0].strip(" \t")) for p in once.split(";"))


def test_a_long_field_takes_time_in_proportion() -> None:
    """A quadratic search would take minutes here."""
    for text in ("php/" * 16_000, "PHP" * 20_000 + "=", "=" * 60_000, "a%3D" * 16_000):
        opened("a=" + text)


@pytest.mark.parametrize("pattern", ["", "a b", "a=b", "a*b", "**", "a;", "ä", "a\n"])
def test_what_is_no_name_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"cookie|end"):
        CookieNames([pattern])


@pytest.mark.parametrize("pattern", ["__Host-sso", "__Secure-sso*", "__Host-sso-x"])
def test_ours_are_no_applications(pattern: str) -> None:
    assert "ours" in pattern_problem(pattern)


def test_a_value_is_sealed_for_its_name_and_all_keys_in_any_order() -> None:
    first, second = ("certificate", "x"), ("token_binding", "y")
    context = build_context("a", "host", [first, second])
    assert context == build_context("a", "host", [second, first])
    others: list[tuple[str, str, list[tuple[str, str]]]] = [
        ("b", "host", [first, second]),
        ("a", ".host", [first, second]),
        ("a", "host", [first]),
        ("a", "host", [second]),
        ("a", "host", []),
    ]
    assert context not in [build_context(*other) for other in others]


@pytest.mark.parametrize(
    ("attributes", "scope"),
    [
        ("", "app.example.com"),
        ("; Domain=", "app.example.com"),
        ("; Domain=example.com", ".example.com"),
        ("; domain = .Example.COM ; Path=/", ".example.com"),
        ("; Domain=a.example; Domain=example.com", ".example.com"),
        ("; Domain=app.example.com", ".app.example.com"),
    ],
)
def test_a_cookie_goes_to_its_host_or_its_domain(attributes: str, scope: str) -> None:
    assert read_set_cookie("a=b" + attributes).scope("app.example.com") == scope
    assert scope_of("app.example.com", depth_of(scope)) == scope


def test_a_host_gets_cookies_of_itself_and_of_what_it_is_below() -> None:
    found = [scope_of("a.b.c", depth) for depth in range(5)]
    assert found == ["a.b.c", ".c", ".b.c", ".a.b.c", ""]
    assert [scope_of("[::1]", depth) for depth in range(2)] == ["[::1]", ".[::1]"]
