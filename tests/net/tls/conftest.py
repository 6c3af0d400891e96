"""Real handshakes between a listener's context and a client, in memory."""

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL

from sso_proxy.config.model import ListenerConfig, NameConfig
from sso_proxy.errors import ConfigError
from sso_proxy.model import CertificateFacts, TlsFacts
from sso_proxy.net.tls.context import ListenerTls, build_listener_tls
from sso_proxy.net.tls.facts import read_facts
from sso_proxy.net.tls.handshake import ConnectionState
from sso_proxy.testing.pki import Issued, Pki


@attrs.define(kw_only=True, eq=False)
class Shaken:
    """What came out of a handshake."""

    client: SSL.Connection
    server: SSL.Connection
    state: ConnectionState
    known: TlsFacts | None = None
    error: Exception | None = None
    client_error: Exception | None = None

    @property
    def facts(self) -> TlsFacts:
        """The facts of a handshake that succeeded."""
        assert self.known is not None, self.error
        return self.known

    @property
    def certificate(self) -> CertificateFacts:
        """The certificate in the facts."""
        assert self.facts.certificate is not None
        return self.facts.certificate

    @property
    def refused(self) -> bool:
        """Whether the server refused."""
        return self.error is not None

    def server_subject(self) -> str:
        """The common name of the certificate that the client saw."""
        certificate = self.client.get_peer_certificate(as_cryptography=True)
        assert certificate is not None
        return certificate.subject.rfc4514_string()

    def session(self) -> SSL.Session:
        """What the client would resume with; reads the tickets that come late."""
        for _ in range(3):
            move(self.server, self.client)
            with contextlib.suppress(SSL.WantReadError):
                self.client.recv(1)
        session = self.client.get_session()
        assert session is not None
        return session


def move(source: SSL.Connection, target: SSL.Connection) -> bool:
    """Carry what *source* has to say to *target*."""
    try:
        target.bio_write(source.bio_read(1 << 20))
    except SSL.WantReadError:
        return False
    return True


def shake(client: SSL.Connection, server: SSL.Connection) -> tuple[Any, Any]:
    """Let both shake hands; give the errors of each, False while not done."""
    errors: dict[SSL.Connection, Any] = {client: False, server: False}
    for _ in range(12):
        for side, other in ((client, server), (server, client)):
            if errors[side] is False:
                try:
                    side.do_handshake()
                    errors[side] = None
                except SSL.WantReadError:
                    pass
                except (SSL.Error, ValueError, TypeError, AttributeError) as e:
                    errors[side] = e
            move(side, other)
    return errors[client], errors[server]


@attrs.define(kw_only=True, eq=False)
class Lab:
    """CAs, certificates, files and both ends."""

    pki: Pki
    other: Pki
    files: dict[str, bytes]
    alice: Issued
    now: float

    def read(self, path: str) -> bytes:
        """Read a file of `files`."""
        if path not in self.files:
            raise FileNotFoundError(2, "No such file or directory", path)
        return self.files[path]

    def put(self, name: str, issued: Issued) -> dict[str, Any]:
        """Make files of *issued*; give the options that name them."""
        self.files[f"{name}.crt"] = issued.chain_pem
        self.files[f"{name}.key"] = issued.key_pem
        return {"certificate": f"{name}.crt", "key": f"{name}.key"}

    def config(self, *names: dict[str, Any], **options: Any) -> ListenerConfig:  # noqa: ANN401
        """Make a listener's configuration from what differs."""
        return ListenerConfig(
            address="127.0.0.1",
            **{"certificate": "own.crt", "key": "own.key"} | options,
            name=tuple(NameConfig(**name) for name in names),
        )

    def listener(self, *names: dict[str, Any], **options: Any) -> ListenerTls:  # noqa: ANN401
        """Build a listener from what differs."""
        return build_listener_tls(
            self.config(*names, **options), now=self.now, read_file=self.read
        )

    def mistakes(self, *names: dict[str, Any], **options: Any) -> dict[str, str]:  # noqa: ANN401
        """Say what is wrong with a listener, by the path of the option."""
        with pytest.raises(ConfigError) as caught:
            self.listener(*names, **options)
        return {mistake.path: mistake.problem for mistake in caught.value.mistakes}

    def client_context(
        self,
        certificate: Issued | None = None,
        *,
        version: int = 0,
        alpn: Sequence[bytes] = (),
        options: int = 0,
    ) -> SSL.Context:
        """Make a client that takes any server."""
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        if version:
            context.set_min_proto_version(version)
            context.set_max_proto_version(version)
        if alpn:
            context.set_alpn_protos(list(alpn))
        context.set_options(options)
        context.set_session_cache_mode(SSL.SESS_CACHE_CLIENT)
        if certificate is not None:
            leaf, *above = x509.load_pem_x509_certificates(certificate.chain_pem)
            context.use_certificate(leaf)
            for one in above:
                context.add_extra_chain_cert(one)
            key: Any = load_pem_private_key(certificate.key_pem, password=None)
            context.use_privatekey(key)
        return context

    def begin(
        self,
        tls: ListenerTls,
        context: SSL.Context,
        sni: str | bytes | None = None,
        session: SSL.Session | None = None,
    ) -> tuple[SSL.Connection, SSL.Connection, ConnectionState]:
        """Make both ends, before the first octet."""
        client = SSL.Connection(context, None)
        client.set_connect_state()
        if sni is not None:
            client.set_tlsext_host_name(sni.encode() if isinstance(sni, str) else sni)
        if session is not None:
            client.set_session(session)
        server = SSL.Connection(tls.context, None)
        state = tls.new_state()
        server.set_app_data(state)
        server.set_accept_state()
        return client, server, state

    def connect(  # noqa: PLR0913
        self,
        tls: ListenerTls,
        certificate: Issued | None = None,
        *,
        sni: str | bytes | None = None,
        session: SSL.Session | None = None,
        context: SSL.Context | None = None,
        prepare: Callable[[SSL.Connection], None] = lambda _: None,
        prepare_state: Callable[[ConnectionState], None] = lambda _: None,
        **options: Any,  # noqa: ANN401
    ) -> Shaken:
        """Shake hands with *tls* as a client that has *certificate*."""
        context = context or self.client_context(certificate, **options)
        client, server, state = self.begin(tls, context, sni, session)
        prepare(client)
        prepare_state(state)
        client_error, error = shake(client, server)
        shaken = Shaken(
            client=client,
            server=server,
            state=state,
            error=error or None,
            client_error=client_error or None,
        )
        assert error is not False, "the handshake did not end"
        if error is None:
            try:
                shaken.known = read_facts(server, state)
            except SSL.Error as e:
                shaken.error = e
        return shaken


@pytest.fixture(scope="session")
def _authorities() -> tuple[Pki, Pki, Issued, Issued]:
    pki, other = Pki.create("Client CA"), Pki.create("Other CA")
    own = Pki.create("Server CA").issue("own", dns=["own.example"], server=True)
    return pki, other, own, pki.issue("alice", emails=["a@example.com"], client=True)


@pytest.fixture
def lab(_authorities: tuple[Pki, Pki, Issued, Issued]) -> Lab:
    """Give files with a server's certificate, two CAs and a client's certificate."""
    pki, other, own, alice = _authorities
    lab = Lab(
        pki=pki,
        other=other,
        alice=alice,
        files={"ca.crt": pki.ca_pem, "other.crt": other.ca_pem},
        now=time.time(),
    )
    lab.put("own", own)
    return lab
