"""Nobody is sent to another origin, whoever reads the target."""

import re
from itertools import product
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.http.limits import HeadLimits
from sso_proxy.specs.http.names import ManagedNames
from sso_proxy.specs.http.request import read_request
from sso_proxy.specs.http.return_target import TargetError, read_target
from sso_proxy.specs.http.uri import MAX_URI

HOST = "app.example.com"
EVIL = "evil.example"


def read(text: str, *, host: str = HOST, port: int = 443, scheme: str = "https") -> str:
    return read_target(text, host=host, port=port, scheme=scheme)


def origin_for_a_browser(location: str) -> tuple[str, str]:
    """
    Say where a browser that is at our origin goes: scheme and authority.

    The URL Standard of the WHATWG, as far as it decides on that, in its own order.
    """
    text = location.strip("".join(map(chr, range(0x21))))
    text = "".join(c for c in text if c not in "\t\n\r")
    scheme, colon, rest = text.partition(":")
    if colon and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        if scheme.lower() not in {"https", "http"}:
            return scheme.lower(), ""
        after = rest.replace("\\", "/")
        if scheme.lower() == "https" and not after.startswith("//"):
            return _resolved(after)
        return scheme.lower(), _authority(after.lstrip("/"))
    return _resolved(text.replace("\\", "/"))


def _resolved(rest: str) -> tuple[str, str]:
    """Resolve what has no scheme of its own, with slashes of one kind."""
    if rest.startswith("//"):
        return "https", _authority(rest.lstrip("/"))
    return "https", HOST


def _authority(rest: str) -> str:
    for end in "/?#":
        rest = rest.partition(end)[0]
    return rest.rpartition("@")[2]


@pytest.mark.parametrize(
    ("text", "authority"),
    [
        (f"//{EVIL}/", EVIL),
        (f"/\\{EVIL}", EVIL),
        (f"/\t/{EVIL}", EVIL),
        (f"///{EVIL}", EVIL),
        (f"\\\\{EVIL}", EVIL),
        (f"https:{EVIL}", HOST),
        (f"http:{EVIL}", EVIL),
        (f"https://{HOST}@{EVIL}/", EVIL),
        (f"https://{EVIL}\\@{HOST}/", EVIL),
        ("/a", HOST),
        ("javascript:alert(1)", ""),
    ],
)
def test_the_oracle_is_right(text: str, authority: str) -> None:
    """What the WHATWG's own test data say about such URLs."""
    assert origin_for_a_browser(text)[1] == authority


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("/", "/"),
        ("/orders/42?x=1&y=//evil.example", "/orders/42?x=1&y=//evil.example"),
        ("/orders?", "/orders?"),
        ("/a/../b", "/b"),
        ("/a//b", "/a/b"),
        ("/%7Eme", "/~me"),
        ("/caf%e9", "/caf%E9"),
        ("/%E9", "/%E9"),
        ("/a%20b", "/a%20b"),
        ("/100%25", "/100%25"),
        ("/group%2Fproject/issues", "/group%2Fproject/issues"),
        ("/proxy/https%3A%2F%2Fexample.org", "/proxy/https%3A%2F%2Fexample.org"),
        ("/Talk:Main", "/Talk:Main"),
        ("/%E2%80%8D", "/%E2%80%8D"),
        ("/@me", "/@me"),
        ("/a;v=1", "/a;v=1"),
        ("https://app.example.com", "/"),
        ("https://app.example.com:/", "/"),
        ("https://app.example.com?a", "/?a"),
        ("https://APP.example.com:443/a?b", "/a?b"),
        ("https://app.example.com./a", "/a"),
    ],
)
def test_what_is_of_this_origin_comes_out_canonical(text: str, target: str) -> None:
    assert read(text) == target


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("http://[::1]:8080/a", {"host": "[::1]", "port": 8080, "scheme": "http"}),
        ("http://[0:0::1]:8080/a", {"host": "[::1]", "port": 8080, "scheme": "http"}),
        ("http://h/a", {"host": "h", "port": 80, "scheme": "http"}),
        ("https://h:8443/a", {"host": "h", "port": 8443}),
    ],
)
def test_origins_are_compared_in_their_normal_form(text: str, given: dict) -> None:  # type: ignore[type-arg]
    assert read(text, **given) == "/a"


