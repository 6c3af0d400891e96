"""Providers are asked whether they know where logins end."""

import json
from typing import Any
from urllib.parse import urlsplit

import attrs
import pytest

from sso_proxy.authn.oidc_config import OidcConfig
from sso_proxy.config.load import parse_config
from sso_proxy.config.secrets import Secret
from sso_proxy.doctor.asking import Heard
from sso_proxy.doctor.redirects import look_at_redirects
from sso_proxy.errors import UnavailableError
from sso_proxy.net.http_reply import HttpReply
from tests.support.caching import now

ISSUER = "https://login.example.com"
ENDPOINT = f"{ISSUER}/authorize"
CONFIG = """
[[listener]]
address = "127.0.0.1"
port = 8443
certificate = "a.crt"
key = "a.key"
[[route]]
host = "app.example.com"
authenticate = ["people"]
backend = "http://127.0.0.1:9"
[[route]]
host = "app.example.com"
path = "/more/"
authenticate = ["people"]
backend = "http://127.0.0.1:9"
[authenticator.people]
type = "oidc"
"""
USUAL = "https://app.example.com/.sso/callback/people"
OURS = "https://app.example.com:8443/.sso/callback/people"


@attrs.define
class Provider:
    """Knows some places, shows pages for some; says *otherwise* of others."""

    places: tuple[str, ...] = ()
    otherwise: int | None = 400
    pages: tuple[str, ...] = ()
    metadata: dict[str, Any] = attrs.field(factory=dict)
    asked: list[str] = attrs.field(factory=list)

    @property
    def heard(self) -> list[Heard]:
        said = {"issuer": ISSUER, "authorization_endpoint": ENDPOINT, **self.metadata}
        headers = (("content-type", "application/json"),)
        body = json.dumps(said).encode()
        return [Heard(ISSUER, HttpReply(status=200, headers=headers, body=body), 0, 0)]

    async def get(self, url: str, *, fields: Any, **_: object) -> HttpReply:  # noqa: ANN401
        assert url == ENDPOINT
        place = dict(fields)["redirect_uri"]
        assert dict(fields)["prompt"] == "none"
        self.asked.append(place)
        if self.otherwise is None:
            raise UnavailableError("down")
        if place in self.places:
            back = (("location", f"{place}?error=login_required"),)
            return HttpReply(status=303, headers=back)
        if place in self.pages:
            return HttpReply(status=200)
        login = (("location", f"{ISSUER}/login?redirect_uri={place}"),)
        return HttpReply(status=self.otherwise, headers=login)


def look(provider: Provider, config: str = CONFIG, **options: Any) -> list[str]:  # noqa: ANN401
    oidc = OidcConfig(
        issuer=ISSUER, client_id="app", client_secret=Secret("s" * 40), **options
    )
    client: Any = provider
    found = now(
        look_at_redirects(parse_config(config, "/x/y.toml"), "people", oidc, client)
    )
    return [str(each) for each in found]


@pytest.mark.parametrize("place", [USUAL, OURS])
def test_a_place_that_the_provider_knows_is_good(place: str) -> None:
    """Both routes have one place; the port outside may be another than ours."""
    (line,) = look(Provider((place,)))
    assert line.startswith("ok ")
    assert line.endswith(f"sends people to {place}")


def test_a_place_that_it_does_not_know_has_to_be_registered() -> None:
    provider = Provider()
    (line,) = look(provider)
    assert line.startswith(f"broken  authenticator.people, redirect URI {USUAL}: ")
    assert "register it there for the client 'app'" in line
    assert provider.asked == [USUAL, OURS]


@pytest.mark.parametrize("status", [200, 302, 503])
def test_a_page_says_nothing(status: int) -> None:
    (line,) = look(Provider(otherwise=status))
    assert line.startswith("warning ")
    assert f"({status})" in line


def test_a_page_for_one_place_alone_says_that_it_is_known() -> None:
    (line,) = look(Provider(pages=(OURS,)))
    assert line.startswith("ok ")
    assert line.endswith(f"refuses others, and shows a page (200) for {OURS}")
    (line,) = look(Provider(pages=(USUAL, OURS)))
    assert line.startswith("warning ")
    (line,) = look(Provider(pages=(OURS,), otherwise=503))
    assert line.startswith("warning ")


def test_who_is_down_is_not_asked_twice() -> None:
    provider = Provider(otherwise=None)
    (line,) = look(provider)
    assert line.startswith("broken ")
    assert len(provider.asked) == 1


def test_what_cannot_be_tried_is_said() -> None:
    pushed = Provider(metadata={"require_pushed_authorization_requests": True})
    assert "have to be pushed" in look(pushed)[0]
    assert pushed.asked == []
    unknown = Provider(metadata={"authorization_endpoint": None})
    assert "nobody says where to ask" in look(unknown)[0]
    anywhere = look(Provider(), CONFIG.replace('"app.example.com"', '"*"'))
    assert "for each host" in anywhere[0]


def test_other_places_are_where_they_are_configured() -> None:
    at = "https://else.example.com/back"
    assert urlsplit(at).path in look(Provider((at,)), redirect_uri=at)[0]
    moved = CONFIG.replace('path = "/more/"', 'path = "/m/"\nendpoints = "/m/.x/"')
    provider = Provider()
    assert len(look(provider, moved)) == 2
    assert "https://app.example.com/m/.x/callback/people" in provider.asked
