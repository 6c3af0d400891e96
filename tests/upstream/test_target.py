"""Where backends are."""

import pytest

from sso_proxy.upstream.target import Target, place_of


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"], ids=["v4", "v6"])
def test_this_machine_is_one_place_by_whatever_address(host: str) -> None:
    named = Target(name="n", host="localhost", port=8080)
    assert place_of(Target(name="a", host=host, port=8080)) == place_of(named)


def test_another_port_or_socket_is_another_place() -> None:
    targets = (
        Target(name="a", host="app.example.com", port=8080),
        Target(name="b", host="app.example.com", port=8081),
        Target(name="c", kind="unix", path="/run/app.sock"),
        Target(name="d", kind="unix", path="/run/other.sock"),
    )
    assert len({place_of(target) for target in targets}) == len(targets)


def test_https_is_the_same_place_as_http_on_that_port() -> None:
    plain = Target(name="a", host="app.example.com", port=8443)
    secure = Target(name="b", kind="https", host="app.example.com", port=8443)
    assert place_of(plain) == place_of(secure)
