"""docs/howto/stolen-credentials.md says what the code does."""

from pathlib import Path
from xml.etree import ElementTree as ET

import attrs
import pytest

from sso_proxy.authn.certificate_binding import CertificateBinding
from sso_proxy.authn.dpop_binding import DpopBindingConfig
from sso_proxy.model import Unbound
from sso_proxy.net.coroutine import run
from sso_proxy.sessions.cookie import CookieSessionConfig
from sso_proxy.sessions.login_state import LoginStates
from sso_proxy.sessions.options import CookieConfig
from sso_proxy.sessions.server import ServerSessionConfig
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import (
    FakeTools,
    make_certificate,
    make_identity,
    make_request,
)

HOWTO = Path(__file__).parents[2] / "docs" / "howto"
PAGE = (HOWTO / "stolen-credentials.md").read_text()


@pytest.mark.parametrize("config", [CookieSessionConfig(), ServerSessionConfig()])
def test_sessions_last_as_long_as_it_says(
    config: CookieSessionConfig | ServerSessionConfig,
) -> None:
    assert "after 30 minutes without a request (`inactivity`)" in PAGE
    assert config.inactivity == 30 * 60
    assert "8 hours after the login (`lifetime`)" in PAGE
    assert config.lifetime == 8 * 3600
    assert CookieConfig().same_site == "lax"


def test_logins_and_proofs_last_as_long_as_it_says() -> None:
    assert "within an hour" in PAGE
    tools = FakeTools()
    states = LoginStates(tools.sealer("login"), SettableClock())
    assert states._lifetime == 3600  # noqa: SLF001
    assert "for a minute (`max_age`" in PAGE
    assert DpopBindingConfig().max_age == 60


def test_who_goes_by_a_ticket_or_password_is_bound_to_nothing() -> None:
    """A route that requires it refuses their owners, too, whatever they show."""
    assert "tickets are never bound to a key" in PAGE
    binding = CertificateBinding.from_config(
        CertificateBinding.config_class(), FakeTools()
    )
    request = make_request(certificate=make_certificate())
    found: list[Unbound | None] = []
    run(binding.check(request, make_identity()), found.append, print)
    (unbound,) = found
    assert isinstance(unbound, Unbound)
    assert unbound.reason == "not-certificate-bound"


def test_the_picture_can_be_read_without_being_seen() -> None:
    """It is as good on a dark page: it has a ground of its own."""
    assert "](stolen-credentials.svg)" in PAGE
    root = ET.parse(HOWTO / "stolen-credentials.svg").getroot()  # noqa: S314 - ours
    space = "{http://www.w3.org/2000/svg}"
    assert root.get("role") == "img"
    labels = (root.get("aria-labelledby") or "").split()
    named = [root.find(space + "title"), root.find(space + "desc")]
    assert [each.get("id") for each in named if each is not None] == labels
    ground = root.find(space + "rect")
    assert ground is not None
    assert ground.get("fill") == "#fff"
    words = [each for each in root.iter(space + "text") if each.text]
    assert len(words) > 10


def test_every_setting_that_it_names_is_there() -> None:
    for name in ("certificate", "token_binding", "`dpop`", "`cookies`", "`client_crl`"):
        assert name in PAGE
    names = {field.name for field in attrs.fields(CookieSessionConfig)}
    assert "binding" in names
