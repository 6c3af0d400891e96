"""Messages of a provider about logins that are over."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from sso_proxy.authn.oidc_backchannel import MOST, BackChannel
from sso_proxy.authn.oidc_identity import Identifier
from sso_proxy.caches.memory import MemoryCacheConfig
from sso_proxy.errors import UnavailableError
from sso_proxy.login import LogoutNotice
from sso_proxy.model import Response
from sso_proxy.specs.oidc.id_token import LOGOUT_EVENT
from sso_proxy.testing.tokens import TokenSigner
from tests.support.caching import now
from tests.support.oidc_scene import FORM, ISSUER, OidcScene
from tests.support.sessions import BrokenCache

PATH = "/.sso/logout/backchannel/corp"


class Scene(OidcScene):
    """A provider that sends logout tokens."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401
        super().__init__(**options)
        self.channel = BackChannel(self.parts, Identifier(self.parts))

    def token(self, **changes: Any) -> str:  # noqa: ANN401
        """Make a logout token; None takes a claim out."""
        claims = {"jti": "t-1", "sid": "s-1", "events": {LOGOUT_EVENT: {}}, **changes}
        return self.provider.id_token(**{"nonce": None, **claims})

    def post(self, body: str, content_type: str | None = FORM) -> Any:  # noqa: ANN401
        headers = {} if content_type is None else {"content-type": content_type}
        request = self.request(
            method="POST", path=PATH, headers=headers, body=body.encode()
        )
        return now(self.channel.read(request))

    def tell(self, token: str | None = None, **more: str) -> Any:  # noqa: ANN401
        token = self.token() if token is None else token
        return self.post(urlencode({"logout_token": token, **more}))

    def why(self, found: object) -> str:
        """Check that it was refused, and give why."""
        assert isinstance(found, Response)
        assert found.status == 400
        assert dict(found.headers)["cache-control"] == "no-store"
        assert dict(found.headers)["content-type"] == "application/json"
        told = json.loads(found.body)
        assert told["error"] == "invalid_request"
        return str(told["error_description"])


def test_an_operator_can_do_without() -> None:
    found = Scene(backchannel_logout="off").tell()
    assert isinstance(found, Response)
    assert found.status == 404


def test_without_a_cache_nobody_knows_what_came_before() -> None:
    scene = Scene(cache="")
    found = scene.tell()
    assert isinstance(found, Response)
    assert found.status == 404
    with pytest.raises(UnavailableError):
        now(scene.channel.settle(LogoutNotice(issuer=ISSUER, mark="00")))


def test_a_good_token_says_whose_sessions_end() -> None:
    found = Scene().tell()
    assert isinstance(found, LogoutNotice)
    assert (found.issuer, found.subject, found.sid) == (ISSUER, "alice", "s-1")


def test_other_parameters_are_ignored() -> None:
    """Section 2.5: more may be there, and must be ignored if not understood."""
    assert isinstance(Scene().tell(ignored_parameter="x"), LogoutNotice)


@pytest.mark.parametrize("content_type", [None, "application/json", "text/plain"])
def test_no_content_type(content_type: str | None) -> None:
    scene = Scene()
    found = scene.post(urlencode({"logout_token": scene.token()}), content_type)
    assert scene.why(found) == "logout-form: this is no form"


def test_duplicate_parameter() -> None:
    scene = Scene()
    text = urlencode({"logout_token": scene.token()})
    found = scene.post(f"{text}&{text}")
    assert scene.why(found) == "logout-form: logout_token is there 2 times"


@pytest.mark.parametrize(
    "body", ["", "x=1", "logout_tokens=x", "\xff", "a;logout_token=x"]
)
def test_a_form_without_a_token_is_refused(body: str) -> None:
    scene = Scene()
    scene.why(scene.post(body))


def test_a_form_that_is_too_long_is_refused() -> None:
    scene = Scene()
    scene.why(scene.post("logout_token=" + "x" * MOST))


def test_what_is_no_logout_token_is_refused() -> None:
    scene = Scene()
    assert scene.why(scene.tell("x")).startswith("token-malformed")
    assert scene.why(scene.tell(scene.provider.id_token())).startswith("token-jti")
    other = TokenSigner.create("ES256", "first").sign({"iss": ISSUER}, typ="JWT")
    assert scene.why(scene.tell(other)) == "token-signature: wrong signature"


def test_keys_that_are_new_are_fetched() -> None:
    scene = Scene()
    scene.provider.signers = [TokenSigner.create("ES256", "second")]
    assert isinstance(scene.tell(), LogoutNotice)
    assert scene.provider.fetched == 1


def test_replayed_jti() -> None:
    scene = Scene()
    token = scene.token()
    notice = scene.tell(token)
    assert now(scene.channel.settle(notice))
    assert scene.why(scene.tell(token)) == "token-replayed: it came before"
    assert scene.why(scene.tell(scene.token(sid="s-2"))).startswith("token-replay")
    assert isinstance(scene.tell(scene.token(jti="t-2")), LogoutNotice)


def test_what_could_not_be_done_may_be_sent_again() -> None:
    """Section 2.8: the provider may repeat what failed."""
    scene = Scene()
    token = scene.token()
    assert isinstance(scene.tell(token), LogoutNotice)
    assert isinstance(scene.tell(token), LogoutNotice)


def test_of_two_at_the_same_time_one_counts() -> None:
    scene = Scene()
    one, other = scene.tell(), scene.tell()
    assert now(scene.channel.settle(one))
    assert not now(scene.channel.settle(other))


def test_a_token_is_known_for_as_long_as_it_could_be_good() -> None:
    scene = Scene()
    token = scene.token(iat=scene.clock.time() + 599, exp=None)
    assert now(scene.channel.settle(scene.tell(token)))
    scene.clock.advance(1198)
    assert scene.why(scene.tell(token)).startswith("token-replayed")
    scene.clock.advance(10)
    assert scene.why(scene.tell(token)).startswith("token-old")


class SimpleCache(BrokenCache):
    """A cache that can do what memcached can."""

    operations = frozenset({"get", "put", "delete", "touch", "compare_and_set"})


def test_a_simple_cache_will_do() -> None:
    scene = Scene()
    cache = SimpleCache(MemoryCacheConfig(), scene.clock)
    cache.broken = frozenset({"add"})
    object.__setattr__(scene.parts, "cache", cache)
    notice = scene.tell()
    assert now(scene.channel.settle(notice))
    assert not now(scene.channel.settle(notice))
    assert scene.why(scene.tell()).startswith("token-replayed")


@pytest.mark.parametrize("method", ["endpoints", "key_set"])
def test_a_provider_whose_keys_cannot_be_had_is_told_to_try_again(method: str) -> None:
    scene = Scene()
    scene.provider.place = scene.provider.place
    scene.provider.failures[method] = UnavailableError("the provider")
    with pytest.raises(UnavailableError):
        scene.tell()
