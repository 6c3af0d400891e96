"""From a listener's options to what OpenSSL accepts connections with."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

import attrs
from OpenSSL import SSL, crypto

from sso_proxy.config.model import ListenerConfig
from sso_proxy.errors import ConfigError
from sso_proxy.model import WARNING
from sso_proxy.net.tls.certificates import CertificateCache
from sso_proxy.net.tls.handshake import (
    ConnectionState,
    Entry,
    on_certificate,
    on_protocols,
    on_server_name,
)
from sso_proxy.net.tls.material import (
    Credentials,
    MaterialReader,
    ReadFile,
    read_file,
)
from sso_proxy.net.tls.names import NameTable
from sso_proxy.net.tls.plan import Expiry, Plan, read_plans
from sso_proxy.net.tls.protocol import Protocol, certificate_store, read_protocol
from sso_proxy.net.tls.rules import ClientRules, digest
from sso_proxy.net.tls.token_binding import Negotiation

_DAY: Final = 86400

_DEPTH: Final = 8
"""CAs between a client's certificate and the one that we trust, at most.  The octets
of a chain are bounded by OpenSSL, at 100 KiB."""


@attrs.frozen(kw_only=True)
class ListenerTls:
    """
    All that a listener's connections share.  Never changes; a reload makes a new one.

    Attributes:
        context: What a connection begins with; the name in the ClientHello may
            switch it to another.
        resumable: Whether clients may resume sessions: only where no name asks for
            client certificates, and without Token Binding.
        client_rules: A hash of what is asked of clients under every name.  While it
            is the same after a reload, what older connections proved still holds.
        ends: When certificates and revocation lists end.
        token_binding: Whether clients may agree on Token Binding.
    """

    context: SSL.Context
    resumable: bool
    token_binding: bool = False
    client_rules: str
    ends: tuple[Expiry, ...]
    _certificates: CertificateCache = attrs.field(
        factory=CertificateCache, init=False, repr=False
    )
    _table: NameTable[Entry] = attrs.field(repr=False, alias="table")

    @property
    def expiries(self) -> tuple[tuple[str, float], ...]:
        """What ends when, in seconds since the epoch, for log and metrics."""
        return tuple((end.what, end.not_after) for end in self.ends)

    def new_state(self) -> ConnectionState:
        """Make the application data that a new connection must have."""
        return ConnectionState(
            table=self._table,
            rules=self._table.fallback.rules,
            certificates=self._certificates,
            token_binding=Negotiation() if self.token_binding else None,
        )

    def policy_for(self, host: str) -> str:
        """
        Name the client-certificate rules of *host* (canonical, without port).

        A request for it must not be served on a connection whose `TlsFacts.policy`
        is another: the answer is 421 (RFC 9110 section 15.5.20).
        """
        return self._table.find(host).rules.policy

    def health(self, now: float) -> tuple[str, ...]:
        """
        Say what has ended, or, as a warning, is about to.

        Args:
            now: Seconds since the epoch.
        """
        return tuple(_health_lines(self.ends, now))


def build_listener_tls(
    config: ListenerConfig,
    *,
    now: float,
    path: str = "listener[0]",
    read_file: ReadFile = read_file,
) -> ListenerTls:
    """
    Build what the listener described by *config* needs to accept TLS.

    Our own certificate may have expired: the listener serves, and health says so,
    since clients see it anyway and a restart must not make it worse.  Whatever would
    let the wrong clients in, or keep all out, is a mistake.

    Args:
        config: A listener with ``tls``.
        now: Seconds since the epoch.
        path: Where *config* stands in the file, for messages.
        read_file: Reads a whole file; raises OSError.

    Raises:
        ConfigError: With all that is wrong.
    """
    reader = MaterialReader(now=now, read_file=read_file)
    protocol = read_protocol(config, path, reader.note)
    plans = read_plans(config, path, reader)
    if reader.mistakes:
        raise ConfigError(*reader.mistakes)
    # Nobody is asked about extensions when a session is resumed.
    resumable = not protocol.token_binding and all(
        plan.rules.mode == "none" for plan in plans
    )
    built = (
        _build_entry(plan, protocol, reader, resumable=resumable) for plan in plans
    )
    entries = [entry for entry in built if entry is not None]
    if reader.mistakes:
        raise ConfigError(*reader.mistakes)
    patterns = [
        (host, entry)
        for plan, entry in zip(plans, entries, strict=True)
        for host in plan.hosts
    ]
    table = NameTable.build(patterns, fallback=entries[0])
    return ListenerTls(
        context=table.fallback.context,
        resumable=resumable,
        token_binding=protocol.token_binding,
        client_rules=_hash_rules(patterns, table.fallback),
        ends=tuple(dict.fromkeys(end for plan in plans for end in plan.ends)),
        table=table,
    )


def _hash_rules(patterns: Sequence[tuple[str, Entry]], fallback: Entry) -> str:
    lines = sorted(f"{host} {entry.rules.policy}" for host, entry in patterns)
    return digest([line.encode() for line in (fallback.rules.policy, *lines)])


def _health_lines(ends: Sequence[Expiry], now: float) -> Iterator[str]:
    for end in ends:
        left = end.not_after - now
        day = datetime.fromtimestamp(end.not_after, UTC).date().isoformat()
        if left <= 0:
            yield f"{end.what} has expired on {day}"
        elif left < end.warning:
            yield f"{WARNING}{end.what} expires on {day}, in {int(left // _DAY)} days"


def _build_entry(
    plan: Plan, protocol: Protocol, reader: MaterialReader, *, resumable: bool
) -> Entry | None:
    """Make the context of *plan*, or tell *reader* what OpenSSL does not like."""
    if plan.credentials is None:
        return None
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    protocol.apply(context)
    try:
        _use_credentials(context, plan.credentials)
    except SSL.Error as e:
        reasons = ", ".join(str(entry[-1]) for entry in e.args[0])
        reader.note(f"{plan.path}.certificate", f"is refused by OpenSSL: {reasons}")
        return None
    _use_rules(context, plan.rules)
    _use_sessions(context, resumable=resumable)
    context.set_tlsext_servername_callback(on_server_name)
    context.set_alpn_select_callback(on_protocols)
    return Entry(context=context, rules=plan.rules)


def _use_credentials(context: SSL.Context, credentials: Credentials) -> None:
    leaf, *above = credentials.chain
    context.use_certificate(leaf)
    for certificate in above:
        context.add_extra_chain_cert(certificate)
    context.use_privatekey(credentials.key)
    context.check_privatekey()


def _use_rules(context: SSL.Context, rules: ClientRules) -> None:
    """
    Tell *context* whom to trust.

    OpenSSL itself asks for a certificate good for TLS clients.  What switching a
    connection to another context does not switch (mode, callback, depth) has to be
    the same on all, or set on the connection.
    """
    context.set_verify(rules.verify_mode, on_certificate)
    context.set_verify_depth(_DEPTH)
    store = certificate_store(context)
    for authority in rules.authorities:
        store.add_cert(crypto.X509.from_cryptography(authority))
        if not rules.tolerant:
            # The names that the client is sent to choose by; where any certificate
            # is welcome, none.
            context.add_client_ca(authority)
    flags = crypto.X509StoreFlags
    if rules.lists:
        for crl in rules.lists:
            store.add_crl(crl)
        store.set_flags(flags.CRL_CHECK | flags.CRL_CHECK_ALL)
    else:
        # An intermediate CA may be trusted without its root.  Not with revocation
        # lists: OpenSSL would stop at it, and not see that its root revoked it.
        store.set_flags(flags.PARTIAL_CHAIN)


def _use_sessions(context: SSL.Context, *, resumable: bool) -> None:
    """
    Allow resumption by stateless tickets, or none at all.

    A ticket got under one name's CA would be accepted under another's, in TLS 1.2
    and 1.3, whatever the session id context; and it outlives its certificate's
    revocation (CVE-2025-23419, CVE-2025-23048).  Tickets cost the server no memory,
    which a session cache does.
    """
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    if not resumable:
        context.set_options(SSL.OP_NO_TICKET)
