"""The canonical path."""

from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sso_proxy.errors import BadMessageError
from sso_proxy.specs.http.target import (
    canonical_path,
    has_encoded_slash,
    has_parameters,
    is_canonical,
    is_settled,
    matching_path,
    readings,
    strip_parameters,
)

RAW = st.one_of(
    st.lists(
        st.sampled_from(
            [
                *("/", "/", ".", "..", "a", "%2e", "%2E", "%2f", "%5C", "%25", "%7e"),
                *(";", "%3b", ":", "@", "%40", "%20", "%C3%A9", "%41", "~", "x=1"),
            ]
        ),
        max_size=12,
    ).map(lambda parts: "/" + "".join(parts)),
    st.text("/.%;2eEfF5cCaA0\\|", max_size=12).map("/".__add__),
)

FORMS = {
    "/": "/",
    "/a/b/": "/a/b/",
    "//admin": "/admin",
    "/a//b///": "/a/b/",
    "/./admin": "/admin",
    "/a/.": "/a/",
    "/a/./b": "/a/b",
    "/a/..": "/",
    "/a/b/..": "/a/",
    "/a/b/../": "/a/",
    "/public/../admin/secrets": "/admin/secrets",
    "/public/%2e%2e/admin": "/admin",
    "/public/.%2E/admin": "/admin",
    "/%61dmin": "/admin",
    "/ADMIN%2fx": "/ADMIN%2Fx",
    "/a%5cb": "/a%5Cb",
    "/a%2f..%2fb": "/a%2F..%2Fb",
    "/%7euser": "/~user",
    "/%e9": "/%E9",
    "/a%20b": "/a%20b",
    "/%252e%252e/a": "/%252e%252e/a",
    "/a;x=y/b": "/a;x=y/b",
    "/...": "/...",
    "/.well-known/x": "/.well-known/x",
    "/a/..b": "/a/..b",
    "/a/.;x=1b/..": None,
    "/*": "/*",
    "/!$&'()*+,=:@-._~": "/!$&'()*+,=:@-._~",
}


@pytest.mark.parametrize("raw", FORMS)
def test_a_path_has_one_form(raw: str) -> None:
    """B4, B8, B9, B10."""
    expected = FORMS[raw]
    if expected is None:
        with pytest.raises(BadMessageError):
            canonical_path(raw)
    else:
        assert canonical_path(raw) == expected


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("", "path-characters"),
        ("a", "path-characters"),
        *((f"/a{char}b", "path-characters") for char in '"<>\\^`{|}[]#? \t\n\x00\x7f'),
        ("/\u00e9", "path-characters"),
        ("/%00", "path-escape"),
        ("/a%0d%0aX:b", "path-escape"),
        ("/%7F", "path-escape"),
        ("/%", "path-escape"),
        ("/%4", "path-escape"),
        ("/%zz", "path-escape"),
        ("/%u002e", "path-escape"),
        ("/%+1", "path-escape"),
        ("/..", "path-above-root"),
        ("/../a", "path-above-root"),
        ("/a/../../b", "path-above-root"),
        ("/%2e%2e/b", "path-above-root"),
        ("/public/..;/admin", "path-dot-parameters"),
        ("/public/%2e%2e;x=1/admin", "path-dot-parameters"),
        ("/public/.;/admin", "path-dot-parameters"),
        ("/public/..%3b/admin", "path-dot-parameters"),
        ("/%c0%ae%c0%ae/admin", "path-overlong"),
        ("/a%C1%9Cb", "path-overlong"),
        ("/a%e0%80%afb", "path-overlong"),
        ("/a%f0%80%80%afb", "path-overlong"),
    ],
)
def test_what_has_no_one_form_is_refused(raw: str, reason: str) -> None:
    """B11 (``..;``), B14, and what decoders differ about."""
    with pytest.raises(BadMessageError) as caught:
        canonical_path(raw)
    assert (caught.value.status, caught.value.reason) == (400, reason)


