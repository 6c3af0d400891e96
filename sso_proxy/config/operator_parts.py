"""What operators see of the running proxy: records, their listener, traces, timings."""

from typing import Annotated, Literal, TypeAlias

import attrs

from sso_proxy.config.checks import between, cidr_list, non_empty, positive
from sso_proxy.config.protocol_checks import secure_url
from sso_proxy.config.secrets import Secret

_FilePath: TypeAlias = Annotated[str, "file"]

TraceMode: TypeAlias = Literal["pass", "begin", "join", "restart"]


@attrs.frozen(kw_only=True)
class AuditConfig:
    """
    Where the audit record of every request goes; its schema is in the docs.

    Attributes:
        to: ``stdout``, ``file``, ``syslog`` or ``none``.
        file: Path, for ``file``; opened anew on SIGUSR1.
        syslog: A datagram socket's path, for ``syslog``.
        format: ``json``: the audit record; ``combined``: one line in the form of
            Apache's combined log, the user included.
        flush_interval: Seconds that records may wait in memory.
    """

    to: Literal["stdout", "file", "syslog", "none"] = "stdout"
    file: _FilePath | None = None
    syslog: str = "/dev/log"
    format: Literal["json", "combined"] = "json"
    flush_interval: float = attrs.field(default=0.05, validator=positive)


@attrs.frozen(kw_only=True)
class AdminConfig:
    """
    The listener for operators: health, metrics, and what is revoked.

    Attributes:
        address: A loopback address, or ``unix:/path``.  With ``certificate``, any
            address of this machine.
        port: The TCP port; not for a unix socket.
        certificate: PEM file: the listener's certificate and its chain.  With it, the
            listener speaks TLS, and whoever has a certificate of ``client_ca`` is an
            operator; nobody else gets an answer, not even on health.
        key: PEM file: its private key.
        client_ca: PEM file: CAs of operators' certificates, and of nobody else's.
        client_crl: PEM file: the CRLs of those CAs.
        operator_certificate: PEM file: what our own commands show there.
        operator_key: PEM file: its private key, for operators to read.
    """

    address: str
    port: int = attrs.field(default=0, validator=between(0, 65535))
    certificate: _FilePath | None = None
    key: _FilePath | None = None
    client_ca: _FilePath | None = None
    client_crl: _FilePath | None = None
    operator_certificate: _FilePath | None = None
    operator_key: _FilePath | None = None


@attrs.frozen(kw_only=True)
class TracesConfig:
    """
    Traces in the sense of OpenTelemetry.

    Attributes:
        ratio: Share of the traces begun here that are marked as sampled, and of the
            requests without a trace that a span is made of.
        endpoint: URL of a collector that takes spans (OTLP over HTTP):
            ``http://127.0.0.1:4318/v1/traces``; ``https`` if it is elsewhere.  Unset,
            there are none.  It needs ``pip install sso-proxy[otel]``.
        authorization: The ``Authorization`` that the collector wants; unset, none.
        service: Our name there.
        queue: Spans that may wait in memory, in each worker; what is more is dropped.
    """

    ratio: float = attrs.field(default=0.01, validator=between(0.0, 1.0))
    endpoint: str | None = attrs.field(default=None, validator=secure_url)
    authorization: Secret | None = None
    service: str = attrs.field(default="sso-proxy", validator=non_empty)
    queue: int = attrs.field(default=2048, validator=between(1, 1 << 20))


@attrs.frozen(kw_only=True)
class TimingConfig:
    """
    Who is told, in ``Server-Timing``, where a request's time goes.

    Attributes:
        networks: Addresses and ranges of operators, after trusted proxies; none:
            nobody is.
    """

    networks: tuple[str, ...] = attrs.field(default=(), validator=cidr_list)