@pytest.mark.parametrize(
    "text",
    [
        "http://app.example.com/",
        "https://app.example.com:444/",
        "https://example.com/",
        "https://evilapp.example.com/",
        "https://app.example.com.evil.example/",
        "https://app.example.com@evil.example/",
        "https://evil.example#@app.example.com/",
        "https://evil.example\\@app.example.com/",
        "https://evil.example\\.app.example.com/",
        "https://app.example.com:80@evil.example/",
        "https://app.example.com%2eevil.example/",
        "https://evil.example%23.app.example.com/",
        "https://evil.example%2f.app.example.com/",
        "https://app.example.com\t.evil.example/",
        "https://app。example。com/",
        "https://\uff41pp.example.com/",
        "https:///app.example.com/",
        "https:app.example.com/",
        "https:/app.example.com/",
        "https://",
        "HTTPS://app.example.com/",
        "ftp://app.example.com/",
        "wss://app.example.com/",
    ],
)
def test_another_origin_is_refused(text: str) -> None:
    with pytest.raises(TargetError):
        read(text)


# The advisories of mod_auth_openidc and of OAuth2 Proxy, and their lists of payloads,
# are made of these parts.
LEADING = [
    *("//", "///", "////", "/\\", "\\/", "\\\\", "/\\/\\/", "\\/\\/", "/\t/", "/\n/"),
    *("/%09/", "//%09/", "/%0a/", "/%0d/", "/%00/", "/%5c", "//%5c", "/%5C%5C", "/%2f"),
    *("/%2f%2f", "/%2F/", "/%2f%5c%2f", "//%2f", "/%252f", "/%252f%252f", "/%255c"),
    *(
        "/%25252f",
        "/%ef%bc%8f",
        "/%EF%BC%BC",
        "/%E2%88%95",
        "/%E2%81%84",
        "/x/..%2f%2f",
    ),
    *(
        "/..%2f%2f",
        "/.%2f%2f",
        "/x/..%5c%5c",
        "/;/..//",
        "/%01//",
        "/<>//",
        "/ /",
        "/%20/",
    ),
    *("http:", "https:", "http:/", "https:/", "http://", "https://", "https:///"),
    *("/http://", "/https://", "/https:/", "/https:", "/https:///", "/http:/%5c"),
    *("/%68%74%74%70%3a%2f%2f", "%68%74%74%70%3a%2f%2f", "/https%3a//", "/HTTPS://"),
    *("https://%09/", "/https://%09/", "//https://", "//https:///", "/x:1/:///%01"),
    *(
        "javascript:",
        "/javascript:",
        "//javascript:",
        "/%5cjavascript:",
        "\x01javascript:",
    ),
    *(
        "/%09/javascript:",
        "/java%0d%0ascript:",
        "java\nscript:",
        "/JavaScript:",
        "data:",
    ),
    *(
        "/data:text/html,",
        "vbscript:",
        "/%6aavascript:",
        "/javascript%3a",
        "/ javascript:",
    ),
    *(
        "/%20javascript:",
        "file:///",
        "view-source:",
        "blob:",
        "",
        " /",
        "\t/",
        "@",
        ".",
        "?",
    ),
    *(
        "〱",
        "〵",
        "ゝ",
        "ー",
        "ｰ",
        "/〱",
        "/〵",
        "/ゝ",
        "/ー",
        "/ｰ",
        "\uff0f\uff0f",
        "/\uff0f",
        "\uff3c",
        '";',
    ),
    *(
        "#",
        "/#//",
        "*",
        "<>//",
        "\\152\\141",
        "\\u006A",
        "\\x6A",
        "Javas%26%2399;ript:",
    ),
]
HOSTS = [
    EVIL,
    f"{HOST}@{EVIL}",
    f"{HOST}+@{EVIL}",
    f";@{EVIL}",
    f"\\;@{EVIL}",
    f"{EVIL}\\@{HOST}",
    f"{EVIL}%00.{HOST}",
    f"{EVIL}%E3%80%82com",
    f"{EVIL}:80#@{HOST}",
    f"{EVIL}:80?@{HOST}",
    "3627734734",
    "0xd8.0x3a.0xd6.0xce",
    "00330.3856078",
    "[::ffff:216.58.214.206]",
    "alert(1);",
]
TRAILING = ["", "/", "//", "/%2e%2e", "/%2e%2e%2f", "/%2f%2e%2e", "/%2f..", "/.."]


