"""
What mod_auth_pubtkt was seen to do, row by row, and what ours does instead.

Debian's module is 0.13; where later ones differ, a comment says so.  Where ours
differs, the row says why, and no other row may differ.
"""

from base64 import b64encode
from typing import Final
from urllib.parse import quote

from tests.support.pubtkt_desk import (
    APP,
    LOGIN,
    NOBODY,
    PLAIN,
    SSO,
    WRONG_KEY,
    Row,
    Said,
    altered,
    always,
    bauth,
    changed,
    cip,
    cookie,
    encrypted,
    good,
    grace,
    mfa,
    more,
    ok,
    padded,
    plus,
    to,
    tok,
    two,
    written,
)

REPOSTED = "307 has browsers post the body to the login server"
FORWARDED = "anybody can send X-Forwarded-Host"
CUT = "a field that is too long is refused, not cut off: that may be another user"
TWICE = "a field that stands twice is refused: other readers take the first"
RESET = "the digest is an option of its own, which a key does not reset"
PART = "a cookie has a name, and not one that ends like it"
CROSSED = "what one key or digest has verified is nothing to another"
CLIENTS = "whoever knows a password could be somebody else to the backend"
FOREVER = "a time before the epoch is none, and not one in 2106"

_AUTH = "Authorization: Basic "


_BADIP = Said(307, f"{SSO}badip?ip=127.0.0.1&back={APP}%2fx")
_UNAUTH = to("login?unauth=1", "/tok")
_BAD = (
    "auth_pubtkt=uid%3Dmallory%3Bvaliduntil%3D3000000000%3Btokens%3D%3Bsig%3D"
    + "A" * 40
)

REQUESTS: Final = (
    Row("no cookie", LOGIN),
    Row(
        "no cookie, query with & = + %",
        to("login", "/a%20b/c%3bd%3fq%3da%2526b%26x%3d1+2%26y%3d%25C3%25A9"),
        path="/a%20b/c;d?q=a%26b&x=1+2&y=%C3%A9",
    ),
    Row("no cookie, path %252e", to("login", "/p%2520q"), path="/p%2520q"),
    Row("no cookie, HTTP/1.0", to("login", status=302), version="1.0"),
    Row(
        "no cookie, POST",
        LOGIN,
        method="POST",
        ours=to("login", status=303),
        why=REPOSTED,
    ),
    Row(
        "no cookie, Host with port",
        Said(307, f"{SSO}login?back={APP}%3a8443%2fx"),
        host="app.test:8443",
    ),
    Row(
        "no cookie, X-Forwarded-Host",
        Said(307, f"{SSO}login?back=http%3a%2f%2fevil.test%2fx"),
        always("X-Forwarded-Host: evil.test"),
        ours=LOGIN,
        why=FORWARDED,
    ),
    # From 0.14 on, the module believes these, too: https%3a%2f%2fapp.test%3a80%2fx,
    # https%3a%2f%2fapp.test%2fx and javascript%3a%2f%2fapp.test%3a80%2fx.
    Row("X-Forwarded-Proto https", LOGIN, always("X-Forwarded-Proto: https")),
    Row(
        "X-Forwarded-Proto/Port",
        LOGIN,
        always("X-Forwarded-Proto: https", "X-Forwarded-Port: 443"),
    ),
    Row("X-Forwarded-Proto=javascript", LOGIN, always("X-Forwarded-Proto: javascript")),
    Row("open location", Said(200), path="/open/x"),
    Row("OPTIONS without ticket", LOGIN, method="OPTIONS"),
)
"""Requests without tickets."""

