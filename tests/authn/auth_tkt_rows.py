"""
What mod_auth_tkt was seen to do, row by row, and what ours does instead.

Where ours differs, the row says why, and no other row may differ.  Cookies have more
attributes with ours (HttpOnly, SameSite); name, ticket, path and domain are compared.
"""

from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from sso_proxy.specs.auth_tkt import ANYWHERE, encode_cookie
from tests.support.auth_tkt_desk import (
    GONE,
    LOGIN,
    OLD_SECRET,
    SECRET,
    SIX,
    SSO,
    TIMEOUT,
    UNBELIEVED,
    Desk,
    Row,
    Said,
    always,
    base64,
    octets,
    ok,
    to,
    two,
    written,
)

REPOSTED = "307 has browsers post the body to the login server"
FORWARDED = "anybody can send X-Forwarded-Host"
IN_URL = "whoever makes somebody follow a link could log them in as himself"
EARLY = "a ticket of tomorrow would be good for longer than any should be"
SIXTH = "users have addresses of IPv6"
CONTROLS = "control characters are nobody's name"
EMPTY = "a user without a name is none"
PORT = "a site has a port"
BEHIND = "what stands behind a ticket is nobody's word"
ONE_WAY = "a ticket is written in one way"
UNLET = "who is not let in gets no ticket"
NEVER_SET = "a cookie is set for nobody whose ticket was not good"
MAY_DIFFER: Final = {
    REPOSTED,
    FORWARDED,
    IN_URL,
    EARLY,
    SIXTH,
    CONTROLS,
    EMPTY,
    PORT,
    BEHIND,
    ONE_WAY,
    UNLET,
    NEVER_SET,
}

FRESH: Final = "alice!! auth_tkt app.test"
_BAD = "auth_tkt=" + "0" * 40 + "mallory!"


def in_url(
    write: Callable[[str], str] = encode_cookie, secret: str = SECRET
) -> Callable[[Desk], str]:
    """Show a ticket in the query."""
    return lambda desk: f"/x?auth_tkt={write(desk.ticket('alice', secret=secret))}"


REQUESTS: Final = (
    Row("no cookie", LOGIN),
    Row(
        "no cookie + query",
        to("login", "/x%3fa%3d1%26b%3d2%26c%3d"),
        path="/x?a=1&b=2;c",
    ),
    Row(
        "no cookie, path with escapes",
        to("login", "/a%20b%3bc%3fq%3da%2526b%26y%3d%25C3%25A9"),
        path="/a%20b;c?q=a%26b&y=%C3%A9",
    ),
    Row("no cookie, HTTP/1.0", LOGIN, version="1.0"),
    Row("no cookie, HEAD", LOGIN, method="HEAD"),
    Row("no cookie, OPTIONS", LOGIN, method="OPTIONS"),
    Row(
        "no cookie, POST",
        LOGIN,
        method="POST",
        ours=to("login", status=303),
        why=REPOSTED,
    ),
    Row(
        "no cookie, Host with port",
        LOGIN,
        host="app.test:8443",
        ours=Said(307, f"{SSO}login?back=http%3a%2f%2fapp.test%3a8443%2fx"),
        why=PORT,
    ),
    Row(
        "no cookie, X-Forwarded-Host",
        to("login", host="evil.test"),
        always("X-Forwarded-Host: evil.test"),
        ours=LOGIN,
        why=FORWARDED,
    ),
    Row("back argument None", Said(307, SSO + "login"), path="/noback"),
    Row(
        "back cookie",
        Said(
            307,
            SSO + "login",
            given="http%3a%2f%2fapp.test%2fbackcookie back_to app.test",
        ),
        path="/backcookie",
    ),
    Row(
        "login URL without a host",
        Said(
            307,
            "http://app.test/login?back=http%3a%2f%2fapp.test%2frelative",
        ),
        path="/relative",
    ),
    Row("RequireSSL on http", to("login", "/ssl"), base64(), "/ssl"),
)
"""Requests without tickets."""

