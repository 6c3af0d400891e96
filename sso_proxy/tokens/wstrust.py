"""The ``wstrust`` tokens: of a security token service that speaks SOAP."""

import secrets
import zlib
from base64 import b64decode, b64encode, urlsafe_b64encode
from typing import Any, ClassVar, Final, Literal
from uuid import UUID

from zope.interface import implementer

from sso_proxy.interfaces import IHealth, ITokenSource, ITools
from sso_proxy.model import Caller
from sso_proxy.net.trust_service import TrustAccess, TrustService
from sso_proxy.specs.wstrust.answer import Issued, NotValid, TrustAnswerError
from sso_proxy.specs.wstrust.fault import Blame, SoapFaultError
from sso_proxy.specs.wstrust.request import TokenRequest
from sso_proxy.specs.wstrust.source import (
    NONCE_OCTETS,
    BinaryToken,
    SourceToken,
    UsernameToken,
    read_assertion,
)
from sso_proxy.specs.xml import TextError, XmlError, check_text
from sso_proxy.token import Audience, NotIssued, Token
from sso_proxy.tokens.refused import unusable
from sso_proxy.tokens.remote import RemoteSource, Wanted
from sso_proxy.tokens.subject import Presented
from sso_proxy.tokens.wstrust_config import Encoding, WsTrustConfig

_REFUSED: Final = "token-refused"
_NAMELESS: Final = NotIssued(
    reason="token-missing", status=403, detail="the caller has no name to ask with"
)


class _UnfitError(Exception):
    """What was presented cannot be sent in this form."""


@implementer(ITokenSource, IHealth)
class WsTrustSource(RemoteSource):
    """Asks a security token service for tokens."""

    config_class: ClassVar[Any] = WsTrustConfig
    config: WsTrustConfig

    def __init__(self, config: WsTrustConfig, tools: ITools) -> None:
        super().__init__(config, tools)
        access = TrustAccess(
            url=config.endpoint or "",
            authorization=_basic(config),
            tls=self.tls,
            within=config.timeout,
        )
        self._service = TrustService(access, self.http_client, self.clock)

    def check_audience(self, audience: Audience) -> None:
        """
        Check that it is said whom tokens are for.

        Raises:
            ValueError: It is not, or XML cannot hold it.
        """
        name = audience.name or self.config.applies_to
        if not name and self.config.action == "issue":
            raise ValueError(
                "is missing; here, or as applies_to of the token: whom it is for"
            )
        check_text(name)

    async def subject_of(self, caller: Caller) -> Presented | NotIssued | None:
        """Give what a token is made from; one by name is for who has one."""
        if self.config.subject_form == "username" and not caller.user:
            return _NAMELESS
        return await super().subject_of(caller)

    def key_of(self, wanted: Wanted) -> tuple[str | bytes, ...]:
        """Say what a token depends on: the name that is sent, too."""
        name = ""
        if self.config.subject_form == "username":
            name = wanted.caller.user
        return (*super().key_of(wanted), name)

    async def probe(self) -> tuple[str, ...]:
        """Say what is wrong, as far as is known."""
        return (*await super().probe(), *await self._service.probe())

    async def ask(self, wanted: Wanted) -> Token | NotIssued:
        """
        Ask the service.

        Raises:
            UnavailableError: It cannot be reached, fails, or does not know us.
        """
        try:
            request = self._request(wanted)
            answer = await self._service.ask(request, self._secrets(wanted))
        except (_UnfitError, XmlError, TextError) as e:
            # Of what was presented: the options were checked when they were loaded.
            detail = e.detail if isinstance(e, XmlError) else str(e)
            return NotIssued(reason="token-malformed", status=400, detail=detail)
        match answer:
            case Issued():
                return self._token(answer, wanted)
            case NotValid():
                detail = f"not valid: {answer.reason}"
                return NotIssued(reason=_REFUSED, status=401, detail=detail)
            case SoapFaultError():
                return _refused(answer)
            case TrustAnswerError():
                return unusable(answer.detail)

    def _request(self, wanted: Wanted) -> TokenRequest:
        """
        Say what is asked.

        Raises:
            _UnfitError: What was presented is not what the options call it.
            XmlError: It is no assertion.
        """
        config = self.config
        subject = self._subject_token(wanted)
        actor = None
        if wanted.actor is not None:
            actor = self._source_token(wanted.actor, "actor", config.actor_form)
        places: dict[str, SourceToken | None] = {}
        header = [*self._own_tokens()]
        where = "validate" if config.action == "validate" else config.subject_in
        for place, token in ((where, subject), (config.actor_in, actor)):
            if token is not None and place == "header":
                header.append(token)
            elif token is not None:
                places[place] = token
        return TokenRequest(
            endpoint=config.endpoint or "",
            soap=config.soap,
            action=config.action,
            message_id=UUID(bytes=secrets.token_bytes(16), version=4).urn,
            now=self.clock.time(),
            security=header,
            applies_to=wanted.audience.name or config.applies_to,
            token_type=config.wanted_type,
            key_type=config.key_type_uri,
            lifetime=config.lifetime,
            **places,
        )

    def _secrets(self, wanted: Wanted) -> list[str]:
        """Give what is sent and must not be in the log."""
        password = self.config.password
        own = [] if password is None else [password.reveal()]
        return own + [p.value for p in (wanted.subject, wanted.actor) if p is not None]

    def _own_tokens(self) -> list[SourceToken]:
        """Give what says who we are, if SOAP does."""
        config = self.config
        if config.password is None or config.auth not in {
            "username_token",
            "username_digest",
        }:
            return []
        digest = config.auth == "username_digest"
        return [
            UsernameToken(
                username=config.username,
                password=config.password.reveal(),
                nonce=secrets.token_bytes(NONCE_OCTETS) if digest else b"",
            )
        ]

    def _subject_token(self, wanted: Wanted) -> SourceToken | None:
        """Give the subject in its form."""
        config, subject = self.config, wanted.subject
        if config.subject_form == "username":
            password = None if subject is None else subject.value
            return UsernameToken(username=wanted.caller.user, password=password)
        if subject is None:
            return None
        return self._source_token(subject, "subject", config.subject_form)

    def _source_token(
        self,
        presented: Presented,
        option: Literal["subject", "actor"],
        form: Literal["binary", "saml"],
    ) -> SourceToken:
        """Give what was presented in the form that the options say."""
        value, config = presented.value, self.config
        if form == "saml":
            plain = value.lstrip().startswith("<")
            return read_assertion(_encode(value) if plain else _decode(value))
        encoded = getattr(config, option) == "certificate" or (
            option == "subject" and config.subject_encoding == "base64"
        )
        octets = _decode(value) if encoded else _encode(value)
        return BinaryToken(value=octets, value_type=config.type_of(option))

    def _token(self, issued: Issued, wanted: Wanted) -> Token | NotIssued:
        """Give the backend's token."""
        subject = wanted.subject
        if not issued.value:
            if subject is None:
                return unusable("the answer has no token")
            return Token(value=subject.value, kind=subject.kind, expires=issued.expires)
        try:
            usual: Encoding = "base64" if issued.is_xml else "raw"
            value = encode_token(issued.value, self.config.encode or usual)
        except UnicodeDecodeError:
            return unusable("the token is no text: it needs another encode")
        return Token(value=value, kind=issued.token_type, expires=issued.expires)


