"""Options of policies that others decide fit each other."""

from typing import Any

import pytest

from sso_proxy.authz.remote_policy_config import RemotePolicyConfig
from sso_proxy.config.secrets import Secret


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"auth": "basic"}, "auth = 'basic' needs username; .* needs password"),
        ({"auth": "bearer"}, "auth = 'bearer' needs bearer_token"),
        ({"username": "a"}, "username has no effect with auth = 'none'"),
        (
            {"auth": "basic", "username": "a:b", "password": Secret("p")},
            "a username has no colon",
        ),
        ({"headers": ("X Y",)}, "'X Y' is no header field's name"),
        ({"headers": ("Content-Length",)}, "belongs to HTTP itself"),
        ({"ttl": -1}, "must be from 0"),
        ({"at_once": 0}, "must be from 1"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        RemotePolicyConfig(**options)


def test_who_we_are_is_given() -> None:
    named = RemotePolicyConfig(auth="basic", username="us", password=Secret("p"))
    assert (named.client.client_id, named.client.secret) == ("us", "p")
    shown = RemotePolicyConfig(auth="bearer", bearer_token=Secret("t"))
    assert (shown.client.method, shown.client.secret) == ("bearer", "t")
    assert RemotePolicyConfig().client.method == "none"