SIGNATURES: Final = (
    Row("RSA/SHA1", ok(), cookie(good())),
    Row("DSA2048/SHA1", ok(), cookie(good(), "dsa"), "/dsa"),
    Row("DSA1024/SHA1", ok(), cookie(good(), "dsa1024"), "/dsa1024"),
    Row("RSA1024/SHA1", ok(), cookie(good(), "rsa1024"), "/rsa1024"),
    Row("SHA256 where it is set", ok(), cookie(good(), "rsa", "sha256"), "/rsa256"),
    Row("SHA1 on SHA256", to("login", "/rsa256"), cookie(good("d1")), "/rsa256"),
    Row("SHA512 where it is set", ok(), cookie(good(), "rsa", "sha512"), "/rsa512"),
    Row(
        "digest set before key: SHA256",
        to("login", "/digest-before-key"),
        cookie(good("d2"), "rsa", "sha256"),
        "/digest-before-key",
        ok("d2"),
        RESET,
    ),
    Row(
        "digest set before key: SHA1",
        ok("d2"),
        cookie(good("d2")),
        "/digest-before-key",
        to("login", "/digest-before-key"),
        RESET,
    ),
    Row(
        "child sets key only: SHA256",
        to("login", "/rsa256/childkey"),
        cookie(good("d4"), "rsa", "sha256"),
        "/rsa256/childkey",
        ok("d4"),
        RESET,
    ),
    Row(
        "child sets key only: SHA1",
        ok("d4"),
        cookie(good("d4")),
        "/rsa256/childkey",
        to("login", "/rsa256/childkey"),
        RESET,
    ),
    Row("altered uid", LOGIN, changed(lambda text: text.replace("alice", "admin"))),
    Row("altered sig", LOGIN, changed(altered)),
    Row("sig truncated", LOGIN, changed(lambda text: text[:-20])),
    Row(
        "no sig",
        LOGIN,
        changed(lambda text: text.partition(";sig=")[0] + ";pad=1234567890"),
    ),
    Row(
        "empty sig",
        LOGIN,
        changed(lambda text: text.partition(";sig=")[0] + ";pad=1;sig="),
    ),
    Row("trailing ;uid=admin after sig", ok(), changed(lambda t: t + ";uid=admin")),
    Row("trailing garbage after sig", ok(), changed(lambda t: t + "!!!")),
    Row("two ;sig=, garbage second", ok(), changed(lambda t: t + ";sig=QUJD")),
    Row("signed by another key", LOGIN, cookie(good(), "rsa.3")),
    Row(
        "CACHE: at the other key",
        to("login", "/key2"),
        cookie(good("crosskey")),
        "/key2",
    ),
    Row("CACHE: at its key", ok("crosskey"), cookie(good("crosskey"))),
    Row(
        "CACHE: at the other key again",
        ok("crosskey"),
        cookie(good("crosskey")),
        "/key2",
        to("login", "/key2"),
        CROSSED,
    ),
    Row(
        "CACHE: at another digest",
        to("login", "/rsa256"),
        cookie(good("crossdg")),
        "/rsa256",
    ),
    Row("CACHE: at its digest", ok("crossdg"), cookie(good("crossdg"))),
    Row(
        "CACHE: at the other digest again",
        ok("crossdg"),
        cookie(good("crossdg")),
        "/rsa256",
        to("login", "/rsa256"),
        CROSSED,
    ),
)
"""Tickets and what they are signed with."""

TICKETS: Final = (
    Row(
        "all fields",
        ok(tok="admin,staff", data="Some Data"),
        cookie(
            "uid=alice;cip=127.0.0.1;validuntil={3600};graceperiod={60};bauth=eA=="
            ";tokens=admin,staff;udata=Some Data;multifactor=1"
        ),
    ),
    Row(
        "order of the Perl login server",
        ok(tok="admin", data="d"),
        cookie(
            "uid=alice;cip=127.0.0.1;validuntil={3600};graceperiod={60};bauth=eA=="
            ";multifactor=1;tokens=admin;udata=d"
        ),
    ),
    Row('udata contains "="', ok(tok="", data="a=b"), cookie(good(udata="a=b"))),
    Row("unknown field", ok(), cookie(good() + ";foo=1")),
    Row('field without "="', ok(), cookie("junk;" + good())),
    Row(
        "order permuted",
        ok(tok="a", data=""),
        cookie("udata=;tokens=a;validuntil={3600};uid=alice"),
    ),
    Row("duplicate uid", ok("bob"), cookie(good() + ";uid=bob"), ours=LOGIN, why=TWICE),
    Row("expired", to("login?timeout=1"), cookie(good(until="{-10}"))),
    Row(
        "expired, POST",
        to("login?posttimeout=1"),
        cookie(good(until="{-10}")),
        method="POST",
        ours=to("login?posttimeout=1", status=303),
        why=REPOSTED,
    ),
    Row("validuntil = now", ok(), cookie(good(until="{0}"))),
    Row("validuntil missing", LOGIN, cookie("uid=alice;tokens=;udata=")),
    Row("validuntil=0", LOGIN, cookie(good(until="0"))),
    Row("validuntil=-1", ok(), cookie(good(until="-1")), ours=LOGIN, why=FOREVER),
    Row("validuntil=abc", LOGIN, cookie(good(until="abc"))),
    Row("validuntil=4294967296", LOGIN, cookie(good(until="4294967296"))),
    Row("validuntil=3000000000", ok(), cookie(good(until="3000000000"))),
    Row("validuntil with trailing junk", ok(), cookie(good(until="{3600}xyz"))),
    Row("uid empty", LOGIN, cookie(good(""))),
    Row("uid missing", LOGIN, cookie("validuntil={3600};tokens=;udata=")),
    Row("uid 64 chars", ok("u" * 64), cookie(good("u" * 64))),
    # From 0.14 on, the module cuts at 255.
    Row(
        "uid 65 chars", ok("u" * 64), cookie(good("u" * 65)), ours=ok("u" * 65), why=CUT
    ),
    Row(
        "uid 255 chars",
        ok("u" * 64),
        cookie(good("u" * 255)),
        ours=ok("u" * 255),
        why=CUT,
    ),
    Row("uid 256 chars", ok("v" * 64), cookie(good("v" * 256)), ours=LOGIN, why=CUT),
    Row("uid utf-8", ok("josÃ©"), cookie(good("josé"))),
    Row("uid with CR LF", Said(500), cookie(good("a\r\nX-Evil: 1"))),
    Row(
        "udata 300 chars",
        ok(tok="", data="d" * 255),
        cookie(good(udata="d" * 300)),
        ours=LOGIN,
        why=CUT,
    ),
    Row(
        "ticket 1024 octets",
        ok(tok="", data="e" * 255),
        padded(1024),
        ours=LOGIN,
        why=CUT,
    ),
    Row("ticket 1025 octets", LOGIN, padded(1025)),
    Row("cip wrong", _BADIP, cip("192.0.2.9")),
    Row("cip wrong + expired", _BADIP, cip("192.0.2.9", "{-10}")),
    Row("cip right", ok(), cip("127.0.0.1")),
    Row("cip in another text form", _BADIP, cip("127.0.0.01")),
    Row(
        "cip + X-Forwarded-For",
        _BADIP,
        more(cip("192.0.2.9"), "X-Forwarded-For: 192.0.2.9"),
    ),
    Row("in grace, GET", to("refresh"), grace("{-10}")),
    Row("in grace, HEAD", Said(200), grace("{-10}"), method="HEAD"),
    Row("in grace, POST", ok(), grace("{-10}"), method="POST"),
    Row("before grace, GET", ok(), grace("{60}")),
)
"""What tickets say."""

