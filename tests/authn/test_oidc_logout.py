"""What a provider is told of somebody who logs out."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import attrs
import pytest

from sso_proxy.authn.oidc_config import OidcConfig
from sso_proxy.authn.oidc_logout import WITHIN, Leaver
from sso_proxy.config.secrets import Secret
from sso_proxy.errors import UnavailableError
from sso_proxy.login import Ended
from sso_proxy.net.provider import ProviderError
from sso_proxy.session import Session
from sso_proxy.specs.jose.encrypt import derive_encryption_key, encrypt_compact
from tests.support.caching import now
from tests.support.oidc_scene import ISSUER, OidcScene

BACK = "https://app.example.com/.sso/logout/done"
SECRET = "a secret that is long enough for all of this"
GIVEN = [("refresh_token", "refresh-1"), ("access_token", "access-1")]


class Scene(OidcScene):
    """Somebody who is logged in at a provider where one can log out."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401
        place = {name: options.pop(name, "/" + name) for name in ("logout", "revoke")}
        super().__init__(**options)
        self.provider.place = attrs.evolve(
            self.provider.place,
            end_session=ISSUER + place["logout"] if place["logout"] else None,
            revocation=ISSUER + place["revoke"] if place["revoke"] else None,
        )
        self.leaver = Leaver(self.parts)
        self.provider.claims = {"sid": "s-1"}

    @property
    def session(self) -> Session:
        session: Session | None = self.request().session
        if session is None:
            self.good()
            session = self.request().session
        assert session is not None
        return session

    def end(self, **data: Any) -> Ended:  # noqa: ANN401
        """Log out, with other *data* in the session; None takes some out."""
        changed = {**self.session.data, **data}
        kept = {name: value for name, value in changed.items() if value is not None}
        return now(self.leaver.end(attrs.evolve(self.session, data=kept), BACK))

    def told(self, **data: Any) -> dict[str, str]:  # noqa: ANN401
        """Log out, and give what the browser brings the provider."""
        url = urlsplit(self.end(**data).url)
        assert f"{url.scheme}://{url.netloc}{url.path}" == ISSUER + "/logout"
        return dict(parse_qsl(url.query, strict_parsing=True))


def test_the_provider_hears_who_leaves_and_where_to() -> None:
    scene = Scene(ui_locales=("de", "en"))
    told = scene.told()

    assert told.pop("id_token_hint") == scene.session.data["id_token"]
    assert len(told.pop("state")) >= 43
    assert told == {
        "client_id": "app",
        "post_logout_redirect_uri": BACK,
        "ui_locales": "de en",
    }


def test_without_an_id_token_there_is_a_hint_if_that_is_wanted() -> None:
    scene = Scene(keep=(), logout_hint="sid")
    told = scene.told()

    assert "id_token_hint" not in told
    assert told["logout_hint"] == "s-1"


def test_a_hint_that_is_no_text_is_none() -> None:
    assert "logout_hint" not in Scene(logout_hint="exp").told()
    assert "logout_hint" not in Scene(logout_hint="there-is-none").told()


def test_an_id_token_that_was_encrypted_for_us_is_not_any_more() -> None:
    """
    The id_token_hint is the decrypted one; nobody else could read the other.

    OpenID Connect RP-Initiated Logout 1.0 section 2.
    """
    scene = Scene(auth="client_secret_basic", client_secret=Secret(SECRET))
    signed = scene.session.data["id_token"]
    key = derive_encryption_key(SECRET, alg="dir", enc="A256GCM")

    assert scene.told(id_token=encrypt_compact(signed, key))["id_token_hint"] == signed


def test_one_that_we_cannot_read_any_more_is_left_out() -> None:
    scene = Scene()
    key = derive_encryption_key(SECRET, alg="dir", enc="A256GCM")
    token = encrypt_compact(scene.session.data["id_token"], key)

    assert "id_token_hint" not in scene.told(id_token=token)


def test_operators_say_what_else_the_provider_hears() -> None:
    scene = Scene(
        post_logout_redirect_uri="https://www.example.com/bye",
        logout_params={"flow": "x y"},
    )
    told = scene.told()

    assert told["post_logout_redirect_uri"] == "https://www.example.com/bye"
    assert told["flow"] == "x y"


