"""Only hosts that may be asked are asked where an account logs in."""

import json
from typing import Any

import pytest

from sso_proxy.authn.oidc_many_lookup import Lookups
from sso_proxy.authn.oidc_many_providers import NotHereError
from sso_proxy.errors import UnavailableError
from sso_proxy.net.http_client import HttpReply
from sso_proxy.specs.oidc.webfinger import ISSUER_REL
from tests.support.caching import now
from tests.support.registering import FakeHttp


def lookups(*hosts: str, http: FakeHttp | None = None) -> Lookups:
    client: Any = http
    return Lookups(hosts, client)


@pytest.mark.parametrize(
    ("hosts", "host", "allowed"),
    [
        (("example.com",), "example.com", True),
        (("Example.com",), "example.com", True),
        (("example.com",), "www.example.com", False),
        (("*.example.com",), "www.example.com", True),
        (("*.example.com",), "a.b.example.com", True),
        (("*.example.com",), "example.com", False),
        (("*.example.com",), "evil-example.com", False),
        (("*",), "anything", True),
        ((), "example.com", False),
    ],
)
def test_hosts_are_allowed_by_name(
    hosts: tuple[str, ...],
    host: str,
    allowed: bool,  # noqa: FBT001
) -> None:
    assert lookups(*hosts).allows(host) is allowed


def test_an_account_leads_to_an_issuer() -> None:
    link = {"rel": ISSUER_REL, "href": "https://op.example"}
    body = json.dumps({"links": [link]}).encode()
    http = FakeHttp(HttpReply(status=200, body=body))
    found = lookups("example.com", http=http)
    asked = found.read("joe@example.com")
    spent: list[int] = []
    assert now(found.find(asked, lambda: spent.append(1))) == "https://op.example"
    assert spent == [1]
    url = http.asked[0][1]
    assert url.startswith("https://example.com/.well-known/webfinger?resource=acct%3A")


@pytest.mark.parametrize(
    ("typed", "reason"),
    [("joe@other.com", "unusable"), ("mailto:joe@example.com", "unknown")],
)
def test_nobody_else_is_asked(typed: str, reason: str) -> None:
    with pytest.raises(NotHereError) as caught:
        lookups("example.com").read(typed)
    assert caught.value.reason == reason


@pytest.mark.parametrize("reply", [UnavailableError("down"), HttpReply(status=404)])
def test_a_host_that_does_not_tell_is_said_to(reply: HttpReply | Exception) -> None:
    found = lookups("*", http=FakeHttp(reply))
    with pytest.raises(NotHereError) as caught:
        now(found.find(found.read("joe@example.com"), lambda: None))
    assert caught.value.reason == "unknown"
    assert "joe" not in caught.value.detail


def test_nobody_is_asked_too_often() -> None:
    http = FakeHttp()
    found = lookups("*", http=http)

    def spend() -> None:
        raise NotHereError("too-many-logins", "too many", 429)

    with pytest.raises(NotHereError, match="too many"):
        now(found.find(found.read("joe@example.com"), spend))
    assert http.asked == []