RULES: Final = (
    Row("tokens: has staff", ok(tok="foo,staff", data=""), tok("foo,staff"), "/tok"),
    Row("tokens: only prefix adm", _UNAUTH, tok("adm"), "/tok"),
    Row('tokens: with space " staff"', _UNAUTH, tok("foo, staff"), "/tok"),
    Row("tokens: case STAFF", _UNAUTH, tok("STAFF"), "/tok"),
    Row("tokens: none", _UNAUTH, tok(""), "/tok"),
    Row("TKTAuthToken NULL", ok(), tok(""), "/tok/null"),
    Row("mfa required, absent", to("mfa", "/mfa"), mfa(""), "/mfa"),
    Row("mfa required, 0", to("mfa", "/mfa"), mfa(";multifactor=0"), "/mfa"),
    Row("mfa required, 1", ok(), mfa(";multifactor=1"), "/mfa"),
    Row("mfa required, 2", to("mfa", "/mfa"), mfa(";multifactor=2"), "/mfa"),
    Row(
        "RequireSSL on http, valid ticket", to("login", "/ssl"), cookie(good()), "/ssl"
    ),
    Row(  # From 0.14 on, back=https%3a%2f%2fapp.test%3a80%2fssl.
        "RequireSSL + X-Forwarded-Proto https",
        to("login", "/ssl"),
        more(cookie(good()), "X-Forwarded-Proto: https"),
        "/ssl",
    ),
    Row("no login URL: no cookie", Said(403), host=NOBODY),
    Row("no login URL: good", ok(), cookie(good()), host=NOBODY),
    Row("no login URL: expired", Said(403), cookie(good(until="{-10}")), host=NOBODY),
    Row("no login URL: in grace", Said(403), grace("{-10}"), host=NOBODY),
    Row("no login URL: wrong cip", Said(403), cip("192.0.2.9"), host=NOBODY),
)
"""What locations ask for."""