def test_browsers_may_stay_at_the_provider() -> None:
    scene = Scene(post_logout_redirect_uri="")
    told = scene.told()

    assert "post_logout_redirect_uri" not in told
    assert "state" not in told
    assert scene.end().kept == {}


def test_only_the_right_state_is_an_answer() -> None:
    scene = Scene()
    kept = scene.end().kept
    state = kept["state"]

    def confirms(query: str | None, kept: dict[str, Any]) -> bool:
        return scene.leaver.confirm(scene.request(query=query), kept)

    assert confirms(f"state={state}", dict(kept))
    assert confirms(f"x=1&state={state}", dict(kept))
    assert not confirms(f"state={state}", {})
    assert not confirms("state=", {})
    assert not confirms(f"state={state}x", dict(kept))
    assert not confirms(f"state={state}&state={state}", dict(kept))
    assert not confirms(f"a=1;state={state}", dict(kept))
    assert not confirms("state=%C3%A4", dict(kept))
    assert not confirms(None, dict(kept))


def test_no_two_logouts_have_a_state_in_common() -> None:
    scene = Scene()
    assert scene.end().kept != scene.end().kept


def test_a_secret_of_a_logout_does_not_show() -> None:
    ended = Scene().end()
    assert ended.kept["state"] not in repr(ended)


@pytest.mark.parametrize("option", [{"logout": ""}, {"logout": "/logout?state=x"}])
def test_a_provider_that_cannot_be_asked_is_not(option: dict[str, str]) -> None:
    ended = Scene(**option).end()
    assert (ended.url, dict(ended.kept)) == ("", {})


def test_tokens_are_given_back_those_for_more_tokens_first() -> None:
    scene = Scene()
    assert scene.end().revoked is True
    assert scene.provider.revoked == GIVEN


def test_without_an_endpoint_or_tokens_nobody_is_asked() -> None:
    for scene in (Scene(revoke=""), Scene(keep=("id_token",))):
        assert scene.end().revoked is None
        assert scene.provider.revoked == []


def test_some_providers_take_back_refresh_tokens_only() -> None:
    scene = Scene()
    scene.provider.takes_back = {"refresh_token"}
    assert scene.end().revoked is True

    scene.provider.takes_back = set()
    assert scene.end().revoked is None


@pytest.mark.parametrize("name", ["refresh_token", "access_token"])
def test_a_refusal_is_told_and_the_rest_is_tried(name: str) -> None:
    scene = Scene()
    scene.provider.failures = {name: ProviderError("invalid_client", "who?")}
    ended = scene.end()

    assert ended.revoked is False
    assert ended.detail == f"{name}: invalid_client who?"
    assert scene.provider.revoked == GIVEN
    assert ended.url


def test_a_provider_that_does_not_answer_is_asked_once() -> None:
    scene = Scene()
    scene.provider.failures = {"revoke": UnavailableError("the provider")}
    ended = scene.end()

    assert (ended.revoked, ended.detail) == (False, "the provider")
    assert scene.provider.revoked == GIVEN[:1]
    assert ended.url


def test_nobody_waits_longer_than_that() -> None:
    scene = Scene()
    scene.provider.slow = WITHIN
    ended = scene.end()

    assert (ended.revoked, ended.detail) == (False, "it took too long")
    assert scene.provider.revoked == GIVEN[:1]


def test_a_provider_that_nobody_finds_is_unknown() -> None:
    scene = Scene()
    session = scene.session
    scene.provider.failures = {"endpoints": UnavailableError("metadata")}

    ended = now(scene.leaver.end(session, BACK))
    assert ended == Ended(revoked=False, detail="metadata")


def test_nobody_else_s_tokens_are_shown_to_a_provider() -> None:
    """The table may have had another issuer when the session began."""
    scene = Scene()
    ended = scene.end(provider="https://other.example")

    assert (ended.url, ended.revoked) == ("", None)
    assert ended.detail
    assert scene.provider.revoked == []


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"logout_params": {"state": "x"}}, "logout_params: state is ours"),
        ({"post_logout_redirect_uri": "/bye"}, "post_logout_redirect_uri: "),
    ],
)
def test_options_that_cannot_be_meant_are_refused(
    options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        OidcConfig(issuer=ISSUER, client_id="app", auth="none", **options)