TICKETS: Final = (
    Row("raw MD5", ok(tok="", data=""), written(str)),
    Row("base64 MD5", ok(tok="", data=""), base64()),
    Row(
        "base64 then url-quoted (%3D)",
        ok("al", tok="", data=""),
        written(lambda t: quote(encode_cookie(t), ""), "al"),
    ),
    Row(
        "base64 without its end",
        ok("al"),
        written(lambda t: encode_cookie(t).rstrip("="), "al"),
    ),
    Row(
        "base64 with more behind",
        ok(),
        written(lambda t: encode_cookie(t) + "@x"),
        ours=LOGIN,
        why=BEHIND,
    ),
    Row(
        "base64 with a NUL and more behind",
        ok(data="d"),
        octets(b"alice!!d", b"\0more"),
        ours=LOGIN,
        why=BEHIND,
    ),
    Row("url-escaped raw", ok(), written(lambda t: quote(t, ""))),
    Row("quoted base64", ok(), written(lambda t: f'"{encode_cookie(t)}"')),
    Row(
        "tokens+udata",
        ok(tok="admin,x", data="u d"),
        base64(tokens=("admin", "x"), udata="u d"),
    ),
    Row(
        "udata w/o tokens",
        ok(tok="", data="justdata"),
        written(lambda t: encode_cookie(t.replace("!!", "!")), udata="justdata"),
    ),
    Row("SHA256", ok(), base64(digest="sha256"), host="sha256.test"),
    Row("SHA512", ok(), base64(digest="sha512"), host="sha512.test"),
    Row(
        "MD5 ticket on SHA256 vhost",
        to("login", host="sha256.test"),
        base64(),
        host="sha256.test",
    ),
    Row("SHA256 ticket on MD5 vhost", LOGIN, base64(digest="sha256")),
    Row("wrong IP", LOGIN, base64(ip="192.0.2.9")),
    Row(
        "wrong IP + X-Forwarded-For",
        LOGIN,
        lambda desk: [*base64(ip="192.0.2.9")(desk), "X-Forwarded-For: 192.0.2.9"],
    ),
    Row("0.0.0.0 ticket", LOGIN, base64(ip=ANYWHERE)),
    Row("0.0.0.0 ticket on IgnoreIP", ok(), base64(ip=ANYWHERE), "/ignoreip"),
    Row("real-ip ticket on IgnoreIP", to("login", "/ignoreip"), base64(), "/ignoreip"),
    Row("bad secret", LOGIN, base64(secret="another")),
    Row(
        "altered user",
        LOGIN,
        written(lambda t: encode_cookie(t.replace("alice", "admin"))),
    ),
    Row(
        "altered time",
        LOGIN,
        written(lambda t: encode_cookie(t[:32] + "7fffffff" + t[40:])),
    ),
    Row("digest in capitals", LOGIN, written(lambda t: t[:32].upper() + t[32:])),
    Row(
        "time in capitals",
        ok(),
        octets(b"alice!", write=bytes.upper),
        ours=LOGIN,
        why=ONE_WAY,
    ),
    Row(
        "time with 0x",
        to("login?timeout=1", given=GONE),
        octets(b"alice!", write=lambda time: b"0x" + time[2:]),
        ours=LOGIN,
        why=ONE_WAY,
    ),
    Row("user empty", ok(""), octets(b"!"), ours=LOGIN, why=EMPTY),
    Row(
        "user with a line end",
        ok("a  X-Evil: 1"),
        octets(b"a\r\nX-Evil: 1!"),
        ours=Said(500),
        why=CONTROLS,
    ),
    Row("user with a tab", ok("a\tb"), octets(b"a\tb!"), ours=Said(500), why=CONTROLS),
    Row(
        'ambiguity: tokens="" udata="admin!x"',
        LOGIN,
        written(lambda t: encode_cookie(t.replace("!!", "!", 1)), udata="admin!x"),
    ),
    Row(
        'ambiguity: uid "a!admin"',
        LOGIN,
        octets(b"a!admin!", meant=(b"a!admin", b"", b"")),
    ),
    Row(
        'two "!" before udata with one',
        ok(tok="", data="admin!x"),
        base64(udata="admin!x"),
    ),
    Row("uid utf-8", ok("josÃ©"), base64("josé")),
)
"""What tickets say, and how they are written."""

