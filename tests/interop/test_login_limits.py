"""From one address, so many logins begin in a minute and no more, at a real proxy."""

from collections.abc import Iterator
from typing import Final

import pytest

from sso_proxy.testing.pki import Pki
from tests.support.browser import Browser
from tests.support.login_proxy import LoginProxy, Site, login_proxy

MOST: Final = 3
ISSUER: Final = "https://login.example.com"
BY_HAND: Final = f"""
auth = "none"
authorization_endpoint = "{ISSUER}/authorize"
token_endpoint = "{ISSUER}/token"
jwks_uri = "{ISSUER}/jwks"
"""
"""Nobody has to be there for a login to begin."""


@pytest.fixture(scope="module")
def gate(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoginProxy]:
    """Run the proxy."""
    directory, limits = tmp_path_factory.mktemp("gate"), {"logins_per_minute": MOST}
    sites = {"corp": Site(issuer=ISSUER, options=BY_HAND)}
    with login_proxy(directory, pki, sites, limits=limits) as running:
        yield running


@pytest.mark.parametrize("path", ["/corp/page", "/.sso/login?with=corp&to=/corp/"])
def test_an_address_that_never_stops_is_stopped(gate: LoginProxy, path: str) -> None:
    first, other = gate.browser(), gate.browser()
    url = gate.origin + path
    begun = [first.send("GET", url) for _ in range(MOST)]
    assert [page.status for page in begun] == [303] * MOST
    assert all((page.location or "").startswith(ISSUER) for page in begun)

    stopped = Browser(gate.ca, first.address).send("GET", url)
    assert stopped.status == 429, "it is the address that counts, and no cookie"
    assert stopped.value("retry-after") == "10"
    assert "Too many logins" in stopped.text
    assert "set-cookie" not in dict(stopped.fields)

    assert other.send("GET", url).status == 303
    assert not gate.arrived("corp")
