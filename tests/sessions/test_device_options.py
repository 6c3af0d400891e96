"""Options of sessions that are bound to devices."""

import pytest

from sso_proxy.errors import ConfigError
from sso_proxy.sessions.device_options import (
    DeviceConfig,
    attributes_of,
    bound_name,
)
from sso_proxy.specs.http.cookies import Scope, build_set_cookie


@pytest.mark.parametrize(
    ("session", "bound"),
    [
        ("__Host-sso", "__Host-sso-bound"),
        ("__Secure-sso", "__Secure-sso-bound"),
        ("__Host-sso-admin", "__Host-sso-bound-admin"),
    ],
)
def test_the_bound_cookie_is_called_after_the_sessions(
    session: str, bound: str
) -> None:
    assert bound_name(session, DeviceConfig()) == bound


@pytest.mark.parametrize(
    "name", ["bound", "__Host-sso", "__Secure-sso-bound", "__Host-sso-bound;", ""]
)
def test_it_cannot_be_called_what_browsers_do_not_protect_as_well(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        bound_name("__Host-sso", DeviceConfig(cookie=name))
    assert [m.path for m in caught.value.mistakes] == ["device.cookie"]


def test_another_name_of_ours_will_do() -> None:
    config = DeviceConfig(cookie="__Host-sso-bound-2")
    assert bound_name("__Host-sso", config) == "__Host-sso-bound-2"


@pytest.mark.parametrize("path", ["static", "/a/../b", "/users/{id}/", ""])
def test_only_paths_that_browsers_know_are_excluded(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        DeviceConfig(exclude=(path,))
    DeviceConfig(exclude=("/static", "/api/"))


@pytest.mark.parametrize(
    "scope", [Scope(), Scope(same_site="none", path="/a/", domain="example.com")]
)
def test_browsers_are_told_of_the_cookie_that_they_get(scope: Scope) -> None:
    field = build_set_cookie("n", "v", scope)
    assert field == f"n=v; {attributes_of(scope)}"


@pytest.mark.parametrize(
    "options",
    [{"lifetime": 4}, {"lifetime": 3601}, {"grace": -1.0}, {"algorithms": ()}],
)
def test_what_makes_no_sense_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must"):
        DeviceConfig(**options)  # type: ignore[arg-type]
