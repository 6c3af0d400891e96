"""What operators see of the running proxy: records, their listener, traces, timings."""

from typing import Annotated, Literal, TypeAlias

import attrs

from sso_proxy.config.checks import between, cidr_list, non_empty, positive

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
        address: A loopback address, or ``unix:/path``; anything else is refused.
        port: The TCP port; not for a unix socket.
    """

    address: str
    port: int = attrs.field(default=0, validator=between(0, 65535))


@attrs.frozen(kw_only=True)
class TracesConfig:
    """
    Traces in the sense of OpenTelemetry.

    Attributes:
        ratio: Share of the traces begun here that are marked as sampled.
    """

    ratio: float = attrs.field(default=0.01, validator=between(0.0, 1.0))


@attrs.frozen(kw_only=True)
class TimingConfig:
    """
    Who is told, in ``Server-Timing``, where a request's time goes.

    Attributes:
        networks: Addresses and ranges of operators, after trusted proxies.
    """

    networks: tuple[str, ...] = attrs.field(validator=[non_empty, cidr_list])
