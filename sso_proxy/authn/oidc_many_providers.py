"""The providers of an ``oidc_discovery`` authenticator, each with an ``oidc`` one."""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import attrs
from zope.interface import implementer

from sso_proxy.authn.oidc import OidcAuthenticator
from sso_proxy.authn.oidc_many_config import (
    DEFAULTS,
    OidcDiscoveryConfig,
    ProviderConfig,
    ProviderFiles,
    read_providers,
)
from sso_proxy.authn.oidc_many_wish import Places, apply_registration, build_wish
from sso_proxy.authn.oidc_registrar import Registrar, Wish
from sso_proxy.config.expressions import compile_expression
from sso_proxy.errors import ConfigError, Mistake, SsoProxyError, UnavailableError
from sso_proxy.interfaces import (
    ICache,
    IClock,
    IPasswordChecker,
    ISealer,
    ITokenSource,
    ITools,
    IUserMapper,
)
from sso_proxy.net.address_limit import AddressLimit
from sso_proxy.net.client_auth_parts import read_tls
from sso_proxy.net.client_keys import read_client_keys
from sso_proxy.net.guard import Guard
from sso_proxy.net.http_client import ClientTls, HttpClient
from sso_proxy.net.metadata import IssuerSource
from sso_proxy.specs.oauth.registration import Registration, RegistrationError
from sso_proxy.specs.oauth.urls import UrlRefusedError, read_issuer

DIRECTORY: Final = "clients"
"""Below the state directory: our registrations."""
_ALL: Final = "all"


@attrs.frozen
class NotHereError(SsoProxyError):
    """
    Nobody logs in there.

    Attributes:
        reason: The code of the page that says so.
        detail: Why, for the log.
        status: What the browser is told.
    """

    reason: str
    detail: str
    status: int = 403


@implementer(ITools)
@attrs.frozen(kw_only=True)
class _InnerTools:
    """What one provider's authenticator may use of the proxy."""

    name: str
    clock: IClock
    http_client: Any
    reactor: Any
    spawn: Callable[..., Any]
    decide_anew: Callable[[], None]
    shared: Callable[..., Any]
    state_dir: Path
    cache: Callable[..., ICache]
    sealer: Callable[..., ISealer]
    token: Callable[..., ITokenSource]
    checker: Callable[..., IPasswordChecker]
    mapper: Callable[..., IUserMapper]
    condition: Callable[..., Callable[..., bool]]


@attrs.frozen
class _Made:
    """A provider's authenticator, and the registration that it was made with."""

    login: OidcAuthenticator
    registration: Registration | None