CARRIERS: Final = (
    Row(
        "header, URL-encoded",
        ok("plus"),
        plus(lambda t: "X-My-Auth: " + quote(t, "")),
        "/hdr",
    ),
    Row("header, raw", to("login", "/hdr"), plus(lambda t: "X-My-Auth: " + t), "/hdr"),
    Row(
        "bad header + good cookie",
        to("login", "/hdr"),
        more(cookie(good("c1")), "X-My-Auth: bad"),
        "/hdr",
    ),
    Row(
        "empty header + good cookie",
        ok("ck2"),
        more(cookie(good("ck2")), "X-My-Auth:"),
        "/hdr",
    ),
    Row('cookie quoted "..."', ok(), written(lambda t: f'"{quote(t, "")}"')),
    Row("cookie not URL-encoded", LOGIN, written(str)),
    Row(
        "cookie quote_plus",
        ok(tok="", data="a b"),
        written(lambda t: quote(t, " ").replace(" ", "+"), good(udata="a b")),
    ),
    Row(
        '"+" of base64 raw',
        LOGIN,
        plus(lambda t: "Cookie: auth_pubtkt=" + quote(t, "+")),
    ),
    Row(
        '"+" as %2B, rest raw but ;',
        ok("plus"),
        plus(
            lambda t: "Cookie: auth_pubtkt=" + t.replace("+", "%2B").replace(";", "%3B")
        ),
    ),
    Row("two cookies: bad then good", LOGIN, two(_BAD, "auth_pubtkt={}")),
    Row("two cookies: good then bad", ok(), two("auth_pubtkt={}", _BAD)),
    Row("two cookies: empty then good", ok(), two("auth_pubtkt=", "auth_pubtkt={}")),
    Row("cookie with %zz, then good", ok(), two("auth_pubtkt=a%zz", "auth_pubtkt={}")),
    Row("cookie with %00, then good", ok(), two("auth_pubtkt=a%00", "auth_pubtkt={}")),
    Row(
        "xauth_pubtkt=garbage first",
        LOGIN,
        two("x" + _BAD, "auth_pubtkt={}"),
        ours=ok(),
        why=PART,
    ),
    Row(
        "xauth_pubtkt holds the ticket",
        ok(),
        two("a=b", "xauth_pubtkt={}"),
        ours=LOGIN,
        why=PART,
    ),
    Row("cookie name case AUTH_PUBTKT", LOGIN, two("a=b", "AUTH_PUBTKT={}")),
    Row(
        "two Cookie headers: other, then good",
        ok(),
        lambda desk: ["Cookie: a=b", *cookie(good())(desk)],
    ),
    Row("cookie short", LOGIN, always("Cookie: auth_pubtkt=uid%3Da%3Bsig%3DQUJD")),
    Row("custom name: none", to("login", "/name", arg="url"), path="/name"),
    Row(
        "custom name: default name given",
        to("login", "/name", arg="url"),
        cookie(good()),
        "/name",
    ),
    Row("custom name", ok(), cookie(good(), name="sso_t"), "/name"),
)
"""Where tickets are."""

BASIC: Final = (
    Row(
        "fake", ok(authorization="Basic YWxpY2U6cGFzc3dvcmQ="), cookie(good()), "/fake"
    ),
    Row(
        "fake, client's Authorization",
        ok(authorization="Basic cm9vdDp4"),
        more(cookie(good()), _AUTH + "cm9vdDp4"),
        "/fake",
        ok(authorization="Basic YWxpY2U6cGFzc3dvcmQ="),
        CLIENTS,
    ),
    Row("bauth plain", ok(authorization="Basic YWw6cHc="), bauth(PLAIN), "/bauth"),
    Row("bauth absent", ok(authorization=""), cookie(good()), "/bauth"),
    Row(
        "bauth encrypted",
        ok(authorization="Basic YWw6c2VjcmV0cHc="),
        encrypted(b"al:secretpw"),
        "/bauthenc",
    ),
    Row(
        "bauth encrypted, exactly a block",
        ok(authorization="Basic YWw6MTIzNDU2Nzg5MDEyMw=="),
        encrypted(b"al:1234567890123"),
        "/bauthenc",
    ),
    Row(
        "bauth with wrong key",
        ok(authorization="Basic XXXzRUd3+8J/ovirMVO4MA=="),
        bauth(WRONG_KEY),
        "/bauthenc",
    ),
    Row(
        "bauth plain on enc location",
        ok(authorization="Basic YWw6cHc="),
        bauth(PLAIN),
        "/bauthenc",
    ),
    Row(
        "bauth not multiple of 16",
        Said(500),
        bauth(b64encode(bytes(33)).decode()),
        "/bauthenc",
    ),
    Row(
        "bauth: client's Authorization",
        ok(authorization="Basic eDp5"),
        more(bauth(PLAIN), _AUTH + "eDp5"),
        "/bauth",
        ok(authorization="Basic YWw6cHc="),
        CLIENTS,
    ),
)
"""Credentials for the backend."""

ROWS: Final = (*REQUESTS, *SIGNATURES, *TICKETS, *RULES, *CARRIERS, *BASIC)
MAY_DIFFER: Final = frozenset(
    (REPOSTED, FORWARDED, CUT, TWICE, RESET, PART, CROSSED, CLIENTS, FOREVER)
)
"""The faults that are not repeated."""
