"""Which way the requests of a listener take."""

from typing import Any

from sso_proxy.config.model import ListenerConfig
from sso_proxy.forward_auth_pipeline import ForwardAuthPipeline
from sso_proxy.pipeline import Pipeline
from sso_proxy.routing import RouteTable
from sso_proxy.token_binding_pipeline import TokenBindingPipeline


def pipeline_for(
    listener: ListenerConfig,
    plain: Pipeline,
    routes: RouteTable,
    **parts: Any,  # noqa: ANN401
) -> Pipeline:
    """
    Give what decides on requests that come in at *listener*.

    Args:
        listener: The listener.
        plain: What decides wherever there is nothing special.
        routes: All routes.
        parts: What any pipeline is made of.
    """
    if listener.forward_auth is not None:
        return ForwardAuthPipeline(routes, asker=listener.forward_auth, **parts)
    believed = listener.forwarded_token_binding
    if listener.token_binding or believed:
        return TokenBindingPipeline(routes, believed=believed, **parts)
    return plain