class Providers:
    """
    Makes the authenticator of a provider when it is asked for, and keeps it.

    Attributes:
        files: What the files say.
        stranger: Asks hosts that strangers name.
        public_keys: Ours, toward those in files.
        in_fragments: Whether answers may be behind the ``#`` of a URL.
        relies_on_notices: Whether a provider is to tell us of logouts.

    Args:
        config: The options of all.
        tools: What may be used of the proxy.

    Raises:
        ConfigError: Files of providers cannot be used: all that is wrong.
    """

    def __init__(self, config: OidcDiscoveryConfig, tools: ITools) -> None:
        self._config = config
        self._tools = tools
        self.files: ProviderFiles = read_providers(config.providers)
        if config.allowed_issuers or config.allowed_patterns:
            _check_secrets(self.files)
        self._patterns = [compile_expression(p) for p in config.allowed_patterns]
        guard = Guard.of(config.networks)
        client: HttpClient | None = tools.http_client
        self.stranger = None if client is None else client.guarded(guard)
        self._registrar = Registrar(
            tools.name,
            tools.state_dir / DIRECTORY,
            tools.clock,
            tools.reactor,
            config.renew_before,
        )
        self._places = Places(
            name=tools.name, origins=config.origins, endpoints=config.endpoints
        )
        self._limit = AddressLimit(tools.clock, config.lookups_per_address)
        self._total = AddressLimit(tools.clock, config.lookups_per_minute)
        self._made: OrderedDict[str, _Made] = OrderedDict()
        self._things: OrderedDict[str, dict[tuple[Any, ...], Any]] = OrderedDict()
        for issuer, each in self.files.providers.items():
            if not each.register:
                self._made[issuer] = self._make(issuer, each, None)
        self.public_keys = self._read_keys()
        every = [*self.files.providers.values(), *self.files.general]
        self.in_fragments = any(each.mode.startswith("fragment") for each in every)
        self.relies_on_notices = any(each.backchannel_logout == "on" for each in every)

    def allows(self, issuer: str) -> bool:
        """Say whether people may log in at *issuer*; asks nobody."""
        if issuer in self.files.providers or issuer in self._config.allowed_issuers:
            return True
        try:
            plain = read_issuer(issuer).is_plain
        except UrlRefusedError:
            return False
        return not plain and any(p.fullmatch(issuer) for p in self._patterns)

    def spend(self, address: str) -> None:
        """
        Count that a client causes a question to where strangers say.

        Raises:
            NotHereError: There were too many.
        """
        if not (self._limit.allows(address) and self._total.allows(_ALL)):
            detail = "too many look-ups from this address, or in all"
            raise NotHereError("too-many-logins", detail, 429)

    def ready(self, issuer: str) -> OidcAuthenticator | None:
        """Give the authenticator of *issuer*, if there is one; asks nobody."""
        made = self._made.get(issuer)
        return None if made is None else made.login

    async def find(
        self, issuer: str, *, may_register: bool = False, address: str | None = None
    ) -> OidcAuthenticator:
        """
        Give the authenticator of *issuer*.

        Args:
            issuer: The issuer, which may be anything at all.
            may_register: Whether we may register with it, if we have not.
            address: Of the client who causes that; None for what is no login.

        Raises:
            NotHereError: Nobody logs in there, or we are not registered with it.
            UnavailableError: It cannot be had now.
        """
        if not self.allows(issuer):
            raise NotHereError("login-issuer", "the issuer is not allowed")
        config = self._options(issuer)
        if address is not None and issuer not in self._made and self._is_found(issuer):
            self.spend(address)
        if not config.register:
            return self._keep(issuer, config, None)
        registration = await self._register(issuer, config, may_register=may_register)
        config = apply_registration(config, registration)
        return self._keep(issuer, config, registration)

    async def prepare(self) -> None:
        """Register with those in files with which we are not registered yet."""
        for issuer, config in self.files.providers.items():
            if config.register and self._registrar.stored(issuer) is None:
                try:
                    await self.find(issuer, may_register=True)
                except (NotHereError, UnavailableError):
                    continue  # logged, and tried again when somebody logs in

    def _options(self, issuer: str) -> ProviderConfig:
        known = self.files.providers.get(issuer)
        try:
            return self.files.of(issuer) if known is None else known
        except ConfigError as e:
            detail = f"defaults.toml is not enough for {issuer}: {e}"
            raise NotHereError("login-issuer", detail) from None

    def _is_found(self, issuer: str) -> bool:
        """Say whether it is one that no file names."""
        return issuer not in self.files.providers

    def _keep(
        self, issuer: str, config: ProviderConfig, registration: Registration | None
    ) -> OidcAuthenticator:
        """Give the authenticator, made anew if our registration is another now."""
        made = self._made.get(issuer)
        if made is None or made.registration != registration:
            made = self._made[issuer] = self._make(issuer, config, registration)
            found = [each for each in self._made if self._is_found(each)]
            for each in found[: max(0, len(found) - self._config.most)]:
                del self._made[each]
                self._things.pop(each, None)
        self._made.move_to_end(issuer)
        return made.login

    def _make(
        self, issuer: str, config: ProviderConfig, registration: Registration | None
    ) -> _Made:
        tools = self._tools_of(issuer)
        return _Made(OidcAuthenticator.from_config(config, tools), registration)

    def _tools_of(self, issuer: str) -> ITools:
        tools = self._tools
        found = self._is_found(issuer)
        inner: ITools = _InnerTools(
            name=tools.name,
            clock=tools.clock,
            http_client=self.stranger if found else tools.http_client,
            reactor=tools.reactor,
            spawn=tools.spawn,
            decide_anew=tools.decide_anew,
            # What is shared with the next configuration is not forgotten: strangers
            # must not fill that.
            shared=self._share_of(issuer) if found else tools.shared,
            state_dir=tools.state_dir,
            cache=tools.cache,
            sealer=tools.sealer,
            token=tools.token,
            checker=tools.checker,
            mapper=tools.mapper,
            condition=tools.condition,
        )
        return inner

    def _share_of(self, issuer: str) -> Callable[..., Any]:
        things = self._things.setdefault(issuer, {})

        def share(key: tuple[Any, ...], make: Callable[[], Any]) -> Any:  # noqa: ANN401
            if key not in things:
                things[key] = make()
            return things[key]

        return share

    async def _register(
        self, issuer: str, config: ProviderConfig, *, may_register: bool
    ) -> Registration:
        """
        Give our registration with a provider.

        Raises:
            NotHereError: There is none, and none may be got.
            UnavailableError: None can be got now.
        """
        stored = self._registrar.stored(issuer)
        if not may_register:
            if stored is None:
                raise NotHereError("login-issuer", "we are not registered there")
            return stored
        tools = self._tools_of(issuer)
        tls = read_tls(config, "")
        source = self._source(config, tools, tls)
        metadata = None if source is None else await source.metadata()
        url = config.registration_endpoint
        if url is None and metadata is not None:
            url = metadata.registration_endpoint

        async def endpoint() -> str:
            if url is None:
                raise UnavailableError(f"{issuer} has no registration_endpoint")
            return url

        token = config.initial_access_token
        fixed = "auth" in self.files.defaults or issuer in self.files.fixed_auth
        try:
            members = build_wish(config, self._places, metadata, fixed_auth=fixed)
            wish = Wish(
                issuer=issuer,
                members=members,
                endpoint=endpoint,
                token=None if token is None else token.reveal(),
                http_client=tools.http_client,
                tls=tls,
            )
            return await self._registrar.registration(wish)
        except RegistrationError as e:
            raise NotHereError("login-issuer", f"{issuer}: {e.detail}") from e

    def _source(
        self, config: ProviderConfig, tools: ITools, tls: ClientTls | None
    ) -> IssuerSource | None:
        """Give where the provider's metadata are: the same that it is asked by."""
        if config.by_hand:
            return None
        trust = None if tls is None or tls.ca is None else ClientTls(ca=tls.ca)
        client, url = tools.http_client, config.metadata
        source: IssuerSource = tools.shared(
            ("IssuerSource", config.issuer, client, trust, url),
            lambda: IssuerSource(config.issuer, client, tools.clock, trust, url),
        )
        return source

    def _read_keys(self) -> tuple[Any, ...]:
        """Give the public keys by which providers know us, each once."""
        found: dict[str, Any] = {}
        for config in (*self.files.providers.values(), *self.files.general):
            keys = read_client_keys(
                signing=config.signing_keys,
                alg=config.signing_alg,
                kid=config.signing_kid,
                decryption=config.decryption_keys,
                path="providers",
            )
            found.update((str(dict(key)), key) for key in keys.public)
        return tuple(found.values())


def _check_secrets(files: ProviderFiles) -> None:
    """
    Check that no secret is for all.

    Each provider that is found would be told it, and could be us at all others.

    Raises:
        ConfigError: One is.
    """
    for each in files.general:
        secrets = {
            "client_secret": None if each.register else each.client_secret,
            "initial_access_token": each.initial_access_token,
        }
        problem = "every provider that is found would be told it: write it in files"
        wrong = [name for name, value in secrets.items() if value is not None]
        if wrong:
            places = (f"providers/{DEFAULTS}.{name}" for name in wrong)
            raise ConfigError(*(Mistake(place, problem) for place in places))