@pytest.mark.parametrize("leading", LEADING)
def test_known_tricks_are_refused(leading: str) -> None:
    for host, trailing in product(HOSTS, TRAILING):
        with pytest.raises(TargetError):
            read(leading + host + trailing)


@pytest.mark.parametrize(
    "leading",
    ["/x//../%2f", "/x/..%2fhttps:/", "/x/..%2fjavascript:", "/x%250d%250a"],
)
def test_what_shows_when_dot_segments_or_escapes_are_gone_is_refused(
    leading: str,
) -> None:
    for host in HOSTS:
        with pytest.raises(TargetError):
            read(leading + host)


@pytest.mark.parametrize(
    "text",
    ["/a#b", "/a b", "/a\\b", "/ä", "/a%", "/a%zz", "/a%C0%AF", "/../a", "/a?b c"],
)
def test_what_no_request_could_have_is_refused(text: str) -> None:
    with pytest.raises(TargetError):
        read(text)


@pytest.mark.parametrize(
    "text", ["/a\r\nSet-Cookie: x=1", "/a?\r\nx", "/a?\x00", "/a?é"]
)
def test_no_header_field_can_be_written(text: str) -> None:
    with pytest.raises(TargetError):
        read(text)


def test_a_target_has_a_longest_length() -> None:
    assert len(read("/" + "a" * (MAX_URI - 1))) == MAX_URI
    with pytest.raises(TargetError, match="too long"):
        read("/" + "a" * MAX_URI)


def test_escaping_escapes_does_not_keep_us_busy() -> None:
    with pytest.raises(TargetError, match="again and again"):
        read("/%" + "25" * 4000)


def test_an_error_does_not_show_the_target() -> None:
    with pytest.raises(TargetError) as caught:
        read("//secret.example/token")
    assert "secret" not in str(caught.value)


PIECES = st.lists(
    st.one_of(
        st.sampled_from([*LEADING, *HOSTS, *TRAILING]),
        st.sampled_from(["/", "\\", "%2f", "%5c", "..", ".", ";", "@", ":", "%", "25"]),
        st.sampled_from(
            ["\t", "\n", "?", "#", "https", f"https://{HOST}", "\uff0f", "%EF%BC%8F"]
        ),
        st.text(max_size=3),
    ),
    max_size=8,
).map("".join)


def accepted(text: str) -> str | None:
    try:
        return read(text)
    except TargetError:
        return None


@given(
    st.one_of(PIECES, PIECES.map("/".__add__), PIECES.map(f"https://{HOST}".__add__))
)
def test_a_browser_stays_here_whatever_is_accepted(text: str) -> None:
    """Both what came and what is made of it mean this origin to a browser."""
    target = accepted(text)
    if target is not None:
        assert origin_for_a_browser(target) == ("https", HOST)
        assert origin_for_a_browser(text)[1].rstrip(".").removesuffix(":443") == HOST
        assert target.isascii()
        assert target.isprintable()
        assert " " not in target
        assert target[1:2] not in ("/", "\\")


@given(PIECES.map("/".__add__))
def test_a_target_that_was_accepted_means_itself(text: str) -> None:
    target = accepted(text)
    if target is not None:
        assert read(target) == target


@given(
    st.one_of(PIECES.map("/".__add__), st.text().map(lambda text: "/" + quote(text)))
)
def test_a_request_for_the_target_is_read_as_the_target(text: str) -> None:
    """There is no second reading: the request that follows has this path and query."""
    target = accepted(text)
    if target is not None:
        head = read_request(
            f"GET {target} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode(),
            scheme="https",
            port=443,
            limits=HeadLimits(request_line=2 * MAX_URI),
            managed=ManagedNames(()),
        ).head
        query = "" if head.query is None else f"?{head.query}"
        assert head.path + query == target
