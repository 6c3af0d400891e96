"""Options of ``[upstream.NAME]`` and of a route's maintenance."""

from typing import Annotated, Literal, TypeAlias

import attrs

from sso_proxy.config.checks import between, cidr_list, non_empty, positive

_FilePath: TypeAlias = Annotated[str, "file"]  # as in `sso_proxy.config.model`

BalanceName = Literal["round_robin", "least_connections", "user"]
FailureName = Literal["connect", "timeout", "closed"]


@attrs.frozen(kw_only=True)
class ServerOptions:
    """
    One server of an upstream.

    Attributes:
        url: ``http://host:port``, ``https://host:port`` or ``unix:/path``.
        weight: Its share of the requests, next to those of the others; 0 gives it no
            new ones, so that it can be taken away when those under way have ended.
    """

    url: str = attrs.field(validator=non_empty)
    weight: int = attrs.field(default=1, validator=between(0, 1000))


@attrs.frozen(kw_only=True)
class HealthOptions:
    """
    How each server is asked, by each worker, whether it is well.

    Attributes:
        path: The path, perhaps with a query, that is asked for with GET.
        host: The ``Host`` of the question; unset, the server's own.
        status: Statuses of a server that is well.
        interval: Seconds between two questions.
        timeout: Seconds until the head of an answer must have come.
        rises: Good answers in a row after which a server that was down is well.
        falls: Failures in a row after which it is down.  At the start, one is enough.
    """

    path: str = "/"
    host: str | None = None
    status: tuple[int, ...] = attrs.field(default=(200,), validator=non_empty)
    interval: float = attrs.field(default=5.0, validator=between(0.25, 3600))
    timeout: float = attrs.field(default=2.0, validator=positive)
    rises: int = attrs.field(default=2, validator=between(1, 100))
    falls: int = attrs.field(default=3, validator=between(1, 100))


@attrs.frozen(kw_only=True)
class UpstreamOptions:
    """
    Several servers of one application, for routes with ``backend = "upstream:NAME"``.

    What each worker knows of them is its own: limits and counts hold for each worker,
    and each finds out by itself who is down.

    Attributes:
        server: The servers; all alike, whichever is asked.
        balance: Who gets a request: ``round_robin`` in turn; ``least_connections``,
            the one with the fewest requests for its weight; ``user``: each user, and
            each address of nobody in particular, has a server, and keeps it unless
            that one is down.
        ca: PEM file: CAs to trust for these servers, instead of the system's.
        certificate: PEM file: our client certificate.
        key: PEM file: its private key.
        server_name: The name to expect in the servers' certificates; unset, the host
            of each.
        idle: Connections to each server kept open while idle, in each worker.
        idle_timeout: Seconds that one is kept.
        connections: Requests and tunnels at one server at a time, in each worker; more
            go elsewhere, or wait.
        queue: Requests that may wait, in each worker; more are 503.
        queue_timeout: Seconds that one may wait; then 503.
        tries: Servers that may get one request, one after the other, where that is
            safe: none could be reached, or the request changes nothing, has no body,
            and nothing has been answered.
        failures: What fails in a row before a server is left alone for ``pause``.
        failure: What counts: it could not be reached (``connect``), it did not answer
            in time (``timeout``), or closed without an answer (``closed``).  Callers
            may be able to cause the latter two by what they ask for.
        failure_status: Statuses that count, too, such as 503; then, another server is
            asked if that is safe.
        pause: Seconds that a server is left alone then; after these, one request at a
            time tries it out.  Where ``health`` asks it, that decides instead.
        slow_start: Seconds in which a server that is well again gets more and more
            requests; 0: all at once.  Not with ``balance = "user"``.
        health: How servers are asked whether they are well; unset, they are not.
    """

    server: tuple[ServerOptions, ...] = attrs.field(validator=non_empty)
    balance: BalanceName = "round_robin"
    ca: _FilePath | None = None
    certificate: _FilePath | None = None
    key: _FilePath | None = None
    server_name: str | None = None
    idle: int = attrs.field(default=128, validator=between(0, 65535))
    idle_timeout: float = attrs.field(default=30.0, validator=positive)
    connections: int = attrs.field(default=1024, validator=positive)
    queue: int = attrs.field(default=128, validator=between(0, 65535))
    queue_timeout: float = attrs.field(default=5.0, validator=positive)
    tries: int = attrs.field(default=3, validator=between(1, 100))
    failures: int = attrs.field(default=3, validator=between(1, 1000))
    failure: tuple[FailureName, ...] = ("connect",)
    failure_status: tuple[int, ...] = ()
    pause: float = attrs.field(default=5.0, validator=positive)
    slow_start: float = attrs.field(default=0.0, validator=between(0, 3600))
    health: HealthOptions | None = None


@attrs.frozen(kw_only=True)
class MaintenanceOptions:
    """
    When a route answers 503 to everybody, and how.

    Logins and our other own paths go on, and so does what is under way.

    Attributes:
        on: Whether it does now; a reload changes it.
        file: It also does as long as this file is there; that needs no reload.
        allow: Addresses and ranges that get through to the backend all the same.
        retry_after: Seconds after which callers may try again.
        html: A page of your own for people: at most 256 KiB, with style and images
            within it.
        json: A document of your own for programs: at most 256 KiB.
    """

    on: bool = False
    file: _FilePath | None = None
    allow: tuple[str, ...] = attrs.field(default=(), validator=cidr_list)
    retry_after: int = attrs.field(default=300, validator=between(1, 604800))
    html: _FilePath | None = None
    json: _FilePath | None = None
