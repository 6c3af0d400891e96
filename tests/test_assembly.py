"""A configuration serves, is replaced and ends, in one process without a reactor."""

import gc
import json
import socket
import weakref
from pathlib import Path
from typing import Any

import attrs
import pytest
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from sso_proxy.assembly import Gateway
from sso_proxy.checking import check
from sso_proxy.config.model import (
    Config,
    ListenerConfig,
    RouteConfig,
    ServerConfig,
)
from sso_proxy.config.operator_parts import AuditConfig
from sso_proxy.errors import ConfigError
from sso_proxy.model import ANONYMOUS
from sso_proxy.specs.revocations import Revocation
from sso_proxy.testing.fakes import make_identity
from tests.support.doubles import HOST, status_of
from tests.support.listening import answer_from
from tests.support.sockets import StillReactor, turn

GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"


class Reactor(Clock, StillReactor):
    """Time and readers, both moved by hand."""

    def __init__(self) -> None:
        Clock.__init__(self)
        StillReactor.__init__(self)


def config(
    *,
    audit: AuditConfig | None = None,
    access: AuditConfig | None = None,
    **route: Any,  # noqa: ANN401
) -> Config:
    given = {"backend": "http://127.0.0.1:9", "path": "/nothing/", **route}
    return Config(
        server=ServerConfig(
            audit=audit or AuditConfig(to="none"), access_log=access, drain_timeout=5.0
        ),
        listener=(
            ListenerConfig(address="127.0.0.1", tls=False, allow_plaintext=True),
        ),
        route=(RouteConfig(host="*", authenticate=("anonymous",), **given),),
    )


