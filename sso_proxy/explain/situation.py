"""The request that is asked about, and who makes it, as far as that was said."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import attrs
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.model import ANONYMOUS, CertificateFacts, Identity
from sso_proxy.net.tls.certificates import read_certificate
from sso_proxy.net.tls.errors import PeerError
from sso_proxy.specs.expression_times import read_moment

NOBODY: Final = "nobody"
"""Instead of claims: the caller shows no credential."""

NO_CERTIFICATE: Final = "none"
"""Instead of a file: the client has no certificate."""

SOURCES: Final = ("id_token", "userinfo", "token")
_TEXTS: Final = ("issuer", "subject", "authenticator")
_AMONG_CLAIMS: Final = ("acr", "amr", "auth_time")
_MEMBERS: Final = frozenset({"claims", "scopes", *SOURCES, *_TEXTS, *_AMONG_CLAIMS})

UNKNOWN: Final = Identity(issuer="?", subject="?", authenticator="")
"""Stands for somebody of whom nothing is said."""

EVERYTHING: Final = frozenset({"claims", "scopes", *SOURCES, *_TEXTS})
"""What is missing then."""

WHO_NOBODY: Final = Identity(issuer=ANONYMOUS, subject="anonymous", authenticator="")


@attrs.frozen(kw_only=True)
class Who:
    """
    Who calls.

    Attributes:
        identity: As far as is known.
        missing: What is not: `sso_proxy.authz.possible.facts_of`.
    """

    identity: Identity = UNKNOWN
    missing: frozenset[str] = EVERYTHING

    @property
    def is_nobody(self) -> bool:
        """Whether no credential is shown."""
        return self.identity is WHO_NOBODY


@attrs.frozen(kw_only=True)
class Situation:
    """
    A request, and what is known about it.

    Attributes:
        url: What was asked for.
        method: The method.
        who: Who calls.
        certificate: The client's certificate; None if it has none.
        certificate_known: Whether that is known.
        client: Its address; empty if not known.
        at: When: seconds since the epoch.
        bindings: Kinds of keys that it proves to hold.
        server_name: The name that it asks for in the handshake; empty for the host's.
    """

    url: str
    method: str = "GET"
    who: Who = attrs.field(factory=Who)
    certificate: CertificateFacts | None = None
    certificate_known: bool = False
    client: str = ""
    at: float
    bindings: tuple[str, ...] = ()
    server_name: str = ""


def read_who(document: object, path: str) -> Who:
    """
    Read who calls.

    Args:
        document: ``nobody``; claims; or, with a member ``claims``, what is known
            besides: ``issuer``, ``subject``, ``scopes``, ``authenticator``, ``acr``,
            ``amr``, ``auth_time``, and the claims of ``id_token``, ``userinfo`` and
            ``token``.
        path: Where it stands, for mistakes.

    Raises:
        ConfigError: It is something else.
    """
    if document == NOBODY:
        return Who(identity=WHO_NOBODY, missing=frozenset())
    if not isinstance(document, Mapping):
        raise ConfigError(Mistake(path, f"must be claims, or {NOBODY!r}"))
    members = document if "claims" in document else {"claims": document}
    _check_members(members, path)
    claims = {
        **members["claims"],
        **{name: members[name] for name in _AMONG_CLAIMS if name in members},
    }
    issuer = members.get("issuer", claims.get("iss"))
    subject = members.get("subject", claims.get("sub"))
    scopes = _read_scopes(members, claims, path)
    sources = {name: members[name] for name in SOURCES if name in members}
    confirmation = claims.get("cnf")
    missing = {name for name in SOURCES if name not in members}
    for name, value in (("issuer", issuer), ("subject", subject), ("scopes", scopes)):
        if value is None:
            missing.add(name)
    if "authenticator" not in members:
        missing.add("authenticator")
    identity = Identity(
        issuer=issuer if isinstance(issuer, str) else UNKNOWN.issuer,
        subject=subject if isinstance(subject, str) else UNKNOWN.subject,
        authenticator=str(members.get("authenticator", "")),
        claims=claims,
        scopes=scopes or frozenset(),
        confirmation=confirmation if isinstance(confirmation, Mapping) else {},
        sources=sources,
    )
    return Who(identity=identity, missing=frozenset(missing))


def _check_members(members: Mapping[str, Any], path: str) -> None:
    mistakes = [
        Mistake(f"{path}.{name}", f"is not known; known are {', '.join(_known())}")
        for name in members
        if name not in _MEMBERS
    ]
    mistakes += [
        Mistake(f"{path}.{name}", "must be an object")
        for name in ("claims", *SOURCES)
        if name in members and not isinstance(members[name], Mapping)
    ]
    mistakes += [
        Mistake(f"{path}.{name}", "must be a string")
        for name in _TEXTS
        if name in members and not isinstance(members[name], str)
    ]
    if mistakes:
        raise ConfigError(*mistakes)


def _known() -> list[str]:
    return sorted(_MEMBERS)


def _read_scopes(
    members: Mapping[str, Any], claims: Mapping[str, Any], path: str
) -> frozenset[str] | None:
    """Read scopes from where they stand; None if nowhere."""
    for name, found in (
        ("scopes", members.get("scopes")),
        ("claims.scope", claims.get("scope")),
        ("claims.scp", claims.get("scp")),
    ):
        if found is None:
            continue
        if isinstance(found, str):
            return frozenset(found.split())
        if isinstance(found, list | tuple) and all(isinstance(s, str) for s in found):
            return frozenset(found)
        raise ConfigError(Mistake(f"{path}.{name}", "must be scopes"))
    return None


def read_who_file(file: Path) -> Who:
    """
    Read who calls from a file of JSON.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        document = json.loads(file.read_bytes())
    except OSError as e:
        problem = f"cannot be read: {e.strerror}"
        raise ConfigError(Mistake(str(file), problem)) from e
    except (ValueError, RecursionError) as e:
        raise ConfigError(Mistake(str(file), f"is not JSON: {e}")) from None
    return read_who(document, str(file))


def with_scopes(who: Who, text: str) -> Who:
    """Give *who* with the scopes that *text* lists."""
    scopes = frozenset(text.replace(",", " ").split())
    identity = attrs.evolve(who.identity, scopes=scopes)
    return Who(identity=identity, missing=who.missing - {"scopes"})


def read_client_certificate(file: Path) -> CertificateFacts:
    """
    Read a client's certificate, the first of a PEM file, as one that is verified.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        found = x509.load_pem_x509_certificates(file.read_bytes())
        leaf, *chain = (each.public_bytes(Encoding.DER) for each in found)
        return read_certificate(leaf, tuple(chain), True, "")
    except OSError as e:
        problem = f"cannot be read: {e.strerror}"
        raise ConfigError(Mistake(str(file), problem)) from e
    except (ValueError, PeerError) as e:
        raise ConfigError(Mistake(str(file), f"is no certificate: {e}")) from None


def read_time(text: str, path: str) -> float:
    """
    Read a moment: seconds since the epoch, or as RFC 3339 writes it.

    Raises:
        ConfigError: It is none.
    """
    if text.isascii() and text.isdecimal():
        return float(text)
    try:
        return read_moment(text).seconds
    except ValueError:
        problem = f"{text!r} is no moment such as 2026-01-31T13:45:00Z"
        raise ConfigError(Mistake(path, problem)) from None
