"""The options of the ``oidc_discovery`` authenticator, and of each of its providers."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from sso_proxy.authn.oidc_config import OidcConfig
from sso_proxy.config.checks import Attribute, between
from sso_proxy.config.expressions import compile_expression
from sso_proxy.config.model import FilePath
from sso_proxy.config.protocol_checks import secure_url
from sso_proxy.config.secrets import Secret
from sso_proxy.config.structure import structure
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.net.guard import Guard
from sso_proxy.specs.oauth.urls import UrlRefusedError, read_issuer, read_url

DEFAULTS: Final = "defaults.toml"
"""The file with the options of all providers."""

_LARGEST: Final = 262144
_READERS: Final = {".toml": tomllib.loads, ".json": json.loads}
_PLACEHOLDER: Final = Secret("a-secret-that-is-not-known-before-we-register")


def _expressions(_: object, __: Attribute, value: tuple[str, ...]) -> None:
    for text in value:
        compile_expression(text)


def _issuers(_: object, __: Attribute, value: tuple[str, ...]) -> None:
    for text in value:
        try:
            read_issuer(text)
        except UrlRefusedError as e:
            raise ValueError(f"{text!r}: {e.detail}") from None


def _networks(_: object, __: Attribute, value: tuple[str, ...]) -> None:
    Guard.of(value)


def _origins(_: object, __: Attribute, value: tuple[str, ...]) -> None:
    for text in value:
        try:
            url = read_url(text)
        except UrlRefusedError as e:
            raise ValueError(f"{text!r}: {e.detail}") from None
        if url.path or url.query or url.is_plain:
            raise ValueError(f"{text!r} is no origin as https://app.example.com")


@attrs.frozen(kw_only=True)
class OidcDiscoveryConfig:
    r"""
    The ``oidc_discovery`` authenticator's part of the configuration file.

    Browsers log in at one of many OpenID Providers, which is found when they do: people
    choose among those in ``providers``, type an account or a URL, or come by a link of
    their provider (``login?iss=``).  What is not in ``providers`` and not allowed here
    is never asked anything.

    Attributes:
        providers: Directory with a file for each provider, TOML or JSON: the options
            of an ``oidc`` authenticator, ``issuer`` among them.  What stands in its
            file ``defaults.toml`` holds for all that do not say otherwise, and for
            those that are found.
        allowed_issuers: Further issuers, octet by octet.
        allowed_patterns: Further issuers: regular expressions (RE2) that one has to
            match as a whole, as in ``https://[a-z]+\.example\.com``.
        lookup_hosts: Hosts of accounts and URLs that may be asked where these log in
            (WebFinger): ``example.com``, ``*.example.com`` for all below it, ``*`` for
            every host of the Internet.  What they answer must be an issuer that is
            allowed.
        networks: Networks that are not public, in which hosts may be that have no file
            in ``providers``: ``10.1.0.0/16``.
        origins: The origins under which browsers know us, for providers with which we
            register ourselves: ``https://app.example.com``.
        endpoints: Where our endpoints are at these origins.
        title: What people know it by, where they have a choice; unset, the name of
            this table.
        renew_before: Seconds before a client secret ends when a new one is got.
        most: Providers that are kept ready, besides those in ``providers``.
        lookups_per_minute: How often hosts that strangers name are asked, in all.
        lookups_per_address: The same, for each client's address.
    """

    providers: FilePath
    allowed_issuers: tuple[str, ...] = attrs.field(default=(), validator=_issuers)
    allowed_patterns: tuple[str, ...] = attrs.field(default=(), validator=_expressions)
    lookup_hosts: tuple[str, ...] = ()
    networks: tuple[str, ...] = attrs.field(default=(), validator=_networks)
    origins: tuple[str, ...] = attrs.field(default=(), validator=_origins)
    endpoints: str = "/.sso/"
    title: str = ""
    renew_before: float = attrs.field(default=86400.0, validator=between(0, 2.7e6))
    most: int = attrs.field(default=100, validator=between(1, 10000))
    lookups_per_minute: int = attrs.field(default=60, validator=between(1, 100000))
    lookups_per_address: int = attrs.field(default=10, validator=between(1, 100000))


@attrs.frozen(kw_only=True)
class ProviderConfig(OidcConfig):
    """
    One provider of an ``oidc_discovery`` authenticator.

    All options of the ``oidc`` authenticator, and these.

    Attributes:
        register: Whether we register ourselves with it (RFC 7591), instead of a
            ``client_id``.
        registration_endpoint: Where; unset, what its metadata say.
        initial_access_token: What it wants to see for that.
        registration: Further members of what we register, such as ``contacts``; they
            count more than ours.
        client_name: What people know us by there.
    """

    register: bool = False
    registration_endpoint: str | None = attrs.field(default=None, validator=secure_url)
    initial_access_token: Secret | None = None
    registration: Mapping[str, Any] = attrs.field(factory=dict)
    client_name: str = ""

    def problems(self) -> Iterator[str]:
        """Say what is missing, contradicts itself or has no effect."""
        yield from super().problems()
        if not self.register:
            for option in ("registration_endpoint", "initial_access_token"):
                if getattr(self, option) is not None:
                    yield f"{option} has no effect without register"


@attrs.frozen(kw_only=True)
class ProviderFiles:
    """
    What is in the directory.

    Attributes:
        directory: It.
        defaults: The options of all.
        providers: Those of each, by issuer.
        fixed_auth: Issuers whose options say how we authenticate.
    """

    directory: Path
    defaults: Mapping[str, Any] = attrs.field(repr=False)
    providers: Mapping[str, ProviderConfig]
    fixed_auth: frozenset[str] = frozenset()

    @property
    def general(self) -> tuple[ProviderConfig, ...]:
        """Give the options of issuers without a file, if there are enough for one."""
        try:
            return (self.of("https://localhost"),)
        except ConfigError:
            return ()

    @property
    def notes(self) -> tuple[tuple[str, str], ...]:
        """Give what is allowed and makes logins less safe, and where that is."""
        every = [*self.providers.items(), *((DEFAULTS, one) for one in self.general)]
        return tuple((place, note) for place, each in every for note in each.notes)

    def of(self, issuer: str) -> ProviderConfig:
        """
        Give the options for an issuer that has no file.

        Raises:
            ConfigError: The defaults do not do for that.
        """
        raw = {**self.defaults, "issuer": issuer}
        return _structure(raw, self.directory, DEFAULTS)


def read_providers(directory: str) -> ProviderFiles:
    """
    Read the files of all providers.

    Raises:
        ConfigError: The directory, or files in it, cannot be used: all that is wrong.
    """
    place, mistakes = Path(directory), list[Mistake]()
    try:
        files = sorted(p for p in place.iterdir() if not p.name.startswith("."))
    except OSError as e:
        problem = f"{directory} cannot be read: {e.strerror}"
        raise ConfigError(Mistake("providers", problem)) from None
    raws: dict[str, dict[str, Any]] = {}
    for file in files:
        try:
            raws[file.name] = _read(file)
        except ConfigError as e:
            mistakes.extend(e.mistakes)
    defaults = raws.pop(DEFAULTS, {})
    if "issuer" in defaults:
        mistakes.append(Mistake(f"providers/{DEFAULTS}.issuer", "is not for all"))
    found: dict[str, ProviderConfig] = {}
    fixed = set()
    for name, raw in raws.items():
        try:
            config = _structure({**defaults, **raw}, place, name)
        except ConfigError as e:
            mistakes.extend(e.mistakes)
            continue
        if config.issuer in found:
            problem = "another file has this issuer, too"
            mistakes.append(Mistake(f"providers/{name}.issuer", problem))
        found[config.issuer] = config
        if "auth" in {**defaults, **raw}:
            fixed.add(config.issuer)
    if mistakes:
        raise ConfigError(*mistakes)
    return ProviderFiles(
        directory=place,
        defaults=defaults,
        providers=found,
        fixed_auth=frozenset(fixed),
    )


def _structure(raw: dict[str, Any], directory: Path, name: str) -> ProviderConfig:
    """Read one provider's options; what only registering tells is filled in."""
    path = f"providers/{name}"
    if raw.get("register") is True:
        if "client_id" in raw:
            problem = "stands beside register: one of them"
            raise ConfigError(Mistake(f"{path}.client_id", problem))
        raw = {**raw, "client_id": "-"}
        if str(raw.get("auth", "client_secret_basic")).startswith("client_secret"):
            raw["client_secret"] = _PLACEHOLDER
    return structure(raw, ProviderConfig, path=path, directory=directory)


def _read(file: Path) -> dict[str, Any]:
    """Read one file."""
    path = f"providers/{file.name}"
    reader = _READERS.get(file.suffix)
    if reader is None:
        raise ConfigError(Mistake(path, "is neither .toml nor .json"))
    try:
        with file.open("rb") as opened:
            data = opened.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise ConfigError(Mistake(path, f"has more than {_LARGEST} octets"))
        raw = reader(data.decode())
    except OSError as e:
        raise ConfigError(Mistake(path, f"cannot be read: {e.strerror}")) from None
    except (ValueError, RecursionError) as e:
        problem = f"is no {file.suffix[1:].upper()}: {e}"
        raise ConfigError(Mistake(path, problem)) from None
    if not isinstance(raw, dict):
        raise ConfigError(Mistake(path, "is no table"))
    return raw
