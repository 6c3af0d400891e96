import socket
import stat
from pathlib import Path

import attrs
import pytest

from sso_proxy.config.load import load_config
from sso_proxy.testing.demo.scene import (
    HOST,
    Ports,
    PortTakenError,
    choose_ports,
    keep_token,
    prepare,
)

PORTS = Ports(
    proxy=8443, issuer=8444, api=8445, web=8446, provider=8447, application=8448
)


def test_configuration_has_no_mistakes(tmp_path: Path) -> None:
    scene = prepare(tmp_path / "demo", PORTS)
    config = load_config(scene.config)
    assert config.listener[0].certificate == str(tmp_path / "demo" / "proxy.crt")
    backends = [route.backend for route in config.route]
    assert backends[0] == backends[1] == "http://127.0.0.1:8448"
    assert backends[2] == "http://127.0.0.1:8448"
    assert backends[3] == backends[5] == "http://127.0.0.1:8445"
    assert backends[6] == "http://127.0.0.1:8448"
    assert backends[4].endswith("/etc/single-page-application")


def test_files_can_be_made_again(tmp_path: Path) -> None:
    first = prepare(tmp_path, PORTS)
    assert prepare(tmp_path, PORTS).authority != first.authority


def test_keys_and_the_token_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    scene = prepare(tmp_path, PORTS)
    paths = [*tmp_path.glob("*.key"), keep_token(scene, "a.b.c")]
    paths.append(tmp_path / "client-secret")
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}


def test_token_is_kept_as_a_header_line(tmp_path: Path) -> None:
    path = keep_token(prepare(tmp_path, PORTS), "a.b.c")
    assert path.read_text() == "Authorization: Bearer a.b.c\n"


def test_any_ports_are_different_ones() -> None:
    ports = choose_ports(0)
    assert len({*attrs.astuple(ports)}) == len(attrs.fields(Ports))
    assert ports.proxy


def test_port_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortTakenError, match=str(port)):
            choose_ports(port)
