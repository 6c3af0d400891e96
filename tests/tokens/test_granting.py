"""What all grants have in common: what is asked, and what becomes of the answer."""

from contextlib import suppress
from typing import Any

import pytest

from sso_proxy.config.secrets import Secret
from sso_proxy.errors import UnavailableError
from sso_proxy.specs.oauth.client_auth import FormFields
from sso_proxy.specs.oauth.grants import UnfitError
from sso_proxy.testing.fakes import FakeTokenSource, make_request
from sso_proxy.token import Audience, NotIssued, Token
from sso_proxy.tokens.granting import PlainConfig, PlainSource
from sso_proxy.tokens.keep_rules import KeepRules
from sso_proxy.tokens.remote import Wanted
from sso_proxy.tokens.subject import ACCESS_TOKEN
from tests.support.remote_scene import ORDERS, SECRET, STOCK, RemoteScene, caller
from tests.support.sts import FORM
from tests.support.sts_faults import DOWN, LIFETIMES, REDIRECTS, UNUSABLE, Said, names

JSON = (("Content-Type", "application/json"),)
CLIENT: dict[str, Any] = {
    "client_id": "proxy",
    "client_secret": Secret(SECRET),
    "endpoint": "https://sts.example.com/token",
}


class Example(PlainSource):
    """Asks by the grant that asks for least."""

    config_class = PlainConfig

    def form(self, wanted: Wanted) -> FormFields:
        if wanted.subject is not None and wanted.subject.value == "unfit":
            raise UnfitError("it is unfit")
        return (("grant_type", "client_credentials"),)


def make(**options: Any) -> RemoteScene:  # noqa: ANN401
    return RemoteScene(Example, **({"subject": "none"} | CLIENT | options))


def refused(answer: Token | NotIssued) -> tuple[str, int]:
    assert isinstance(answer, NotIssued)
    return answer.reason, answer.status


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"actor": "cookie:a"}, "actor has no effect"),
        ({"params": {"assertion": "x"}}, "params must not set assertion"),
        ({"params": {"client_secret": "x"}}, "params must not set client_secret"),
        ({"resource": ("orders",)}, "no absolute URI"),
    ],
)
def test_what_has_no_effect_or_no_sense_is_refused(
    options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        PlainConfig(**(CLIENT | options))


def test_an_audience_is_a_resource_and_has_to_be_a_uri() -> None:
    """RFC 8707 section 2, said when the configuration is loaded."""
    source = make().source
    source.check_audience(ORDERS)
    source.check_audience(Audience())
    with pytest.raises(ValueError, match="no absolute URI"):
        source.check_audience(Audience(name="orders"))


def test_an_audience_may_be_a_name_where_the_server_wants_that() -> None:
    scene = make(audience_as="audience")
    scene.source.check_audience(Audience(name="orders"))


def test_a_token_is_what_the_server_says() -> None:
    scene = make()
    scene.sts.jwt = False
    given = scene.ask()
    assert given == Token(
        value=scene.sts.issued[0],
        kind=ACCESS_TOKEN,
        expires=scene.clock.time() + scene.sts.ttl,
    )
    assert scene.sts.complaints == []


def test_what_the_operator_adds_is_sent() -> None:
    scene = make(params={"tenant": "acme"})
    scene.ask()
    assert scene.sts.last["tenant"] == "acme"
    assert scene.sts.asked[0].headers["content-type"] == FORM


def test_refusals_are_told_apart() -> None:
    scene = make(subject="access_token", keep=KeepRules(negative=0))
    for code, status, seen in (
        ("invalid_grant", 400, ("token-refused", 401)),
        ("access_denied", 400, ("token-refused", 403)),
        ("invalid_target", 400, ("token-target", 403)),
        ("invalid_scope", 400, ("token-scope", 403)),
        ("something_new", 400, ("token-unusable", 502)),
        ("", 400, ("token-unusable", 502)),
        ("", 403, ("token-unusable", 502)),
    ):
        body = f'{{"error": "{code}"}}' if code else "<html>"
        scene.sts.fail(Said(status=status, headers=JSON, body=body.encode()))
        assert refused(scene.ask()) == seen, code


def test_who_presented_nothing_is_not_asked_for_anything_better() -> None:
    """Browsers would be sent to log in again and again."""
    refusal = Said(status=400, headers=JSON, body=b'{"error": "invalid_grant"}')
    for subject, status in (("access_token", 401), ("token:own", 403), ("none", 502)):
        scene = make(subject=subject)
        scene.tools.tokens["own"] = FakeTokenSource()
        scene.sts.fail(refusal)
        assert refused(scene.ask()) == ("token-refused", status)


def test_what_is_our_own_fault_is_502() -> None:
    """The operator has to mend it; `TokenEndpoint` logs an error."""
    scene = make()
    for code in ("invalid_client", "unauthorized_client"):
        answer = f'{{"error": "{code}"}}'.encode()
        scene.sts.fail(Said(status=401, headers=JSON, body=answer))
        with pytest.raises(UnavailableError, match=code) as caught:
            scene.ask()
        assert caught.value.status == 502


def test_a_wrong_secret_is_our_own_fault() -> None:
    with pytest.raises(UnavailableError, match="invalid_client"):
        make(client_secret=Secret("wrong" * 8)).ask()


def test_nothing_unusable_is_a_token() -> None:
    for fault in names(UNUSABLE, REDIRECTS, DOWN):
        scene = make()
        scene.sts.fail(fault)
        with suppress(UnavailableError):
            assert isinstance(scene.ask(), NotIssued), fault
        assert scene.sts.count == 1, fault


def test_a_token_is_never_over_when_it_is_used() -> None:
    for fault in names(LIFETIMES):
        scene = make()
        scene.sts.fail(fault)
        given = scene.ask()
        if isinstance(given, Token):
            ends = given.expires
            assert ends is None or ends > scene.clock.time(), fault


def test_a_token_that_is_bound_to_our_key_is_for_no_backend() -> None:
    scene = make()
    scene.sts.members = {"token_type": "DPoP"}
    assert refused(scene.ask()) == ("token-unusable", 502)


def test_what_cannot_be_sent_is_the_fault_of_who_presents_it() -> None:
    scene = make(subject="cookie:legacy")
    request = make_request(headers={"cookie": "legacy=unfit"})
    assert refused(scene.ask(caller(request=request))) == ("token-malformed", 400)
    assert scene.sts.count == 0


def test_what_others_gave_and_cannot_be_sent_is_no_callers_fault() -> None:
    scene = make(subject="token:other")
    scene.tools.tokens["other"] = FakeTokenSource(Token(value="unfit"))
    assert refused(scene.ask()) == ("token-unusable", 502)


def test_one_token_serves_until_its_end() -> None:
    scene = make()
    first = scene.ask()
    assert scene.ask() == first
    scene.clock.advance(scene.sts.ttl + 1)
    assert scene.ask() != first
    assert scene.sts.count == 2


def test_tokens_for_two_audiences_are_two() -> None:
    scene = make()
    assert scene.ask() != scene.ask(audience=STOCK)
