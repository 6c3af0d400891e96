"""Options have safe defaults."""

import attrs
import pytest

from sso_proxy.config.documented import classes_below, options
from sso_proxy.config.model import (
    ComponentConfig,
    Config,
    ListenerConfig,
    OutboundConfig,
    RouteConfig,
)

CLASSES = dict.fromkeys([Config, *classes_below(Config)])


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_defaults_pass_their_own_checks(kind: type) -> None:
    for field in options(kind):
        if field.validator is not None and field.default is not attrs.NOTHING:
            field.validator(None, field, field.default)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_values_never_change(kind: type[object]) -> None:
    name = options(kind)[0].name
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(object.__new__(kind), name, None)


def test_listener_is_tls_unless_it_says_otherwise() -> None:
    listener = ListenerConfig(address="::")
    assert listener.tls
    assert not listener.allow_plaintext
    assert listener.min_version == "TLSv1.2"


def test_route_has_to_say_who_may_come_in() -> None:
    with pytest.raises(TypeError, match="authenticate"):
        RouteConfig(host="*", backend="http://b")  # type: ignore[call-arg]


def test_escaped_slashes_and_upgrades_have_to_be_allowed() -> None:
    route = RouteConfig(host="*", backend="http://b", authenticate=("a",))
    assert not route.encoded_slashes
    assert route.upgrade == ()


def test_requests_of_ours_are_bounded() -> None:
    outbound = OutboundConfig()
    assert outbound.timeout <= 10
    assert outbound.max_bytes <= 2**20


def test_options_of_components_are_not_shown() -> None:
    component = ComponentConfig(type="x", options={"password": "hush"})
    assert "hush" not in repr(component)
