"""Options of AuthZEN decision points fit each other."""

from typing import Any

import pytest

from sso_proxy.authz.authzen_config import AuthzenConfig

PDP = "https://pdp.example.com"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({}, "either url or endpoint"),
        ({"url": PDP, "endpoint": PDP}, "either url or endpoint"),
        ({"url": "http://pdp.example.com"}, "must be https"),
        ({"url": f"{PDP}/?a=b"}, "url an issuer has no query"),
        ({"url": PDP, "auth": "basic"}, "auth = 'basic' needs username"),
        ({"endpoint": "http://127.0.0.1/", "ca": "c"}, "have no effect at an http"),
        ({"url": PDP, "paths": ("todos",)}, "'todos' is no canonical path"),
        ({"url": PDP, "attributes": {"subject": "claims.a"}}, "'subject' is no place"),
        ({"url": PDP, "attributes": {"context.": "claims.a"}}, "is no place"),
        ({"url": PDP, "attributes": {"evil.name": "claims.a"}}, "is no place"),
        ({"url": PDP, "attributes": {"subject.id": "claims"}}, "subject.id: at column"),
        ({"url": PDP, "attributes": {"subject.id": ""}}, "subject.id: at column"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        AuthzenConfig(**options)


def test_what_is_usual_can_be_left_out() -> None:
    config = AuthzenConfig(url=PDP, attributes={"resource.properties.ip": ""})
    assert config.attributes == {"resource.properties.ip": ""}
