"""What the pages about tickets say can be done, and every option is on them."""

import re
from pathlib import Path

import attrs

from sso_proxy.authn.auth_tkt_config import AuthTktConfig
from sso_proxy.specs.auth_tkt import DIGESTS, LONGEST, Ticket, TicketKey, verify
from tests.support.auth_tkt_desk import SECRET

DOCS = Path(__file__).parents[2] / "docs"
HOW_TO = (DOCS / "howto" / "auth-tkt.md").read_text("utf-8")
FORMAT = (DOCS / "formats" / "auth-tkt.md").read_text("utf-8")
DIRECTIVES = """
    BackArgName BackCookieName CookieExpires CookieName CookieSecure Debug DigestType
    Domain GuestCookie GuestEmpty GuestFallback GuestLogin GuestUser IgnoreIP LoginURL
    PostTimeoutURL QuerySeparator RequireSSL Secret SecretOld Timeout TimeoutMin
    TimeoutRefresh TimeoutURL Token UnauthURL
"""


def test_every_directive_has_its_option() -> None:
    rows = re.findall(r"^\| `TKTAuth(\w+)` \| `(\w+)`", HOW_TO, re.MULTILINE)
    assert sorted(directive for directive, _ in rows) == DIRECTIVES.split()
    options = {field.name for field in attrs.fields(AuthTktConfig)}
    named = {option for _, option in rows}
    others = {option for option in options - named if f"`{option}" in HOW_TO}
    assert named <= options
    assert options - named - others == {"encoding", "issuer"}


def test_what_is_unset_is_as_the_page_says() -> None:
    config = {field.name: field.default for field in attrs.fields(AuthTktConfig)}
    row = re.compile(r"^\| `TKTAuth\w+` \| `(\w+)`.*? \| (.*?) \|$", re.MULTILINE)
    said = dict(row.findall(HOW_TO))
    for name in ("timeout", "timeout_refresh", "debug"):
        assert float(said[name]) == config[name]
    for name in ("digest", "query_separator", "cookie_name", "guest_user"):
        assert said[name] == f"`{config[name]}`"
    off = {name for name, text in said.items() if text == "off"}
    assert {name for name in config if config[name] is False} - {"every_cookie"} == off


def test_the_code_for_tickets_does_what_it_says() -> None:
    [code] = re.findall(r"^```python\n(.*?)^```", FORMAT, re.MULTILINE | re.DOTALL)
    made: dict[str, object] = {}
    exec(code, made)  # noqa: S102
    assert str(made["cookie"]).startswith("auth_tkt=")


def test_the_ticket_on_the_page_is_one() -> None:
    text, _ = re.findall(r"^```text\n(.*?)\n```", FORMAT, re.MULTILINE | re.DOTALL)
    key = TicketKey(secret=SECRET.encode())
    assert verify(text, key, ip="192.0.2.1") == Ticket(
        uid="alice",
        timestamp=1_800_000_000,
        tokens=("staff", "x"),
        udata="some data",
    )
    assert f"{LONGEST:,} octets" in FORMAT
    assert len(DIGESTS) == 3
