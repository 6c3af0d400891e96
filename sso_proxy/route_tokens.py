"""Which tokens the backends of one configuration's routes get."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sso_proxy.config.model import ComponentConfig, RouteConfig
from sso_proxy.config.token_parts import Place, RouteTokenConfig
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import IDelivery, IPublishesKeys, ITokenSource
from sso_proxy.named_parts import NamedParts
from sso_proxy.net.tls.certificates import thumbprint
from sso_proxy.routing import Supply
from sso_proxy.token import Audience
from sso_proxy.tokens.delivery import (
    BasicDelivery,
    CookieDelivery,
    EnvironDelivery,
    FormDelivery,
    HeaderDelivery,
    QueryDelivery,
)

MakeSource = Callable[[str, ComponentConfig], ITokenSource]
"""Makes the token source of this name; raises ConfigError."""


class RouteTokens:
    """
    Gives routes what gives their backends tokens.

    Args:
        configured: The ``[token.N]`` tables.
        make: Makes a source; it may ask for others by `source`.
        reached: Gives what says how a route's backend is reached.

    Attributes:
        mistakes: Why some sources cannot be made.
    """

    def __init__(
        self,
        configured: Mapping[str, ComponentConfig],
        make: MakeSource,
        reached: Callable[[RouteConfig], Any] = lambda route: route.upstream,
    ) -> None:
        self._reached = reached
        self._sources = NamedParts("token", configured, make)
        self.mistakes = self._sources.mistakes

    def make_all(self) -> None:
        """Make all that are configured, whether any route names them or not."""
        self._sources.make_all()

    def source(self, name: str) -> ITokenSource:
        """
        Give the source *name* for another one to make tokens from its tokens.

        Raises:
            ConfigError: There is none, it cannot be made, or it needs the other one.
        """
        return self._sources.give(name)

    def find(self, path: str, route: RouteConfig) -> tuple[Supply, ...]:
        """
        Give the tokens of the backend of *route*, which stands at *path*.

        Raises:
            ConfigError: One has no source, or our certificate cannot be read.
        """
        supplies = []
        for number, token in enumerate(route.token):
            source = self._sources.find(token.name)
            if source is None:  # said already
                raise ConfigError
            audience = Audience(
                name=token.audience,
                thumbprint=_thumbprint(path, self._reached(route).certificate),
            )
            try:
                source.check_audience(audience)
            except ValueError as e:
                where = f"{path}.token[{number}].audience"
                raise ConfigError(Mistake(where, str(e))) from None
            supplies.append(
                Supply(
                    name=token.name,
                    source=source,
                    audience=audience,
                    delivery=build_delivery(token),
                    required=token.on_error == "deny",
                )
            )
        return tuple(supplies)

    @property
    def publishers(self) -> dict[str, IPublishesKeys]:
        """Give the sources that sign with keys of ours, by name."""
        made: Mapping[str, Any] = self._sources.made
        return {n: s for n, s in made.items() if IPublishesKeys.providedBy(s)}

    def publishing(self, name: str) -> Iterator[IPublishesKeys]:
        """Give those of the source *name* and all that it needs."""
        if name in self.publishers:
            yield self.publishers[name]
        for other in self._sources.needs.get(name, ()):
            yield from self.publishing(other)


def _thumbprint(path: str, name: str | None) -> str:
    """Give ``x5t#S256`` of our certificate toward a backend, if we have one."""
    if name is None:
        return ""
    try:
        certificate = x509.load_pem_x509_certificates(Path(name).read_bytes())[0]
    except (OSError, ValueError) as e:
        problem = f"cannot be read: {e}"
        raise ConfigError(Mistake(f"{path}.upstream.certificate", problem)) from None
    return thumbprint(certificate.public_bytes(Encoding.DER))


def build_delivery(token: RouteTokenConfig) -> IDelivery:
    """Make what puts a token where the backend looks for it."""
    name = token.field
    made: dict[Place, IDelivery] = {
        "authorization": HeaderDelivery("Authorization", token.scheme or "Bearer"),
        "header": HeaderDelivery(name, token.scheme or ""),
        "cookie": CookieDelivery(name),
        "query": QueryDelivery(name),
        "form": FormDelivery(name),
        "basic": BasicDelivery(token.user),
        "environ": EnvironDelivery(name),
    }
    return made[token.to]
