"""Frames by which a provider says that somebody has logged out."""

from typing import Any
from urllib.parse import urlencode

import attrs
import pytest

from sso_proxy.authn.oidc_frontchannel import FrontChannel
from sso_proxy.login import LogoutNotice
from sso_proxy.model import Response
from tests.support.caching import now
from tests.support.oidc_scene import ISSUER, OidcScene


def read(query: str | None, **options: Any) -> Any:  # noqa: ANN401
    scene = OidcScene()
    place = attrs.evolve(scene.provider.place, end_session="https://bye.example:8/end")
    scene.provider.place = place
    config = attrs.evolve(scene.parts.config, **options)
    channel = FrontChannel(attrs.evolve(scene.parts, config=config))
    return now(channel.read(scene.request(query=query)))


def test_a_session_is_named_by_issuer_and_sid() -> None:
    found = read(urlencode({"iss": ISSUER, "sid": "s 1"}))
    assert isinstance(found, LogoutNotice)
    assert (found.issuer, found.subject, found.sid) == (ISSUER, None, "s 1")


def test_the_pages_of_the_provider_may_frame_the_answer() -> None:
    assert read(None).frames == ("https://bye.example:8", ISSUER)


@pytest.mark.parametrize("query", [None, "", "x=1"])
def test_without_a_name_the_browsers_own_is_meant(query: str | None) -> None:
    """Section 2: both are optional, unless they were asked for."""
    found = read(query)
    assert (found.issuer, found.sid) == (ISSUER, None)


@pytest.mark.parametrize(
    "query",
    [
        f"iss={ISSUER}",
        "sid=s-1",
        f"iss={ISSUER}&sid=",
        f"iss={ISSUER}&sid=s-1&sid=s-1",
        f"iss={ISSUER}&iss={ISSUER}&sid=s-1",
        f"iss={ISSUER}/&sid=s-1",
        "iss=https%3A%2F%2Fevil.example&sid=s-1",
        f"iss={ISSUER};sid=s-1",
        f"iss={ISSUER}&sid=" + "x" * 256,
    ],
)
def test_what_is_not_a_good_pair_is_refused(query: str) -> None:
    """Section 2: "If either is included, both MUST be"."""
    found = read(query)
    assert isinstance(found, Response)
    assert found.status == 400
    assert ("cache-control", "no-store") in found.headers


def test_tenants_that_are_allowed_are_taken() -> None:
    options = {
        "issuer": "https://op.example/{tenantid}/v2",
        "metadata": "https://op.example/m",
        "tenants": ("t1",),
    }
    found = read("iss=https://op.example/t1/v2&sid=s-1", **options)
    assert found.issuer == "https://op.example/t1/v2"
    for iss in ("https://op.example/t2/v2", "https://op.example/{tenantid}/v2"):
        assert read(f"iss={iss}&sid=s-1", **options).status == 400