TIMES: Final = (
    Row(
        "expired",
        to("login?timeout=1", given=GONE),
        base64(age=TIMEOUT + 2),
    ),
    Row(
        "expired, POST",
        to("login?posttimeout=1", given=GONE),
        base64(age=TIMEOUT + 2),
        method="POST",
        ours=to("login?posttimeout=1", status=303, given=GONE),
        why=REPOSTED,
    ),
    Row("half age: refresh cookie", ok(given=FRESH), base64(age=TIMEOUT // 2 + 2)),
    Row(
        "half age, all fields",
        ok(given="alice!a,b!d!e auth_tkt app.test"),
        base64(age=TIMEOUT // 2 + 2, tokens=("a", "b"), udata="d!e"),
    ),
    Row("before half age", ok(), base64(age=TIMEOUT // 2 - 20)),
    Row("TimeoutRefresh 0", ok(), base64(age=TIMEOUT - 20), "/norefresh"),
    Row("TimeoutRefresh 1", ok(given=FRESH), base64(age=2), "/always"),
    Row("Timeout 0", ok(), base64(age=10**9), "/never"),
    Row("future ts, 1 minute", ok(), base64(age=-60)),
    Row("future ts, 1 day", ok(), base64(age=-86400), ours=LOGIN, why=EARLY),
    Row("old secret", ok(given=FRESH), base64(secret=OLD_SECRET)),
    Row(
        "old secret, TimeoutRefresh 0",
        ok(given=FRESH),
        base64(secret=OLD_SECRET),
        "/norefresh",
    ),
    Row(
        "old secret, expired",
        to("login?timeout=1", given=GONE),
        base64(secret=OLD_SECRET, age=TIMEOUT + 2),
    ),
    Row(
        "time ffffffff",
        to("login?timeout=1", given=GONE),
        octets(b"alice!", write=lambda _: b"ffffffff"),
        ours=LOGIN,
        why=EARLY,
    ),
    Row(
        "half age, Domain",
        ok(given="alice!! auth_tkt estate.test"),
        base64(age=TIMEOUT // 2 + 2),
        "/domain",
    ),
    Row(
        "half age, X-Forwarded-Host",
        ok(given="alice!! auth_tkt evil.test"),
        lambda desk: [
            *base64(age=TIMEOUT // 2 + 2)(desk),
            "X-Forwarded-Host: evil.test",
        ],
        ours=ok(given=FRESH),
        why=FORWARDED,
    ),
    Row(
        "expired, other separator",
        Said(
            307,
            f"{SSO}login?timeout=1&back=http%3a%2f%2fapp.test%2famp",
            given=GONE,
        ),
        base64(age=TIMEOUT + 2),
        "/amp",
    ),
)
"""When tickets are good."""

RULES: Final = (
    Row(
        "token required: has", ok(tok="x,admin"), base64(tokens=("x", "admin")), "/tok"
    ),
    Row("token required: none", to("login?unauth=1", "/tok"), base64(), "/tok"),
    Row(
        "token required: only a part",
        to("login?unauth=1", "/tok"),
        base64(tokens=("adm", "administrator", "ADMIN")),
        "/tok",
    ),
    Row("TKTAuthToken NULL", ok(), base64(), "/tok/null"),
    Row(
        "token missing, half age",
        to("login?unauth=1", "/tok", given=FRESH),
        base64(age=TIMEOUT // 2 + 2),
        "/tok",
        to("login?unauth=1", "/tok"),
        UNLET,
    ),
    Row("guest", ok("guest", tok="", data=""), path="/guest"),
    Row("guest, bad ticket", ok("guest"), base64(secret="another"), "/guest"),
    Row("guest, good ticket", ok(), base64(), "/guest"),
    Row(
        "guest, expired ticket",
        to("login?timeout=1", "/guest", given=GONE),
        base64(age=TIMEOUT + 2),
        "/guest",
    ),
    Row(
        "guest fallback, expired ticket",
        ok("guest", given=GONE),
        base64(age=TIMEOUT + 2),
        "/guest/fall",
    ),
    Row("guest, token required", to("login?unauth=1", "/guest/tok"), path="/guest/tok"),
    Row(
        "guest with cookie",
        ok("visitor", given="visitor!! auth_tkt app.test"),
        path="/guest/cookie",
    ),
    Row("guest empty", ok(""), path="/guest/empty"),
)
"""What locations ask for."""

CARRIERS: Final = (
    Row("prefix cookie first", ok(), two("x" + _BAD, "auth_tkt={}")),
    Row("prefix cookie holds the ticket", LOGIN, two("a=b", "xauth_tkt={}")),
    Row("two cookies: bad then good", LOGIN, two(_BAD, "auth_tkt={}")),
    Row("two cookies: good then bad", ok(), two("auth_tkt={}", _BAD)),
    Row("two cookies: empty then good", ok(), two("auth_tkt=", "auth_tkt={}")),
    Row("cookie short", LOGIN, always("Cookie: auth_tkt=deleted")),
    Row(
        "two Cookie headers: other, then good",
        ok(),
        lambda desk: ["Cookie: a=b", *base64()(desk)],
    ),
    Row(
        "custom name: none",
        Said(307, f"{SSO}login?url=http%3a%2f%2fapp.test%2fname"),
        path="/name",
    ),
    Row("custom name", ok(), base64(name="sso_t"), "/name"),
    Row(
        "ticket in URL",
        ok(given=FRESH),
        path=in_url(),
        ours=LOGIN,
        why=IN_URL,
    ),
    Row(
        "ticket in URL url-quoted",
        ok(given=FRESH),
        path=in_url(lambda t: quote(encode_cookie(t), "")),
        ours=LOGIN,
        why=IN_URL,
    ),
    Row(
        "bad ticket in URL",
        to("login", given=f"{UNBELIEVED} auth_tkt app.test"),
        path=in_url(secret="another"),
        ours=LOGIN,
        why=NEVER_SET,
    ),
    Row(
        "IPv6 client",
        to("login", host="six.test"),
        base64(ip=SIX),
        host="six.test",
        peer=SIX,
        ours=ok(),
        why=SIXTH,
    ),
)
"""Where tickets are, and where from."""

ROWS: Final = (*REQUESTS, *TICKETS, *TIMES, *RULES, *CARRIERS)