@given(raw=RAW)
@example(raw="/a/%2e%2e/%2e/b")
@example(raw="/%2e/..a/%2f..")
def test_canonical_is_final(raw: str) -> None:
    """The form of a form is itself, and it hides nothing that a server resolves."""
    try:
        path = canonical_path(raw)
    except BadMessageError:
        return
    assert canonical_path(path) == path
    segments = path.split("/")[1:]
    assert "." not in segments
    assert ".." not in segments
    assert "" not in segments[:-1]
    assert path.startswith("/")


@given(raw=st.one_of(RAW, st.text(max_size=8).map("/".__add__), st.text()))
def test_plainly_canonical_paths_are_their_own_form(raw: str) -> None:
    if is_canonical(raw):
        assert canonical_path(raw) == raw
        assert not {"%", ";", "//", "/."} & {raw[i:j] for i, j in _pairs(raw)}


def _pairs(text: str) -> list[tuple[int, int]]:
    spans = [(i, i + 1) for i in range(len(text))]
    return spans + [(i, i + 2) for i in range(len(text))]


@pytest.mark.parametrize(
    "path", ["/", "/a", "/a/", "/orders/42/items.json", "/@me/a:b"]
)
def test_usual_paths_take_the_short_way(path: str) -> None:
    assert is_canonical(path)


@pytest.mark.parametrize("path", ["", "a", "//", "/a//", "/.", "/a;b", "/%41", "/a\n"])
def test_other_paths_take_the_long_way(path: str) -> None:
    assert not is_canonical(path)


def test_encoded_slashes_are_found() -> None:
    assert has_encoded_slash("/a%2Fb")
    assert has_encoded_slash("/a%5Cb")
    assert not has_encoded_slash("/a%20b")


def test_a_path_is_read_as_any_backend_may() -> None:
    assert readings("/a/b%20c") == {"/a/b%20c"}
    mixed = "/a/b%5Cc/..%2F..%2Fd"
    assert readings(mixed) == {mixed, "/d", "/a/b/c/..%2F..%2Fd", "/a/d"}
    both = "/a/;b/..%2Fc"
    assert readings(both) == {both, "/a/..%2Fc", "/a/c", "/c"}
    with pytest.raises(BadMessageError, match="above-root"):
        readings("/a%2F..%2F..%2Fb")


def test_parameters_are_stripped_and_the_rest_made_canonical() -> None:
    """B11, B12: ``/;x/a`` would leave an empty segment."""
    assert strip_parameters("/admin;x=y/action;z") == "/admin/action"
    assert strip_parameters("/;x/a") == "/a"
    assert strip_parameters("/a%3Bx") == "/a"
    assert strip_parameters("/a/b") == "/a/b"
    assert has_parameters("/a%3Bx")
    assert not has_parameters("/a")


@given(raw=RAW)
def test_no_parameters_are_left(raw: str) -> None:
    try:
        path = strip_parameters(canonical_path(raw))
    except BadMessageError:
        return
    assert not has_parameters(path)
    assert canonical_path(path) == path


def test_rules_compare_delimiters_decoded() -> None:
    """A rule for ``/@admin`` must see ``/%40admin``, which applications decode."""
    assert matching_path("/%40admin%3Adelete%21") == "/@admin:delete!"
    assert matching_path("/@admin") == "/@admin"
    assert matching_path("/a%2Fb%3Bc%25%20%5C") == "/a%2Fb%3Bc%25%20%5C"


@given(RAW)
@example("/a/./b")
@example("/a/%2E%2e/b")
@example("/a/..;x/b")
@example("/%2F/")
def test_a_settled_path_keeps_its_segments(raw: str) -> None:
    try:
        path = canonical_path(raw)
    except BadMessageError:
        return
    if is_settled(raw):
        assert unquote(path) == unquote(raw)
        assert path.count("/") == raw.count("/")
    else:
        assert path.count("/") < raw.count("/") or raw.endswith(("/.", "/%2e", "/%2E"))
