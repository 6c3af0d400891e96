"""The ``ropc`` tokens: for a user's name, and a password or what stands for one."""

from collections.abc import Iterator
from typing import Any, ClassVar, Final

import attrs
from attrs.validators import optional
from zope.interface import implementer

from sso_proxy.config.checks import Attribute, non_empty
from sso_proxy.config.secrets import Secret
from sso_proxy.interfaces import IHealth, ITokenSource, ITools
from sso_proxy.model import Caller
from sso_proxy.specs.claims import claim_at, read_claim_path
from sso_proxy.specs.oauth.client_auth import FormFields
from sso_proxy.specs.oauth.grants import build_password
from sso_proxy.specs.oidc.token_response import TokenResponseError
from sso_proxy.token import NotIssued
from sso_proxy.tokens.granting import PlainConfig, PlainSource
from sso_proxy.tokens.remote import Wanted
from sso_proxy.tokens.subject import Presented, read_subject_option

_FORBIDDEN: Final = 403
_NAMELESS: Final = NotIssued(
    reason="token-missing", status=403, detail="the caller has no name to ask with"
)


def _path(_instance: object, _attribute: Attribute, value: str) -> None:
    if value:
        read_claim_path(value)


def _place(_instance: object, _attribute: Attribute, value: str) -> None:
    read_subject_option(value)


@attrs.frozen(kw_only=True)
class RopcConfig(PlainConfig):
    """
    How access tokens are got with a user's name and password (RFC 6749 section 4.3).

    Only for servers that know nothing better: the password gets to the proxy, and the
    server cannot ask for more.

    Attributes:
        subject: What is sent as the password: a place as in other tokens, such as
            ``cookie:NAME`` for what an old login gave the browser.
        username: The name that is sent; unset, *username_claim*, or else the name that
            the backend knows the caller by.
        username_claim: The caller's claim that has the name, as in the ``claim``
            mapper.
        password: A password that is sent for all callers, instead of *subject*.
    """

    subject: str = attrs.field(default="none", validator=_place)
    username: str | None = attrs.field(default=None, validator=optional(non_empty))
    username_claim: str = attrs.field(default="", validator=_path)
    password: Secret | None = None

    def problems(self) -> Iterator[str]:
        """Say what is wrong with the options together."""
        yield from super().problems()
        if self.subject == "none" and self.password is None:
            yield "subject is missing: where the password is; or password"
        if self.subject != "none" and self.password is not None:
            yield "subject and password: only one of them is sent"
        if self.username is not None and self.username_claim:
            yield "username and username_claim: only one of them is sent"


@implementer(ITokenSource, IHealth)
class RopcSource(PlainSource):
    """Gets tokens for users whose passwords, or something like them, are known."""

    config_class: ClassVar[Any] = RopcConfig
    config: RopcConfig

    def __init__(self, config: RopcConfig, tools: ITools) -> None:
        super().__init__(config, tools)
        claim = config.username_claim
        self._claim = read_claim_path(claim) if claim else ()

    async def subject_of(self, caller: Caller) -> Presented | NotIssued | None:
        """Give what stands for the password of a caller who has a name."""
        if not self._name_of(caller):
            return _NAMELESS
        return await super().subject_of(caller)

    def form(self, wanted: Wanted) -> FormFields:
        """
        Say what is asked.

        Raises:
            UnfitError: Name or password are empty, too long or have control characters.
        """
        secret, subject = self.config.password, wanted.subject
        if secret is not None:
            password = secret.reveal()
        else:
            password = "" if subject is None else subject.value
        target = self.config.target(wanted.audience)
        return build_password(self._name_of(wanted.caller), password, target)

    def key_of(self, wanted: Wanted) -> tuple[str | bytes, ...]:
        """Say which name and password are sent; nothing else of a caller is."""
        subject = wanted.subject
        name = self._name_of(wanted.caller)
        return (name, b"" if subject is None else subject.key)

    def refused(self, error: TokenResponseError) -> NotIssued:
        """Take a bare 403 for what it means: some servers have no code for it."""
        if error.status == _FORBIDDEN and not error.error:
            error = attrs.evolve(error, error="invalid_grant")
        return super().refused(error)

    def _name_of(self, caller: Caller) -> str:
        """Give the name that is sent; empty if the caller has none."""
        if self.config.username is not None:
            return self.config.username
        if not self._claim:
            return caller.user
        identity = caller.identity
        found = None if identity is None else claim_at(identity.claims, self._claim)
        return found if isinstance(found, str) else ""
