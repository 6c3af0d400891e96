"""Listening sockets."""

import os
import socket
import stat
from pathlib import Path

import pytest

from sso_proxy.process.sockets import (
    Address,
    Inherited,
    ListenError,
    Owner,
    initial_environment,
    is_bound_to,
    open_sockets,
    remove_stale,
    take_inherited,
)

ANY_PORT = Address("127.0.0.1", 0)


def test_sockets_come_in_the_order_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "s"
    listeners = open_sockets([ANY_PORT, Address(f"unix:{path}"), ANY_PORT], 5)
    first, second, third = listeners.names()
    assert first.address == third.address == "127.0.0.1"
    assert first.port != third.port
    assert str(second) == f"unix:{path}"
    listeners.close()


def test_sockets_never_block() -> None:
    listeners = open_sockets([ANY_PORT], 5)
    with pytest.raises(BlockingIOError):
        listeners.sockets[0].accept()
    listeners.close()


def test_children_do_not_get_them_by_accident() -> None:
    listeners = open_sockets([ANY_PORT], 5)
    assert not listeners.sockets[0].get_inheritable()
    listeners.close()


def test_unspecified_address_serves_both_families() -> None:
    listeners = open_sockets([Address("::", 0)], 5)
    port = listeners.names()[0].port
    for host in ("127.0.0.1", "::1"):
        socket.create_connection((host, port), timeout=5).close()
    listeners.close()


def test_port_can_be_listened_on_again_at_once() -> None:
    """Connections of the proxy before linger in TIME-WAIT."""
    first = open_sockets([ANY_PORT], 5)
    (address,) = first.names()
    with socket.create_connection((address.address, address.port), timeout=5) as client:
        first.sockets[0].setblocking(True)
        served, _ = first.sockets[0].accept()
        served.close()
        assert client.recv(1) == b""
    first.close()
    open_sockets([address], 5).close()


def test_every_address_that_fails_is_named(tmp_path: Path) -> None:
    taken = open_sockets([ANY_PORT], 5)
    (address,) = taken.names()
    missing = Address(f"unix:{tmp_path}/none/s")
    path = tmp_path / "made"
    with pytest.raises(ListenError) as failed:
        open_sockets([Address(f"unix:{path}"), address, missing], 5)
    assert str(failed.value).splitlines() == [
        f"cannot listen on 127.0.0.1 port {address.port}: Address already in use",
        f"cannot listen on {missing}: No such file or directory",
    ]
    assert not path.exists()
    taken.close()


def test_unix_socket_is_for_its_user_and_group(tmp_path: Path) -> None:
    path = tmp_path / "s"
    owner = Owner(12345, 54321) if os.geteuid() == 0 else Owner()
    listeners = open_sockets([Address(f"unix:{path}")], 5, owner=owner)
    status = path.stat()
    assert stat.S_IMODE(status.st_mode) == 0o660
    if os.geteuid() == 0:
        assert (status.st_uid, status.st_gid) == (12345, 54321)
    listeners.close()
    assert not path.exists()


def test_socket_that_nobody_listens_on_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    open_sockets([Address(f"unix:{path}")], 5).close()


def test_socket_that_somebody_listens_on_is_not(tmp_path: Path) -> None:
    address = Address(f"unix:{tmp_path}/s")
    taken = open_sockets([address], 5)
    with pytest.raises(ListenError, match="another process listens there"):
        open_sockets([address], 5)
    assert (tmp_path / "s").exists()
    taken.close()