def encode_token(value: bytes, how: Encoding) -> str:
    """
    Give the octets of a token as the backend gets them.

    Raises:
        UnicodeDecodeError: They are no text, and nothing encodes them.
    """
    match how:
        case "raw":
            return value.decode("utf-8")
        case "base64":
            return b64encode(value).decode("ascii")
        case "base64url":
            return urlsafe_b64encode(value).decode("ascii").rstrip("=")
        case "deflate":
            packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
            packed = packer.compress(value) + packer.flush()
            return b64encode(packed).decode("ascii")


def _refused(fault: SoapFaultError) -> NotIssued:
    """Say what a fault means for the caller."""
    match fault.blame:
        case Blame.SUBJECT:
            reason, status = _REFUSED, 401
        case Blame.TARGET:
            reason, status = "token-target", 403
        case Blame.REFUSED:
            reason, status = _REFUSED, 403
        case _:
            return unusable(str(fault))
    return NotIssued(reason=reason, status=status, detail=str(fault))


def _encode(text: str) -> bytes:
    """Give *text* in UTF-8."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise _UnfitError("is no text") from None


def _decode(text: str) -> bytes:
    """Give what base64 or base64url encodes, with or without padding."""
    plain = "".join(text.split()).translate(str.maketrans("-_", "+/")).rstrip("=")
    try:
        return b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError:
        raise _UnfitError("is not in base64") from None


def _basic(config: WsTrustConfig) -> str:
    """Give what HTTP says of us (RFC 7617)."""
    if config.auth != "basic" or config.password is None:
        return ""
    pair = f"{config.username}:{config.password.reveal()}".encode()
    return f"Basic {b64encode(pair).decode('ascii')}"
