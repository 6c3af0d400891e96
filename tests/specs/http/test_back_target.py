"""Browsers are sent back to listed sites, however an address is written."""

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.http.back_target import (
    MOST,
    BackPattern,
    read_arguments,
    read_back,
    read_pattern,
)
from sso_proxy.specs.http.return_target import TargetError

SITES = [
    read_pattern("app.example.com"),
    read_pattern("*.apps.example.com"),
    read_pattern("https://dev.example.com:8443"),
    read_pattern("http://old.example.com"),
]
GOOD = {
    b"https://app.example.com/x?q=1": "https://app.example.com/x?q=1",
    b"https://app.example.com": "https://app.example.com/",
    b"https://app.example.com?a": "https://app.example.com/?a",
    b"https://APP.example.com:443/x": "https://app.example.com/x",
    b"https://a.apps.example.com/": "https://a.apps.example.com/",
    b"https://a.b.apps.example.com/": "https://a.b.apps.example.com/",
    b"https://dev.example.com:8443/x": "https://dev.example.com:8443/x",
    b"http://old.example.com/x": "http://old.example.com/x",
    # As mod_auth_pubtkt asks for "/a%20b/c;d?q=a%26b&x=1+2&y=%C3%A9" (measured).
    b"https://app.example.com/a b/c;d?q=a%26b&x=1+2&y=%C3%A9": (
        "https://app.example.com/a%20b/c;d?q=a%26b&x=1+2&y=%C3%A9"
    ),
    b"https://app.example.com/\xc3\xa9": "https://app.example.com/%C3%A9",
    b"https://app.example.com/100%": "https://app.example.com/100%25",
    b"https://app.example.com/#x": "https://app.example.com/%23x",
    b"https://app.example.com//evil.example/": "https://app.example.com//evil.example/",
    b'https://app.example.com/"><script>': (
        "https://app.example.com/%22%3E%3Cscript%3E"
    ),
}
BAD = [
    b"https://evil.example/",
    b"https://evilapp.example.com/",
    b"https://app.example.com.evil.example/",
    b"https://appXexample.com/",
    b"https://apps.example.com/",
    b"https://xapps.example.com/",
    b"https://.apps.example.com/",
    b"https://a..apps.example.com/",
    b"https://app.example.com@evil.example/",
    b"https://app.example.com:x@evil.example/",
    b"https://evil.example#@app.example.com/",
    b"https://evil.example?@app.example.com/",
    b"https://evil.example\\@app.example.com/",
    b"https://evil.example\\.apps.example.com/",
    b"https://evil.example%2f.apps.example.com/",
    b"https://evil.example/.apps.example.com",
    b"https://evil.example\x00.apps.example.com/",
    b"https://app.example.com\\evil/",
    b"https://app.example.com./",
    b"https://app.example.com:8443/",
    b"https://app.example.com:0443443/",
    b"https://app.example.com:/",
    b"https://dev.example.com/",
    b"http://app.example.com/",
    b"https://old.example.com/",
    b"HTTPS://app.example.com/",
    b"//app.example.com/",
    b"/x",
    b"x",
    b"https:app.example.com/",
    b"https:/app.example.com/",
    b"https:///app.example.com/",
    b"https:\\\\app.example.com/",
    b" https://app.example.com/",
    b"\thttps://app.example.com/",
    b"https://app.example.com/\r\nSet-Cookie: x",
    b"https://app.example.com/\tx",
    b"ht\ntps://app.example.com/",
    b"javascript://app.example.com/%0aalert(1)",
    b"javascript:alert(1)//https://app.example.com/",
    b"data:text/html,https://app.example.com/",
    "https://\uff41pp.example.com/".encode(),
    "https://app\u3002example.com/".encode(),
    b"https://evil.example/.apps.example.com/",
    b"https://[::1]/",
    b"https://" + b"a" * 300 + b".apps.example.com/",
    b"https://app.example.com/" + b"a" * MOST,
]


@pytest.mark.parametrize("asked", GOOD, ids=repr)
def test_a_listed_site_is_gone_back_to(asked: bytes) -> None:
    assert read_back(asked, SITES) == GOOD[asked]


@pytest.mark.parametrize("asked", BAD, ids=repr)
def test_nothing_else_is(asked: bytes) -> None:
    with pytest.raises(TargetError):
        read_back(asked, SITES)


@given(
    st.lists(
        st.sampled_from(
            [
                b"https:",
                b"//",
                b"/",
                b"\\",
                b"@",
                b"?",
                b"#",
                b":443",
                b".",
                b"%2f",
                b"app.example.com",
                b"evil.example",
                b".apps.example.com",
                b"\t",
                b"a",
            ]
        ),
        max_size=8,
    ).map(b"".join)
)
def test_what_is_taken_is_of_a_listed_site_for_another_reader(asked: bytes) -> None:
    try:
        url = read_back(asked, SITES)
    except TargetError:
        return
    parts = urlsplit(url)
    assert parts.scheme == "https"
    assert parts.username is None
    assert parts.hostname is not None
    assert parts.hostname == "app.example.com" or parts.hostname.endswith(
        ".apps.example.com"
    )
    assert url.isascii()
    assert url.isprintable()


def test_a_pattern_says_scheme_host_and_port() -> None:
    assert read_pattern("*.example.com") == BackPattern(
        scheme="https", host="example.com", below=True, port=443
    )
    assert read_pattern("http://a.example.com").port == 80


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "https://",
        "a b",
        "https://a.example/x",
        "a.*.b",
        "a:0",
        "a:70000",
        "A.example.com",
        "ftp://a.example.com",
        "a.example.com/",
        "x@a.example.com",
    ],
)
def test_what_is_no_site_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no site"):
        read_pattern(text)


def test_arguments_are_read_as_the_modules_write_them() -> None:
    query = "timeout=1;back=http%3a%2f%2fa%2fb+c%3fx%3d1%26y%3bz&ip=::1&flag"
    assert read_arguments(query) == {
        "timeout": [b"1"],
        "back": [b"http://a/b+c?x=1&y;z"],
        "ip": [b"::1"],
        "flag": [b""],
    }
    assert read_arguments("back=1&b%61ck=2") == {"back": [b"1", b"2"]}
    assert read_arguments(None) == {"": [b""]}
