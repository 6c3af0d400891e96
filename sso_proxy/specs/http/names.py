"""
Which header fields are whose: framing, this hop's, ours, or the backend's.

CGI, WSGI and their kin fold every character of a name that is no letter or digit to
``_``, so ``X_Remote.User`` arrives there as ``X-Remote-User``.  Names are therefore
compared after folding; an alias of a name that matters is dropped and never used.
"""

from collections.abc import Iterable
from typing import Final

from sso_proxy.specs.http.head import COMMON_NAMES, is_token, words

KEEP: Final = 0
"""For the backend."""
DROP: Final = 1
"""Not for the backend, and nothing we use."""
ONCE: Final = 2
"""For the backend, and refused if repeated: two readers would pick different ones."""
OURS: Final = 3
"""We read it, and serialise it anew if the backend needs it."""
FORWARDED: Final = 4
"""What a proxy says about the client; believed from trusted peers only."""
TRACE: Final = 5
"""Where the request belongs in a trace; nothing is decided by it."""

HOP_BY_HOP: Final = words(
    "http2-settings keep-alive proxy proxy-authenticate proxy-authentication-info"
    " proxy-authorization proxy-connection te trailer"
)
"""Fields of one connection (RFC 9110 section 7.6.1), and ``Proxy``, which CGI turns
into ``HTTP_PROXY`` (CVE-2016-5385)."""

FRAMING: Final = words(
    "connection content-length expect host transfer-encoding upgrade via"
)
"""Fields that we read and write ourselves."""

SINGLE: Final = words(
    "authorization content-type cookie origin sec-fetch-dest sec-fetch-mode"
    " sec-fetch-site sec-websocket-key sec-websocket-version"
)
"""Fields that decisions depend on and that may stand only once."""

PROTECTED: Final = frozenset({*FRAMING, *SINGLE}) - {"upgrade"}
"""Fields that ``Connection`` must not name: it would take them away after somebody
has decided on them."""

TRACING: Final = words("traceparent tracestate")
"""The trace context, which has a serialisation of its own."""

_FORWARDING: Final = words(
    "cf-connecting-ip cf-connecting-ipv6 client-cert client-cert-chain client-ip"
    " fastly-client-ip forwarded forwarded-for front-end-https proxy-client-ip"
    " sec-other-token-binding-id sec-provided-token-binding-id"
    " sec-referred-token-binding-id sec-token-binding sec-token-binding-context"
    " true-client-ip wl-proxy-client-ip x-arr-clientcert x-arr-ssl x-azure-clientip"
    " x-azure-socketip x-client-cert x-client-ip x-cluster-client-ip x-forwarded"
    " x-host x-original-forwarded-for x-original-host x-original-method"
    " x-original-proto x-original-uri x-original-url x-originating-ip x-real-ip"
    " x-remote-addr x-remote-ip x-request-id x-rewrite-url x-scheme"
    " x-url-scheme"
)
_FORWARDING_PREFIXES: Final = (
    *("x-forwarded-", "x-envoy-", "x-ssl-", "ssl-client-", "x-tls-", "x-client-cert-"),
)

_IDENTITY: Final = words(
    # The names that gateways put a user into and that applications believe.
    "remote-user remote-groups remote-email remote-name x-remote-user"
    " x-remote-groups x-remote-email x-remote-name x-forwarded-user"
    # Method overrides: the decision was about the method in the request line.
    " x-http-method x-http-method-override x-method-override"
    # gunicorn takes these two for CGI's own from a loopback peer.
    " script-name path-info x-script-name"
)

_FIXED: Final = dict.fromkeys(FRAMING, OURS) | dict.fromkeys(SINGLE, ONCE)

_FOLD: Final = {ord(char): "-" for char in "!#$%&'*+.^_`|~"} | {
    ord(char): char.lower() for char in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
}

_LEARNT: Final = 1024
"""Names learnt from clients that are kept; then all are forgotten."""
_LEARNT_LENGTH: Final = 64
"""Octets of a name that is worth keeping."""


def fold(name: str) -> str:
    """Give the one spelling that all aliases of a field name share."""
    return name.translate(_FOLD)


class _Kinds(dict[str, int]):
    """The kind of every lower-case name; a bounded number of new ones is kept."""

    def __init__(self, managed: "ManagedNames") -> None:
        self._managed = managed
        self._preset = {name.lower(): 0 for name in COMMON_NAMES}
        self._forget()

    def __missing__(self, name: str) -> int:
        kind = self._managed.decide(name)
        if len(name) <= _LEARNT_LENGTH:
            if len(self) >= _LEARNT + len(self._preset):
                self._forget()
            self[name] = kind
        return kind

    def _forget(self) -> None:
        self.clear()
        for name in self._preset:
            self[name] = self._managed.decide(name)


class ManagedNames:
    """
    The fields that no client may set, on any route.

    Those that tell a backend where a request comes from are always among them.

    Attributes:
        kinds: What to do with a field, by lower-case name; any name may be asked.
    """

    def __init__(self, names: Iterable[str] = (), prefixes: Iterable[str] = ()) -> None:
        """
        Take the names and prefixes that the configuration adds.

        Raises:
            ValueError: Not a field name, or one that a request cannot do without.
        """
        added = frozenset(map(_check_name, names))
        self._names = added | _IDENTITY | _FORWARDING
        self._prefixes = (*_FORWARDING_PREFIXES, *map(_check_prefix, prefixes))
        self.kinds: dict[str, int] = _Kinds(self)

    def covers(self, name: str) -> bool:
        """Say whether *name*, or what it is an alias of, is one of these."""
        folded = fold(name)
        return folded in self._names or folded.startswith(self._prefixes)

    def decide(self, name: str) -> int:
        """Find the kind of a lower-case name, without the memory of `kinds`."""
        folded = fold(name)
        fixed = _FIXED.get(name)
        if fixed is not None:
            return fixed
        if folded in HOP_BY_HOP or folded in FRAMING or folded in SINGLE:
            return DROP
        if not self.covers(name):
            return TRACE if name in TRACING else KEEP
        forwarding = folded in _FORWARDING or folded.startswith(_FORWARDING_PREFIXES)
        if forwarding and folded == name and name not in _IDENTITY:
            return FORWARDED
        return DROP


def _check_name(name: str) -> str:
    """Fold a configured name, or raise ValueError."""
    folded = fold(name)
    if not is_token(name):
        message = f"{name!r} is no header field name"
        raise ValueError(message)
    if folded in FRAMING or folded in SINGLE:
        message = f"{name!r} cannot be managed: requests need it"
        raise ValueError(message)
    return folded


def _check_prefix(prefix: str) -> str:
    """Fold a configured prefix, or raise ValueError."""
    folded = fold(prefix)
    if not is_token(prefix) or any(
        name.startswith(folded) for name in (*FRAMING, *SINGLE)
    ):
        message = f"{prefix!r} cannot be a prefix of managed header fields"
        raise ValueError(message)
    return folded