class GatewayTests(TestCase):
    """From start to end."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.audit = AuditConfig(to="file", file=str(self.path), flush_interval=5.0)
        self.reactor = Reactor()
        self.clients: list[socket.socket] = []
        self.addCleanup(self.close)
        self.gateway = self.serve(config(audit=self.audit))

    def serve(self, first: Config) -> Gateway:
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.sock.setblocking(False)
        gateway = Gateway(self.reactor, first, [self.sock])
        gateway.start()
        return gateway

    def close(self) -> None:
        done = self.done(self.gateway.drain())
        self.reactor.pump([1.0] * 10)
        assert done == [None]
        for sock in (self.sock, *self.clients):
            sock.close()

    def done(self, coroutine: Any) -> list[object]:  # noqa: ANN401
        ended: list[object] = []
        deferred: Deferred[object] = ensureDeferred(coroutine)
        deferred.addBoth(ended.append)
        return ended

    def ask(self) -> int:
        client = socket.create_connection(self.sock.getsockname())
        client.setblocking(False)
        self.clients.append(client)
        client.send(GET)
        nest: Any = self.gateway.nest
        return status_of(answer_from(nest, client))

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def test_a_request_is_answered_recorded_and_counted(self) -> None:
        assert self.ask() == 404
        assert self.records() == []
        self.reactor.advance(5.0)
        (record,) = self.records()
        assert (record["status"], record["reason"]) == (404, "no-route")
        assert record["listener"] == "127.0.0.1:0"
        assert b'requests_total{reason="no-route",status="404"} 1.0' in (
            self.gateway.metrics()
        )
        assert self.done(self.gateway.probe()) == [()]

    def test_no_record_is_lost_or_torn_by_reloads(self) -> None:
        for number in range(6):
            assert self.ask() == 404
            assert self.done(self.gateway.reload(config(audit=self.audit))) == [None]
            assert self.ask() == 404, number
        self.reactor.advance(5.0)
        assert len(self.records()) == 12

    def test_a_reload_to_another_file_leaves_the_old_one_whole(self) -> None:
        assert self.ask() == 404
        other = attrs.evolve(self.audit, file=str(self.path) + ".2")
        self.done(self.gateway.reload(config(audit=other)))
        assert len(self.records()) == 1
        assert self.ask() == 404
        self.reactor.advance(5.0)
        assert len(self.records()) == 1
        assert Path(str(self.path) + ".2").read_text().count("\n") == 1

    def test_both_streams_into_one_file_have_one_writer(self) -> None:
        access = attrs.evolve(self.audit, format="combined", flush_interval=1.0)
        self.done(self.gateway.reload(config(audit=self.audit, access=access)))
        assert self.ask() == 404
        self.reactor.advance(1.0)  # the shorter interval of both
        lines = self.path.read_text().splitlines()
        assert len(lines) == 2
        assert sorted(line[0] for line in lines) == ["1", "{"]

    def test_a_configuration_that_cannot_be_used_changes_nothing(self) -> None:
        generation = self.gateway._generation  # noqa: SLF001
        listening = len(self.gateway.ticker._listeners)  # noqa: SLF001
        bad = AuditConfig(to="file", file="/nowhere/at/all")
        for wrong, path in (
            (config(audit=self.audit, access=bad), "server.access_log.file"),
            (config(audit=bad), "server.audit.file"),
            (config(require=("nonsense(",)), "route[0].require[0]"),
        ):
            (failure,) = self.done(self.gateway.reload(wrong))
            assert isinstance(failure.value, ConfigError)  # type: ignore[attr-defined]
            assert [m.path for m in failure.value.mistakes] == [path]  # type: ignore[attr-defined]
        assert self.gateway._generation is generation  # noqa: SLF001
        assert self.ask() == 404
        self.reactor.advance(5.0)
        assert len(self.records()) == 1
        assert len(self.gateway.ticker._listeners) == listening  # noqa: SLF001

    def test_nothing_is_left_of_what_a_reload_has_replaced(self) -> None:
        """Each has contexts of TLS and all pages: a thousand reloads are a gigabyte."""
        first = weakref.ref(self.gateway._generation)  # noqa: SLF001
        self.ask()
        self.done(self.gateway.reload(config(audit=self.audit)))
        self.reactor.pump([1.0] * 3)
        gc.collect()
        assert first() is None

    def test_who_is_revoked_stays_so_over_reloads(self) -> None:
        everything = config(path="/")
        self.done(self.gateway.reload(everything))
        nobody = Revocation(issuer=ANONYMOUS, subject=ANONYMOUS, until=9_999_999_999)
        rules = [listener.site.rules for listener in self.gateway.listeners]
        self.gateway.revoke([nobody], [], doubted=None)
        assert [each.site.rules for each in self.gateway.listeners] != rules
        assert self.ask() == 403
        self.done(self.gateway.reload(everything))
        assert self.ask() == 403
        self.gateway.revoke([], [nobody.id], doubted=None)
        anybody = make_identity(issuer=ANONYMOUS, subject=ANONYMOUS)
        assert self.gateway.revocations.decide(anybody) is None

    def ask_in_doubt(self) -> socket.socket:
        """Start anew in doubt who is revoked, and send a request, which waits."""
        self.close()
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.sock.setblocking(False)
        self.clients.clear()
        self.gateway = Gateway(self.reactor, config(audit=self.audit), [self.sock])
        self.gateway.revoke([], [], doubted=True)
        self.gateway.start()
        client = socket.create_connection(self.sock.getsockname())
        client.setblocking(False)
        self.clients.append(client)
        client.send(GET)
        nest: Any = self.gateway.nest
        turn(nest, 3)
        assert not self.gateway.listeners[0].site.connections
        return client

    def test_in_doubt_who_is_revoked_it_does_not_begin_to_accept(self) -> None:
        client = self.ask_in_doubt()
        nest: Any = self.gateway.nest
        self.gateway.revoke([], [], doubted=False)
        assert status_of(answer_from(nest, client)) == 404

    def test_who_waits_for_that_is_answered_at_the_end(self) -> None:
        client = self.ask_in_doubt()
        ended = self.done(self.gateway.drain())
        nest: Any = self.gateway.nest
        assert status_of(answer_from(nest, client)) == 404
        turn(nest, 3)
        self.reactor.pump([0.05] * 3)
        assert ended == [None]
        self.clients = [client]
        self.gateway = self.serve(config(audit=self.audit))

    def test_logs_are_opened_anew(self) -> None:
        self.ask()
        self.path.rename(str(self.path) + ".1")
        self.gateway.reopen_logs()
        self.ask()
        self.reactor.advance(5.0)
        assert len(self.records()) == 1

    def test_at_the_end_what_waits_to_be_accepted_is_answered(self) -> None:
        client = socket.create_connection(self.sock.getsockname())
        client.setblocking(False)
        self.clients.append(client)
        client.send(GET)
        ended = self.done(self.gateway.drain())
        assert ended == []
        nest: Any = self.gateway.nest
        assert status_of(answer_from(nest, client)) == 404
        turn(nest, 3)
        self.reactor.pump([0.05] * 3)
        assert ended == [None]
        assert len(self.records()) == 1
        self.clients = [client]
        self.gateway = self.serve(config(audit=self.audit))

    def test_ids_are_never_used_twice(self) -> None:
        ids = {self.gateway.new_id() for _ in range(1000)}
        assert len(ids) == 1000


def test_a_configuration_can_be_checked_without_serving() -> None:
    assert check(config()).notes == ()
    with pytest.raises(ConfigError):
        check(config(require=("nonsense(",)))
