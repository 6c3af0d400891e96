"""
Every option of the configuration file: its meaning, unit and safe default.

The reference in the docs and the JSON Schema are generated from these classes.
Components with a ``type`` have config classes of their own, beside their code.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

import attrs

from sso_proxy.config.apache_parts import ModAuthOpenidcConfig
from sso_proxy.config.checks import (
    between,
    cidr_list,
    host_pattern,
    non_empty,
    path_prefix,
    positive,
)
from sso_proxy.config.fleet_parts import RevocationsConfig
from sso_proxy.config.limits import LimitsConfig, RouteLimitsConfig
from sso_proxy.config.login_parts import RouteLoginConfig
from sso_proxy.config.operator_parts import (
    AdminConfig,
    AuditConfig,
    TimingConfig,
    TraceMode,
    TracesConfig,
)
from sso_proxy.config.route_parts import (
    BindingConfig,
    CorsConfig,
    HeadersConfig,
    ResourceConfig,
    SessionInfoConfig,
)
from sso_proxy.config.signature_parts import SignatureConfig
from sso_proxy.config.ticket_parts import RouteTicketConfig
from sso_proxy.config.token_parts import RouteTokenConfig
from sso_proxy.config.upstream_parts import MaintenanceOptions, UpstreamOptions
from sso_proxy.specs.http.original import Asker

ClientCertificate = Literal["none", "optional", "optional_no_ca", "required"]
ForwardedCertificate = Literal["ignore", "unverified", "verified"]

FilePath: TypeAlias = Annotated[str, "file"]
"""A file's or directory's name; a relative one starts at the configuration file's
directory and is absolute once the file is loaded."""


@attrs.frozen(kw_only=True)
class ComponentConfig:
    """
    A part whose ``type`` names a plugin; the plugin's own class reads the rest.

    Attributes:
        type: The plugin's name, or ``module:Class``.
        options: All other keys of the table.
        directory: Where relative file names in *options* start; not an option.
    """

    type: str
    options: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    directory: str = ""


@attrs.frozen(kw_only=True)
class OutboundConfig:
    """
    Requests of our own, for keys and metadata.

    Attributes:
        proxy: ``http://host:port`` of a proxy asked with CONNECT for every https
            request of ours; None connects directly.
        ca: PEM file with the CAs to trust besides the system's.
        timeout: Seconds for a whole request.
        max_bytes: Octets of an answer.
    """

    proxy: str | None = None
    ca: FilePath | None = None
    timeout: float = attrs.field(default=5.0, validator=positive)
    max_bytes: int = attrs.field(default=1048576, validator=positive)


@attrs.frozen(kw_only=True)
class ServerConfig:
    """
    What holds for the whole process.

    Attributes:
        name: Our name in ``Via``, by which a loop is found (508).
        state_dir: Directory for key ring and local cache; unset, ``/var/lib/sso-proxy``
            for root and services, else ``$XDG_STATE_HOME/sso-proxy``.
        workers: Processes that serve; 1 serves in the main process.
        plugin_path: Directories with plugin files of your own.
        trusted_proxies: Addresses and ranges, or ``unix``, whose ``X-Forwarded-For``,
            ``Forwarded`` and ``X-Request-Id`` are believed; ``Client-Cert``, where a
            listener says so (``forwarded_certificate``).
        managed_headers: Further header fields that clients may never send.
        drain_timeout: Seconds that requests may still take after SIGTERM or SIGHUP.
        connections: Client connections at once, in each worker.
        connections_per_address: The same from one address that is no trusted proxy.
        backlog: Connections that may wait to be accepted.
        limits: What one client may cost.
        audit: Where audit records go.
        access_log: A second stream, of the same choice of forms; unset, there is none.
        admin: The listener for operators; unset, there is none.
        revocations: How revocations are shared with other machines; unset, none is.
        timing: Who is told where a request's time goes.
        traces: What becomes of traces that begin here.
        outbound: Requests of our own.
    """

    name: str = attrs.field(default="sso-proxy", validator=non_empty)
    state_dir: FilePath | None = None
    workers: int = attrs.field(default=1, validator=between(1, 128))
    plugin_path: tuple[FilePath, ...] = ()
    trusted_proxies: tuple[str, ...] = attrs.field(default=(), validator=cidr_list)
    managed_headers: tuple[str, ...] = ()
    drain_timeout: float = attrs.field(default=30.0, validator=positive)
    connections: int = attrs.field(default=20000, validator=positive)
    connections_per_address: int = attrs.field(default=4096, validator=positive)
    backlog: int = attrs.field(default=4096, validator=between(1, 65535))
    limits: LimitsConfig = attrs.field(factory=LimitsConfig)
    audit: AuditConfig = attrs.field(factory=AuditConfig)
    access_log: AuditConfig | None = None
    admin: AdminConfig | None = None
    revocations: RevocationsConfig | None = None
    timing: TimingConfig = attrs.field(factory=TimingConfig)
    traces: TracesConfig = attrs.field(factory=TracesConfig)
    outbound: OutboundConfig = attrs.field(factory=OutboundConfig)


@attrs.frozen(kw_only=True)
class NameConfig:
    """
    What a listener does differently for some names that clients ask for (SNI).

    Attributes:
        host: The names: ``app.example.com`` or ``*.example.com``.
        certificate: PEM file: our certificate and its chain.
        key: PEM file: its private key.
        client_certificate: ``none``, ``optional`` (a valid one or none),
            ``optional_no_ca`` (any or none; a fact, not an identity) or ``required``.
            Unset, the listener's.
        client_ca: PEM file: CAs of client certificates.  Unset, the listener's.
        client_crl: PEM file: the CRLs of those CAs; every CA in a chain needs a
            current one.  Unset, the listener's.
    """

    host: tuple[str, ...] = attrs.field(validator=[non_empty, host_pattern])
    certificate: FilePath | None = None
    key: FilePath | None = None
    client_certificate: ClientCertificate | None = None
    client_ca: FilePath | None = None
    client_crl: FilePath | None = None


@attrs.frozen(kw_only=True)
class ListenerConfig:
    """
    One listening socket.

    Attributes:
        address: An IP address, ``::`` for both families, ``unix:/path``, or
            ``systemd:name`` for the socket that systemd passes under that name.
        port: The TCP port.
        tls: Whether clients speak TLS here.  A plain listener serves routes only if
            ``allow_plaintext`` says so; otherwise all it does is redirect.
        allow_plaintext: Serve routes without TLS (behind a terminator).
        redirect_port: The https port that a plain listener redirects to.
        certificate: PEM file: our certificate and its chain.
        key: PEM file: its private key.
        client_certificate: ``none``, ``optional`` (a valid one or none),
            ``optional_no_ca`` (any or none; a fact, not an identity) or ``required``.
        client_ca: PEM file: CAs of client certificates.
        client_crl: PEM file: the CRLs of those CAs; every CA in a chain needs a
            current one, and ``client_ca`` has to hold the roots.
        min_version: The lowest TLS version.
        max_version: The highest TLS version.
        ciphers: OpenSSL cipher list for TLS 1.2; unset, ECDHE with AEAD only.
        ciphersuites: TLS 1.3 cipher suites; unset, OpenSSL's.
        groups: Key exchange groups, in order; unset, OpenSSL's.
        token_binding: Whether clients may agree on Token Binding (RFC 8472) here, and
            prove with each request then which key they hold.  It needs TLS 1.2, so
            that nothing later is spoken here, and no session is resumed.
        handshake_timeout: Seconds for the handshake, PROXY line included.
        proxy_protocol: Addresses and ranges, or ``unix``, of peers that begin with a
            PROXY protocol header (version 1 or 2); from these it is required, from
            others not read.
        forwarded_certificate: What ``Client-Cert`` (RFC 9440) of a trusted proxy
            counts that ended the client's TLS: ``ignore``; ``unverified``: its
            client holds the key, good for bindings and pins; ``verified``: it has
            checked the issuer, too.  Only for proxies that take the field out of
            what clients send.
        forwarded_token_binding: Whether a trusted proxy that ended the client's TLS is
            believed about the client's keys: ``Sec-Provided-Token-Binding-ID`` and
            its kin.  Only for proxies that take these fields out of what clients send,
            which few do that know ``Client-Cert``.
        forward_auth: The other proxy that only asks here, and forwards itself what may
            pass: ``nginx``, ``caddy``, ``traefik`` or ``envoy``; unset, none.
        hsts: ``max-age`` in seconds of ``Strict-Transport-Security``; 0 sends none.
        name: What is different for some names.  Clients that ask for no name, or
            for another one, get the listener's own certificate and the strictest
            client-certificate rules of all.
    """

    address: str
    port: int = attrs.field(default=0, validator=between(0, 65535))
    tls: bool = True
    allow_plaintext: bool = False
    redirect_port: int = attrs.field(default=443, validator=between(1, 65535))
    certificate: FilePath | None = None
    key: FilePath | None = None
    client_certificate: ClientCertificate = "none"
    client_ca: FilePath | None = None
    client_crl: FilePath | None = None
    min_version: Literal["TLSv1.2", "TLSv1.3"] = "TLSv1.2"
    max_version: Literal["TLSv1.2", "TLSv1.3"] = "TLSv1.3"
    ciphers: str | None = None
    ciphersuites: str | None = None
    groups: tuple[str, ...] = ()
    token_binding: bool = False
    handshake_timeout: float = attrs.field(default=10.0, validator=positive)
    proxy_protocol: tuple[str, ...] = attrs.field(default=(), validator=cidr_list)
    forwarded_certificate: ForwardedCertificate = "ignore"
    forwarded_token_binding: bool = False
    forward_auth: Asker | None = None
    hsts: int = attrs.field(default=31536000, validator=between(0, 2**31))
    name: tuple[NameConfig, ...] = ()


@attrs.frozen(kw_only=True)
class UpstreamConfig:
    """
    How a route's backend is reached.

    Attributes:
        ca: PEM file: CAs to trust for this backend, instead of the system's.
        certificate: PEM file: our client certificate.
        key: PEM file: its private key.
        server_name: The name to expect in the backend's certificate; unset, the
            backend's host.
        host: The ``Host`` the backend gets: ``client`` for the client's, else a
            literal value.
        idle: Connections kept open while idle, in each worker.
        idle_timeout: Seconds that one is kept.
    """

    ca: FilePath | None = None
    certificate: FilePath | None = None
    key: FilePath | None = None
    server_name: str | None = None
    host: str = "client"
    idle: int = attrs.field(default=128, validator=between(0, 65535))
    idle_timeout: float = attrs.field(default=30.0, validator=positive)


@attrs.frozen(kw_only=True)
class RouteConfig:
    """
    Some paths of a host, and what holds there.

    Attributes:
        host: ``api.example.com``, ``*.example.com`` (one label), or ``*``.
        path: A prefix of whole segments; ``{name}`` stands for any one segment.  The
            route with the longest one wins.
        authenticate: Names of authenticators, asked in this order; anonymous access
            has to be written: ``["anonymous"]``.
        binding: Keys that callers must prove to hold.
        session: Name of the browser sessions that people who log in here get; routes
            that name the same share them, if the same cookie gets to all.
        login: What logins that begin here are asked for, instead of what the
            authenticators' tables say.
        map_user: Names of mappers, asked in this order; none: the user is the
            identity's subject.
        require: Conditions; all must hold.
        policy: Names of policies; all of them have to permit.
        shadow: Names of policies that do not count yet: where they would decide
            otherwise, the log says so.
        headers: What the backend is told about the caller.
        token: Credentials of its own that the backend gets.
        ticket: How browsers get the tickets of a login server; for ``ticket:NAME``.
        signature: How requests to the backend are signed; unset, they are not.
        mod_auth_openidc: What an application behind Apache knows from this module;
            unset, nothing.
        cors: Which web pages of other origins may read answers; unset, none.
        session_info: What pages learn of their user's session; unset, nothing.
        resource: What clients find out about this resource; unset, nothing.
        backend: ``http://host:port``, ``https://host:port``, ``unix:/path``,
            ``wsgi:module:app``, ``static:/directory``, ``resource:module:name``,
            ``decisions:NAME``: the rules of ``[policy.NAME]`` answer questions, or
            ``ticket:NAME``: this is a login server that gives browsers the tickets of
            ``[token.NAME]``, as *ticket* says; ``upstream:NAME``: the servers of
            ``[upstream.NAME]``; or ``forward-auth:``: another proxy has it.
        upstream: How the backend is reached.
        strip_prefix: Segments that *path* begins with and that the backend does not
            get: with ``/shop``, ``/shop/cart`` is its ``/cart``.
        add_prefix: Segments that the backend gets before what is left.
        maintenance: When nobody gets to the backend.
        trace: The trace context (``traceparent``) that the backend gets: ``pass``: as
            it came; ``begin``: likewise, and one begins where none came; ``join``:
            likewise, with our own span as the parent; ``restart``: always a new one,
            for callers whose traces are none of our business.
        methods: Allowed methods; none: all but TRACE and CONNECT.
        encoded_slashes: Whether ``%2F`` and ``%5C`` may stand in the path; not where it
            would be another route's if they were slashes.
        path_parameters: ``;`` in the path: ``reject`` it with 400, ``strip`` the
            parameters, or ``keep`` them.  Servlet containers and others do not take
            them for a part of the path; keep them only where all routes of the host
            ask the same of callers.
        upgrade: Protocols that may be switched to, such as ``websocket``.
        origins: Origins besides the host's own whose pages may open WebSockets.
        limits: Limits of this route.
        endpoints: Where our own paths are.
    """

    host: str = attrs.field(validator=host_pattern)
    path: str = attrs.field(default="/", validator=path_prefix)
    authenticate: tuple[str, ...] = attrs.field(validator=non_empty)
    binding: BindingConfig = attrs.field(factory=BindingConfig)
    session: str | None = None
    login: RouteLoginConfig | None = None
    map_user: tuple[str, ...] = ()
    require: tuple[str, ...] = ()
    policy: tuple[str, ...] = ()
    shadow: tuple[str, ...] = ()
    headers: HeadersConfig = attrs.field(factory=HeadersConfig)
    token: tuple[RouteTokenConfig, ...] = ()
    ticket: RouteTicketConfig | None = None
    signature: SignatureConfig | None = None
    mod_auth_openidc: ModAuthOpenidcConfig | None = None
    cors: CorsConfig | None = None
    session_info: SessionInfoConfig | None = None
    resource: ResourceConfig | None = None
    backend: str = attrs.field(validator=non_empty)
    upstream: UpstreamConfig = attrs.field(factory=UpstreamConfig)
    strip_prefix: str = ""
    add_prefix: str = ""
    maintenance: MaintenanceOptions | None = None
    trace: TraceMode = "pass"
    methods: tuple[str, ...] = ()
    encoded_slashes: bool = False
    path_parameters: Literal["reject", "strip", "keep"] = "reject"
    upgrade: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    limits: RouteLimitsConfig = attrs.field(factory=RouteLimitsConfig)
    endpoints: str = attrs.field(default="/.sso/", validator=path_prefix)


@attrs.frozen(kw_only=True)
class KeyRingConfig:
    """
    Our own symmetric keys.

    Attributes:
        file: Path; made by ``sso-proxy key new``, readable by nobody else (0600).
            Unset, ``keys.json`` in the state directory, made by the first start.
    """

    file: FilePath | None = None


@attrs.frozen(kw_only=True)
class PagesConfig:
    """
    What people see of us: errors, the choice of a login.

    Attributes:
        title: The site's name, on every page.
        logo: An SVG or PNG file of at most 64 KiB, on every page.
        language: The language for people who ask for none that there is.
        templates: Directory with replacements of our templates: ``layout.html``,
            ``error.html``, ``logged-out.html``, ``style.css`` and so on.
        messages: Directory with texts by language: ``en.toml``, ``fr.toml``.  One in a
            language of ours (English and German) may leave out what stays as it is.
        reasons: Whether answers of ours carry their reason code in ``X-Reason``, for
            tests: it tells callers more than they need to know.
    """

    title: str = ""
    logo: FilePath | None = None
    language: str = "en"
    templates: FilePath | None = None
    messages: FilePath | None = None
    reasons: bool = False


@attrs.frozen(kw_only=True)
class Config:
    """
    The whole file.

    Attributes:
        server: What holds for the whole process.
        listener: Listening sockets.
        authenticator: Authenticators by name; ``anonymous`` is always there.
        mapper: User mappers by name.
        binding: How keys are checked that tokens are bound to, by kind:
            ``certificate``, ``dpop``, ``token_binding``.  ``type`` need not be written.
        cache: Caches by name; used is the only one, or ``default``, or a ``local`` one.
        session: Browser sessions by name, for routes whose authenticators log people
            in; used is the one that the route names, else the only one, or ``default``,
            or a ``server`` one.
        policy: What decides who may do what, by name.
        obligation: What policies can oblige us to, by name; ours need no table.
        checker: Password checkers by name, for logins by password.
        token: What gives backends credentials of their own, by name.
        upstream: Backends of several servers, by name.
        key_ring: Our own symmetric keys.
        pages: What people see of us.
        route: Routes.
    """

    server: ServerConfig = attrs.field(factory=ServerConfig)
    listener: tuple[ListenerConfig, ...] = attrs.field(validator=non_empty)
    authenticator: Mapping[str, ComponentConfig] = attrs.field(factory=dict)
    mapper: Mapping[str, ComponentConfig] = attrs.field(factory=dict)
    binding: Mapping[str, ComponentConfig] = attrs.field(factory=dict)
    cache: Mapping[str, ComponentConfig] = attrs.field(factory=dict)
    session: Mapping[str, ComponentConfig] = attrs.field(factory=dict)
    policy: Mapping[str, ComponentConfig] = attrs.field(factory=dict)
    obligation: Mapping[str, ComponentConfig] = attrs.field(factory=dict)
    checker: Mapping[str, ComponentConfig] = attrs.field(factory=dict)
    token: Mapping[str, ComponentConfig] = attrs.field(factory=dict)
    upstream: Mapping[str, UpstreamOptions] = attrs.field(factory=dict)
    key_ring: KeyRingConfig | None = None
    pages: PagesConfig = attrs.field(factory=PagesConfig)
    route: tuple[RouteConfig, ...] = attrs.field(validator=non_empty)
