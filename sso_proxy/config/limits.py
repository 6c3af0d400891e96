"""The limits of the configuration file."""

import attrs
from attrs.validators import optional

from sso_proxy.config.checks import between, positive


@attrs.frozen(kw_only=True)
class LimitsConfig:
    """
    What one client may cost; every limit is finite.

    Attributes:
        request_line: Octets of a request line; more is 414.
        header_bytes: Octets of the whole header section; more is 431.
        headers: Number of header fields; more is 431.
        body_bytes: Octets of a request body; more is 413.
        header_timeout: Seconds from the first octet of a request to the end of its
            header section; later is 408.
        body_idle_timeout: Seconds without an octet of an announced body; then 408.
        body_min_rate: Octets a second that a body must keep up on average, after
            a first ``body_idle_timeout``; slower is 408.
        send_timeout: Seconds without an octet taken by a client that is being sent
            an answer; then the connection is cut.
        keep_alive_timeout: Seconds a connection may wait for its next request.
        requests_per_connection: Requests before a connection is closed.
        connect_timeout: Seconds to reach a backend; then 504.
        response_timeout: Seconds a backend may take to begin its answer, and to go
            on with it; then 504, or a cut if it had begun.
        upgrade_idle_timeout: Seconds without an octet either way in a tunnel
            (WebSocket).
        linger_timeout: Seconds to take in what a client still sends after it was
            sent an error.
        linger_bytes: Octets to take in then.
        logins_per_minute: Logins that may begin from one address, in each worker; for
            IPv6 from one network of 64 bits.  More is 429.  As many keys of devices
            may be registered; more is 503.
    """

    request_line: int = attrs.field(default=8192, validator=between(64, 65536))
    header_bytes: int = attrs.field(default=32768, validator=between(256, 1048576))
    headers: int = attrs.field(default=100, validator=between(4, 10000))
    body_bytes: int = attrs.field(default=2**34, validator=positive)
    header_timeout: float = attrs.field(default=10.0, validator=positive)
    body_idle_timeout: float = attrs.field(default=30.0, validator=positive)
    body_min_rate: int = attrs.field(default=240, validator=positive)
    send_timeout: float = attrs.field(default=60.0, validator=positive)
    keep_alive_timeout: float = attrs.field(default=60.0, validator=positive)
    requests_per_connection: int = attrs.field(default=1000, validator=positive)
    connect_timeout: float = attrs.field(default=5.0, validator=positive)
    response_timeout: float = attrs.field(default=60.0, validator=positive)
    upgrade_idle_timeout: float = attrs.field(default=600.0, validator=positive)
    linger_timeout: float = attrs.field(default=2.0, validator=positive)
    linger_bytes: int = attrs.field(default=1048576, validator=positive)
    logins_per_minute: int = attrs.field(default=300, validator=positive)


@attrs.frozen(kw_only=True)
class RouteLimitsConfig:
    """
    Limits of one route; what is not set is the server's.

    Attributes:
        body_bytes: Octets of a request body; more is 413.
        connect_timeout: Seconds to reach the backend; then 504.
        response_timeout: Seconds the backend may take to begin its answer, and to go
            on with it.
        request_timeout: Seconds from the head of a request to the end of its answer,
            whatever moves meanwhile; then 504, 408 if the request itself had not
            ended, or a cut if the answer had begun.  Unset, there is no such limit.
        upgrade_idle_timeout: Seconds without an octet either way in a tunnel.
    """

    body_bytes: int | None = attrs.field(default=None, validator=optional(positive))
    connect_timeout: float | None = attrs.field(
        default=None, validator=optional(positive)
    )
    response_timeout: float | None = attrs.field(
        default=None, validator=optional(positive)
    )
    request_timeout: float | None = attrs.field(
        default=None, validator=optional(positive)
    )
    upgrade_idle_timeout: float | None = attrs.field(
        default=None, validator=optional(positive)
    )
