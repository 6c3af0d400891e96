"""Each listener's requests take the way that its options say."""

from typing import Any

import pytest

from sso_proxy.config.model import ListenerConfig
from sso_proxy.forward_auth_pipeline import ForwardAuthPipeline
from sso_proxy.net.clock import SystemClock
from sso_proxy.pipeline import Pipeline
from sso_proxy.pipelines import pipeline_for
from sso_proxy.routing import RouteTable
from sso_proxy.token_binding_pipeline import TokenBindingPipeline


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({}, Pipeline),
        ({"forward_auth": "nginx"}, ForwardAuthPipeline),
        ({"token_binding": True}, TokenBindingPipeline),
        ({"forwarded_token_binding": True}, TokenBindingPipeline),
    ],
)
def test_a_listener_has_the_pipeline_of_its_options(
    options: dict[str, Any], kind: type[Pipeline]
) -> None:
    parts: dict[str, Any] = {
        "clock": SystemClock(),
        "trusted": lambda _: False,
        "via": "proxy",
        "new_id": str,
    }
    routes = RouteTable([])
    plain = Pipeline(routes, **parts)
    listener = ListenerConfig(address="127.0.0.1", **options)
    assert type(pipeline_for(listener, plain, routes, **parts)) is kind
