"""What the pages about tickets say can be done, and every option is on them."""

import re
from pathlib import Path

import attrs

from sso_proxy.authn.pubtkt_config import PubtktConfig
from sso_proxy.specs.pubtkt import LIMITS, Ticket, parse
from tests.support.pubtkt_keys import private_pem, public_pem

DOCS = Path(__file__).parents[2] / "docs"
HOW_TO = (DOCS / "howto" / "pubtkt.md").read_text("utf-8")
FORMAT = (DOCS / "formats" / "pubtkt.md").read_text("utf-8")
DIRECTIVES = """
    BackArgName BadIPURL CookieName Debug Digest FakeBasicAuth Header LoginURL
    MultifactorURL PassthruBasicAuth PassthruBasicKey PostTimeoutURL PublicKey
    RefreshURL RequireMultifactor RequireSSL TimeoutURL Token UnauthURL
"""


def test_every_directive_has_its_option() -> None:
    rows = re.findall(r"^\| `TKTAuth(\w+)` \| `(\w+)` \|", HOW_TO, re.MULTILINE)
    assert sorted(directive for directive, _ in rows) == DIRECTIVES.split()
    options = {field.name for field in attrs.fields(PubtktConfig)}
    own = {
        "client_authorization",
        "every_cookie",
        "every_header",
        "encoding",
        "issuer",
        "cache_size",
    }
    assert {option for _, option in rows} == options - own


def test_the_code_for_tickets_does_what_it_says() -> None:
    [code] = re.findall(r"^```python\n(.*?)^```", FORMAT, re.MULTILINE | re.DOTALL)
    given = {"private_pem": private_pem("rsa"), "public_pem": public_pem("rsa")}
    made: dict[str, object] = dict(given)
    exec(code, made)  # noqa: S102
    assert str(made["cookie"]).startswith("auth_pubtkt=uid%3Dalice%3Bvaliduntil%3D")


def test_the_ticket_on_the_page_is_one() -> None:
    [text] = re.findall(r"^```text\n(.*?)\n```", FORMAT, re.MULTILINE)
    assert parse(text) == Ticket(
        uid="alice",
        cip="192.0.2.1",
        valid_until=1_800_000_000,
        grace_period=1_799_996_400,
        bauth="YWw6cHc=",
        tokens=("staff", "it"),
        udata="any text",
        multifactor="1",
    )
    for name, octets in LIMITS.items():
        assert re.search(
            rf"^\| `{name}` \| (?:1 to )?{octets} \|", FORMAT, re.MULTILINE
        )
