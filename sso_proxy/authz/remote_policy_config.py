"""The options of policies that somebody else decides."""

from collections.abc import Iterator, Mapping
from typing import Literal

import attrs

from sso_proxy.authz.foreign_obligations import (
    ForeignObligationConfig,
    check_headers,
)
from sso_proxy.config.checks import between
from sso_proxy.config.secrets import Secret
from sso_proxy.net.server_options import ServerOptions
from sso_proxy.specs.oauth.client_auth import ClientAuth

_NEEDED = {
    "none": (),
    "basic": ("username", "password"),
    "bearer": ("bearer_token",),
}


@attrs.frozen(kw_only=True)
class RemotePolicyConfig(ServerOptions):
    """
    How a decision point is asked, and for how long its answers are believed.

    Attributes:
        auth: How it knows us, besides a certificate: ``none``, ``basic`` (*username*,
            *password*) or ``bearer`` (*bearer_token*).
        username: Our name there.
        password: Our password there.
        bearer_token: Our token there.
        ttl: Seconds that an answer is believed about the same question; 0: every
            request asks.  Errors are no answers, and are never kept.
        cache_size: Answers that each process keeps.
        cache_obligations: Whether answers that oblige us to something are kept, too:
            then it is done for each request, whether the decision point heard of the
            request or not.
        at_once: Different questions that are asked at the same time; more are answered
            503.
        obligations: What we do about its obligations, by their ids; one that is not
            here denies.
        headers: Header fields for the backend that its obligations may set; no client
            may send them.
    """

    auth: Literal["none", "basic", "bearer"] = "none"
    username: str = ""
    password: Secret | None = None
    bearer_token: Secret | None = None
    ttl: float = attrs.field(default=5.0, validator=between(0, 86400))
    cache_size: int = attrs.field(default=10000, validator=between(1, 10**7))
    cache_obligations: bool = False
    at_once: int = attrs.field(default=256, validator=between(1, 65536))
    obligations: Mapping[str, ForeignObligationConfig] = attrs.field(factory=dict)
    headers: tuple[str, ...] = attrs.field(default=(), validator=check_headers)

    def __attrs_post_init__(self) -> None:
        """Refuse what is missing or has no effect, all of it at once."""
        problems = [*self.problems()]
        if problems:
            raise ValueError("; ".join(problems))

    def problems(self) -> Iterator[str]:
        """Say what is wrong with the options together; for classes with more, too."""
        needed = _NEEDED[self.auth]
        for option in ("username", "password", "bearer_token"):
            given = bool(getattr(self, option))
            if option in needed and not given:
                yield f"auth = {self.auth!r} needs {option}"
            if option not in needed and given:
                yield f"{option} has no effect with auth = {self.auth!r}"
        if ":" in self.username:
            yield "a username has no colon"

    @property
    def client(self) -> ClientAuth:
        """Give who we are there."""
        secret = self.password if self.auth == "basic" else self.bearer_token
        return ClientAuth(
            method=self.auth,
            client_id=self.username,
            secret="" if secret is None else secret.reveal(),
        )
