import contextlib
import sys
from typing import TYPE_CHECKING, Any, cast

import pytest
from OpenSSL import SSL
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher

from sso_proxy.net.tls.certificates import CertificateCache
from sso_proxy.net.tls.handshake import ConnectionState, on_protocols
from sso_proxy.net.tls.names import NameTable
from sso_proxy.net.tls.rules import ClientRules

if TYPE_CHECKING:
    from tests.net.tls.conftest import Lab

MTLS: dict[str, Any] = {"client_certificate": "optional_no_ca", "client_ca": "ca.crt"}


def _state(rules: ClientRules) -> ConnectionState:
    table: Any = NameTable(exact={}, wildcard={}, fallback=None)
    return ConnectionState(table=table, rules=rules, certificates=CertificateCache())


STRICT = ClientRules(mode="required")
TOLERANT = ClientRules(mode="optional_no_ca")


def test_nothing_noted_is_not_verified() -> None:
    assert not _state(TOLERANT).verified


def test_a_chain_without_its_leaf_is_not_verified() -> None:
    state = _state(TOLERANT)
    assert state.note(depth=1, code=0, ok=True)
    assert not state.verified


def test_an_accepted_leaf_is_verified() -> None:
    state = _state(STRICT)
    assert state.note(depth=0, code=0, ok=True)
    assert state.verified
    assert state.problem == ""


def test_an_error_anywhere_is_for_good() -> None:
    state = _state(TOLERANT)
    assert state.note(depth=2, code=10, ok=False)
    assert state.note(depth=0, code=0, ok=True)
    assert not state.verified
    assert state.problem == "certificate has expired (depth 2)"


def test_strict_rules_end_the_handshake_at_the_first_error() -> None:
    assert not _state(STRICT).note(depth=0, code=10, ok=False)


def _handshake(lab: "Lab", state: object, **client: Any) -> Exception | None:  # noqa: ANN401
    """Shake hands with *state* as application data; give the server's error."""
    tls = lab.listener(**MTLS)
    context = lab.client_context(lab.alice, **client)
    ours, server, good = lab.begin(tls, context)
    server.set_app_data(good if state is ... else state)
    for _ in range(8):
        for side, other in ((ours, server), (server, ours)):
            try:
                side.do_handshake()
            except SSL.WantReadError:
                pass
            except Exception as e:  # noqa: BLE001
                return e if side is server else None
            with contextlib.suppress(SSL.WantReadError):
                other.bio_write(side.bio_read(1 << 16))
    return None


def test_the_harness_succeeds_with_a_good_state(lab: "Lab") -> None:
    assert _handshake(lab, ...) is None


def test_a_failing_name_callback_ends_the_handshake(
    lab: "Lab", monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection without a state is one that nobody prepared."""
    seen: list[object] = []
    monkeypatch.setattr(sys, "excepthook", lambda *args: seen.append(args[0]))
    assert isinstance(_handshake(lab, None), SSL.Error)
    assert seen == [AttributeError]


class BrokenNotes(ConnectionState):
    """Fails when it is told of a certificate."""

    def note(self, *, depth: int, code: int, ok: bool) -> bool:  # noqa: ARG002
        raise RuntimeError("out of order")


def test_a_failing_certificate_callback_ends_the_handshake(lab: "Lab") -> None:
    tls = lab.listener(**MTLS)
    good = tls.new_state()
    broken = BrokenNotes(
        table=good.table, rules=good.rules, certificates=good.certificates
    )
    events: list[LogEvent] = []
    observer = cast("ILogObserver", events.append)
    globalLogPublisher.addObserver(observer)
    try:
        error = _handshake(lab, broken)
    finally:
        globalLogPublisher.removeObserver(observer)
    assert isinstance(error, SSL.Error)
    assert "could not be judged" in events[0]["log_format"]


def test_the_failure_of_one_connection_does_not_reach_another(lab: "Lab") -> None:
    """Contexts are shared, and pyOpenSSL keeps exceptions of callbacks in them."""
    tls = lab.listener(**MTLS)
    context = lab.client_context(lab.alice)
    client, server, good = lab.begin(tls, context)
    server.set_app_data(
        BrokenNotes(table=good.table, rules=good.rules, certificates=good.certificates)
    )
    with pytest.raises(SSL.WantReadError):
        client.do_handshake()
    server.bio_write(client.bio_read(1 << 16))
    with pytest.raises(SSL.WantReadError):
        server.do_handshake()
    client.bio_write(server.bio_read(1 << 16))
    client.do_handshake()
    server.bio_write(client.bio_read(1 << 16))
    with pytest.raises(SSL.Error, match="certificate verify failed"):
        server.do_handshake()
    assert lab.connect(tls, lab.alice).certificate.verified


def test_a_failing_protocol_callback_ends_the_handshake(lab: "Lab") -> None:
    class NoAlpn(ConnectionState):
        """Fails when it is told of a protocol."""

        def __setattr__(self, name: str, value: Any) -> None:  # noqa: ANN401
            if name == "alpn" and value:
                raise RuntimeError("out of order")
            object.__setattr__(self, name, value)

    good = lab.listener(**MTLS).new_state()
    broken = NoAlpn(table=good.table, rules=good.rules, certificates=good.certificates)
    error = _handshake(lab, broken, alpn=[b"http/1.1"])
    assert isinstance(error, RuntimeError)


def test_the_state_keeps_the_contexts_alive(lab: "Lab") -> None:
    """OpenSSL holds bare pointers to callbacks that belong to the context."""
    tls = lab.listener({"host": ("a.example",), **MTLS})
    state = tls.new_state()
    assert state.table.fallback.context is tls.context


def test_protocols_are_agreed_on_for_the_connection(lab: "Lab") -> None:
    connection = SSL.Connection(lab.listener().context, None)
    state = lab.listener().new_state()
    connection.set_app_data(state)
    assert on_protocols(connection, [b"h2", b"http/1.1"]) == b"http/1.1"
    assert state.alpn == "http/1.1"
