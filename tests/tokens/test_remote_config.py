"""Options of sources that ask servers say what does not fit, all of it at once."""

from typing import Any

import pytest

from sso_proxy.config.secrets import Secret
from sso_proxy.specs.oauth.grants import Target
from sso_proxy.token import Audience
from sso_proxy.tokens.remote_config import GrantConfig, RemoteConfig

AT = "https://sts.example.com/token"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"subject": "body"}, "'body' is none of"),
        ({"actor": "cookie:"}, "'cookie:' is none of"),
        ({"endpoint": "http://sts.example.com/"}, "must be https"),
        ({"proxy": "socks://p:1"}, "must be http://host:port"),
        ({"max_length": 1}, "must be from 16"),
        ({"timeout": 100}, "must be from 0.1"),
        ({"certificate": "c"}, "certificate and key are set together"),
        ({"crl": "c"}, "crl needs ca"),
        (
            {"endpoint": "http://127.0.0.1/", "ca": "c"},
            "have no effect at an http endpoint",
        ),
        (
            {"subject_audience": "x"},
            "subject_audience has no effect without subject = 'token:NAME'",
        ),
        ({"actor_audience": "x", "actor": "certificate"}, "actor_audience has no eff"),
        (
            {"authenticator": "x", "subject": "cookie:a"},
            "authenticator has no effect on 'cookie:a'",
        ),
        ({"subject_issuer": "x", "subject": "none"}, "subject_issuer has no effect"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        RemoteConfig(**options)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"endpoint": None}, "endpoint is missing; or issuer"),
        ({"client_id": ""}, "auth = 'client_secret_basic' needs client_id"),
        ({"issuer": "sts"}, "issuer "),
        ({"resource": ("orders",)}, "resource: 'orders' is no absolute URI"),
        ({"resource": ("https://a/#b",)}, "resource: "),
        ({"params": {"scope": "a"}}, "params must not set scope"),
        ({"params": {"client_assertion": "a"}}, "params must not set client_ass"),
        ({"params": {"grant_type": "a"}}, "params must not set grant_type"),
        ({"dpop": "required", "dpop_key": "k"}, "tokens that no backend can use"),
    ],
)
def test_what_does_not_fit_a_client_is_refused(
    options: dict[str, Any], problem: str
) -> None:
    good: dict[str, Any] = {
        "endpoint": AT,
        "client_id": "us",
        "client_secret": Secret("s"),
    }
    assert GrantConfig(**good).auth == "client_secret_basic"
    with pytest.raises(ValueError, match=problem):
        GrantConfig(**{**good, **options})


def test_the_route_says_whom_a_token_is_for_and_nobody_else() -> None:
    config = GrantConfig(
        endpoint=AT,
        auth="none",
        audience=("a", "b"),
        resource=("https://c/",),
        scope=("read",),
    )
    both = Target(scope=("read",), audience=("a", "b"), resource=("https://c/",))
    assert config.target(Audience()) == both
    named = config.target(Audience(name="urn:orders"))
    assert named == Target(scope=("read",), audience=("urn:orders",))


def test_the_routes_audience_may_be_a_resource() -> None:
    config = GrantConfig(endpoint=AT, auth="none", audience_as="resource")
    named = config.target(Audience(name="urn:orders"))
    assert named == Target(resource=("urn:orders",))


def test_other_options_have_another_digest_and_another_secret_has_not() -> None:
    def digest(**options: Any) -> bytes:  # noqa: ANN401
        good: dict[str, Any] = {
            "endpoint": AT,
            "client_id": "us",
            "client_secret": Secret("s"),
        }
        return GrantConfig(**{**good, **options}).digest()

    assert digest() == digest(client_secret=Secret("t"))
    for other in (
        {"endpoint": AT + "2"},
        {"client_id": "them"},
        {"params": {"a": "b"}},
        {"subject": "session:id_token"},
    ):
        assert digest(**other) != digest()