def test_full_queue_is_a_listener_too(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    taken = open_sockets([Address(f"unix:{path}")], 0)
    with socket.socket(socket.AF_UNIX) as waiting:
        waiting.setblocking(False)
        waiting.connect(path)
        with pytest.raises(OSError, match="another process listens there"):
            remove_stale(path)
    taken.close()


def test_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("precious")
    with pytest.raises(ListenError, match="exists and is no socket"):
        open_sockets([Address(f"unix:{path}")], 5)
    assert path.read_text() == "precious"


def test_socket_that_took_the_place_of_ours_stays(tmp_path: Path) -> None:
    path = tmp_path / "s"
    old = open_sockets([Address(f"unix:{path}")], 5)
    path.rename(tmp_path / "old")
    new = open_sockets([Address(f"unix:{path}")], 5)
    old.close()
    assert path.is_socket()
    new.close()


def test_inherited_socket_is_used_and_a_strange_one_closed() -> None:
    ours = socket.create_server(("127.0.0.1", 0))
    strange = socket.create_server(("127.0.0.1", 0))
    address = Address(*ours.getsockname())
    listeners = open_sockets([address], 5, [Inherited(strange), Inherited(ours)])
    assert listeners.sockets == [ours]
    assert strange.fileno() == -1
    listeners.close()


def test_inherited_unix_socket_is_not_ours_to_remove(tmp_path: Path) -> None:
    path = tmp_path / "s"
    inherited = socket.socket(socket.AF_UNIX)
    inherited.bind(str(path))
    inherited.listen()
    passed = [Inherited(inherited)]
    open_sockets([Address(f"unix:{path}")], 5, passed).close()
    assert path.exists()


def test_socket_is_found_by_its_name() -> None:
    web = socket.create_server(("127.0.0.1", 0))
    api = socket.create_server(("127.0.0.1", 0))
    passed = [Inherited(web, "web"), Inherited(api, "api")]
    wanted = [Address("systemd:api"), Address("systemd:web")]
    listeners = open_sockets(wanted, 5, passed)
    assert listeners.sockets == [api, web]
    assert not api.getblocking()
    listeners.close()


def test_name_that_is_not_passed_is_not_listened_on() -> None:
    web = socket.create_server(("127.0.0.1", 0))
    with pytest.raises(ListenError, match=r"systemd:api: .* no such socket.* 'web'"):
        open_sockets([Address("systemd:api")], 5, [Inherited(web, "web")])
    assert web.fileno() == -1


def test_without_a_service_manager_there_is_no_such_name() -> None:
    with pytest.raises(ListenError, match="it passes none"):
        open_sockets([Address("systemd:api")], 5)


def test_name_of_two_sockets_is_not_guessed() -> None:
    both = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    passed = [Inherited(sock, "web") for sock in both]
    with pytest.raises(ListenError, match="passes 2 of that name"):
        open_sockets([Address("systemd:web")], 5, passed)


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_passed_socket_that_does_not_listen_is_refused(
    kind: socket.SocketKind,
) -> None:
    idle = socket.socket(type=kind)
    idle.bind(("127.0.0.1", 0))
    with pytest.raises(ListenError, match="no listening stream socket"):
        open_sockets([Address("systemd:web")], 5, [Inherited(idle, "web")])


def test_socket_that_does_not_listen_is_no_listener() -> None:
    with socket.socket() as idle:
        idle.bind(("127.0.0.1", 0))
        assert not is_bound_to(idle, Address(*idle.getsockname()))


def test_datagram_socket_is_no_listener() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as datagram:
        datagram.bind(("127.0.0.1", 0))
        assert not is_bound_to(datagram, Address(*datagram.getsockname()))


@pytest.mark.parametrize(
    "environment",
    [
        b"",
        b"LISTEN_FDS=1\0",
        b"LISTEN_PID=1\0LISTEN_FDS=1\0",
        b"LISTEN_PID=%d\0LISTEN_FDS=one\0" % os.getpid(),
        b"LISTEN_PID=%d\0" % os.getpid(),
    ],
    ids=["nothing", "for nobody", "for init", "not a number", "how many"],
)
def test_descriptors_for_somebody_else_are_not_touched(environment: bytes) -> None:
    assert take_inherited(environment) == []


def test_environment_is_the_one_we_were_started_with() -> None:
    os.environ["ONLY_NOW"] = "1"
    assert b"ONLY_NOW" not in initial_environment()
    assert b"PATH=" in initial_environment()
    del os.environ["ONLY_NOW"]
