"""The ``oidc`` authenticator: sessions say who it is."""

import attrs
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from sso_proxy.authn.oidc import OidcAuthenticator
from sso_proxy.authn.oidc_config import OidcConfig
from sso_proxy.coroutines import colour_problems
from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IAuthenticator, IHealth, ILogin, ILogout
from sso_proxy.model import Authenticated, NotPresented, Refusal
from sso_proxy.testing.fakes import NOW, make_request
from tests.support.caching import now
from tests.support.oidc_scene import ISSUER, OidcScene


class SessionTests(TestCase):
    """A request comes."""

    def test_without_a_session_nobody_is_known(self) -> None:
        scene = OidcScene()
        assert now(scene.login.authenticate(scene.request())) == NotPresented()

    def test_a_session_says_who_it_is_and_nobody_is_asked(self) -> None:
        scene = OidcScene()
        scene.good()
        scene.provider.failures = {
            name: UnavailableError(name) for name in ("endpoints", "key_set", "refresh")
        }
        found = now(scene.login.authenticate(scene.request()))
        assert isinstance(found, Authenticated)
        assert found.identity.subject == "alice"
        assert found.until == NOW + 240

    def test_the_session_of_another_authenticator_says_nothing_here(self) -> None:
        scene = OidcScene()
        scene.good()
        other = OidcAuthenticator(attrs.evolve(scene.parts, name="other"))
        assert now(other.authenticate(scene.request())) == NotPresented()

    def test_tokens_are_refreshed_before_they_expire(self) -> None:
        scene = OidcScene()
        scene.good()
        scene.clock.advance(241)
        scene.provider.claims = {"nonce": None}
        found = now(scene.login.authenticate(scene.request()))
        assert isinstance(found, Authenticated)
        assert scene.provider.refreshed == ["refresh-1"]
        session = scene.request().session
        assert session is not None
        assert session.data["access_token"] == "access-2"

    def test_without_a_refresh_token_the_session_goes_on(self) -> None:
        scene = OidcScene(keep=("id_token",))
        scene.good()
        scene.clock.advance(1000)
        found = now(scene.login.authenticate(scene.request()))
        assert found == Authenticated(found.identity)  # type: ignore[union-attr]


class OutsideTests(TestCase):
    """What others see of it."""

    def test_it_provides_what_it_says(self) -> None:
        login = OidcScene().login
        for interface in (IAuthenticator, ILogin, ILogout, IHealth):
            assert verifyObject(interface, login)
            assert not colour_problems(interface, login)

    def test_programs_hear_nothing_of_logins(self) -> None:
        login = OidcScene().login
        assert login.challenge(make_request()) is None
        refusal = Refusal(error="insufficient_user_authentication")
        assert login.refusal(make_request(), refusal) is None

    def test_people_know_it_by_its_title(self) -> None:
        assert OidcScene().login.title == "corp"
        assert OidcScene(title="Corporate login").login.title == "Corporate login"

    def test_a_provider_that_is_down_is_no_reason_to_go_elsewhere(self) -> None:
        """Sessions go on; to take all servers away would end them all."""
        login = OidcScene().login
        now(login.warm())
        assert now(login.probe()) == ("warning: it is down",)


def test_it_is_made_of_its_options() -> None:
    scene = OidcScene()
    config = OidcConfig(issuer=ISSUER, client_id="app", auth="none")
    made = OidcAuthenticator.from_config(config, scene.tools)
    assert made.title == "corp"
    assert made.public_keys == ()
