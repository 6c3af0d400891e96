"""ID tokens that are bound to the browser's key."""

from typing import Any

import attrs
import pytest

from sso_proxy.authn.oidc_bound import check_bound, check_still_bound
from sso_proxy.errors import TokenError
from sso_proxy.login import Finished
from sso_proxy.model import Request, Response, TokenBindings
from sso_proxy.testing.token_binding import BindingKey
from sso_proxy.tls_facts import TokenBindingId
from tests.support.oidc_scene import OidcScene

KEY, OTHER = BindingKey.create().id, BindingKey.create().id
JKT = 43 * "A"
REFERRED = ("include-referred-token-binding-id", "true")


class BoundScene(OidcScene):
    """A login of a browser that proves to hold a key."""

    key: TokenBindingId | None = KEY

    def request(self, **parts: Any) -> Request:  # noqa: ANN401
        """Make a request with that key."""
        told = None if self.key is None else TokenBindings(provided=self.key)
        return attrs.evolve(super().request(**parts), token_binding=told)

    def come_back(
        self, cnf: object, key: TokenBindingId | None = KEY
    ) -> Finished | Response:
        """Log in with an ID token that is bound to *cnf*, and come back with *key*."""
        self.provider.claims["cnf"] = cnf
        state = self.state()
        self.key = key
        return self.callback({"state": state, "code": "code-1"})


def is_logged_in(found: Finished | Response) -> bool:
    return isinstance(found, Finished)


def test_the_browser_is_asked_to_tell_the_provider_its_key_here() -> None:
    assert REFERRED in BoundScene(token_binding="prefer").begin().headers
    assert REFERRED in BoundScene(token_binding="require").begin().headers
    assert REFERRED not in BoundScene().begin().headers
    scene = BoundScene(token_binding="require")
    scene.key = None
    assert REFERRED not in scene.begin().headers


@pytest.mark.parametrize("level", ["", "prefer", "require"])
def test_a_bound_id_token_is_good_with_its_key_alone(level: str) -> None:
    """Whoever steals the answer, and the cookie with it, is logged in as nobody."""
    bound = {"tbh": KEY.hash}
    assert is_logged_in(BoundScene(token_binding=level).come_back(bound))
    for thief in (OTHER, None):
        scene = BoundScene(token_binding=level)
        assert not is_logged_in(scene.come_back(bound, thief))


def test_one_that_is_not_bound_is_good_unless_it_has_to_be() -> None:
    assert is_logged_in(BoundScene().come_back(None))
    assert is_logged_in(BoundScene(token_binding="prefer").come_back(None))
    assert not is_logged_in(BoundScene(token_binding="require").come_back(None))


def test_new_tokens_of_a_bound_session_may_be_bound_alike() -> None:
    before = {"cnf": {"tbh": KEY.hash}}
    check_still_bound(before, before, thumbprint=None)
    check_still_bound({}, before, thumbprint=None)
    for other in ({"tbh": OTHER.hash}, {"jkt": JKT}, {}):
        with pytest.raises(TokenError):
            check_still_bound({"cnf": other}, before, thumbprint=None)


@pytest.mark.parametrize(
    "cnf",
    [
        *({}, [], "x", 1, {"tbh": 1}, {"tbh": None}, {"tbh": OTHER.hash}),
        *({"tbh": KEY.hash, "x": 1}, {"tbh": KEY.hash, "jkt": 43 * "B"}, {"jkt": 1}),
    ],
)
def test_what_nobody_can_check_is_refused(cnf: object) -> None:
    for thumbprint in (JKT, None):
        with pytest.raises(TokenError):
            check_bound(
                {"cnf": cnf}, thumbprint=thumbprint, provided=KEY.hash, required=False
            )


def test_it_may_be_bound_to_several_keys() -> None:
    both = {"cnf": {"tbh": KEY.hash, "jkt": JKT}}
    check_bound(both, thumbprint=JKT, provided=KEY.hash, required=True)
    with pytest.raises(TokenError):
        check_bound(both, thumbprint=None, provided=KEY.hash, required=True)
    with pytest.raises(TokenError):
        check_bound(both, thumbprint=JKT, provided="", required=True)
