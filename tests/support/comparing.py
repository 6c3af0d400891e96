"""The same requests at the real proxy and at Apache with mod_oauth2."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import attrs

from sso_proxy.testing.pki import Issued
from tests.support.apache import apache
from tests.support.calling import Caller, Told, bearer
from tests.support.gateway import Gateway
from tests.support.programs import free_port
from tests.support.tokens_from_op import (
    AUDIENCE,
    TokenDesk,
    read_claims,
    resource,
)

_LOCATIONS: Final = """
<Location /jwt/>
    AuthType oauth2
    OAuth2TokenVerify {keys}
    Require valid-user
</Location>
<Location /bound/>
    AuthType oauth2
    OAuth2TokenVerify {keys}&type=mtls
    Require valid-user
</Location>
<Location /dpop/>
    AuthType oauth2
    OAuth2TokenVerify {keys}&type=dpop
    OAuth2AcceptTokenIn header type=DPoP
    Require valid-user
</Location>
<Location /opaque/>
    AuthType oauth2
    OAuth2TokenVerify {question}
    Require valid-user
</Location>
<Location /opaque-bound/>
    AuthType oauth2
    OAuth2TokenVerify {question}&type=mtls
    Require valid-user
</Location>
<Location /opaque-dpop/>
    AuthType oauth2
    OAuth2TokenVerify {question}&type=dpop
    OAuth2AcceptTokenIn header type=DPoP
    Require valid-user
</Location>
<Location /write/>
    AuthType oauth2
    OAuth2TokenVerify {keys}
    Require oauth2_claim scope:orders.write
</Location>
<Location /anywhere/>
    AuthType oauth2
    OAuth2TokenVerify {keys}
    OAuth2AcceptTokenIn header
    OAuth2AcceptTokenIn query
    OAuth2AcceptTokenIn cookie
    OAuth2AcceptTokenIn post
    OAuth2AcceptTokenIn basic
    Require valid-user
</Location>
"""
# mod_oauth2 cannot be told of an authority; it takes a token's age for its validity.
_KEYS: Final = "jwks_uri {issuer}/jwks jwks_uri.ssl_verify=false&verify.iat=skip"
_QUESTION: Final = (
    "introspect {issuer}/token/introspection introspect.ssl_verify=false"
    "&introspect.auth=client_secret_basic&client_id={name}&client_secret={secret}"
)


@attrs.frozen(kw_only=True)
class Asking:
    """
    What a row's request is made with.

    Attributes:
        desk: Where tokens are had.
        caller: Asks one of the two servers.
    """

    desk: TokenDesk
    caller: Caller

    def token(
        self, client: str = "service", alg: str = "RS256", audience: str = AUDIENCE
    ) -> str:
        return self.desk.token(client, resource(audience, alg=alg))

    def forged(self, claims: Mapping[str, object], **header: object) -> str:
        """Have the issuer's key sign what the issuer would not."""
        good = read_claims(self.token())
        return self.desk.server.keys["RS256"].signer.sign({**good, **claims}, **header)

    def held_by(self, client: str) -> Issued:
        certificate = self.desk.clients[client].certificate
        assert certificate is not None
        return certificate

    def show(self, token: str, path: str = "/jwt/", scheme: str = "Bearer") -> Told:
        return self.caller.ask(path, bearer(token, scheme))


@attrs.frozen
class Row:
    """
    A request, and what both answer.

    Attributes:
        name: What is asked.
        ask: Asks it.
        ours: Our status, scheme and error code.
        apache: Those of Apache.
        why: Why they differ; empty if they do not.
    """

    name: str
    ask: Callable[[Asking], Told]
    ours: str
    apache: str
    why: str = ""


@contextlib.contextmanager
def both(
    directory: Path, desk: TokenDesk, gateway: Gateway
) -> Iterator[Mapping[str, Asking]]:
    """
    Run Apache in front of the proxy's backend as long as the block lasts.

    Args:
        directory: Has its certificate.
        desk: Whose tokens both believe.
        gateway: The proxy.
    """
    issuer, client = desk.server.issuer, desk.clients["rs-basic"]
    question = _QUESTION.format(issuer=issuer, name=client.name, secret=client.secret)
    locations = _LOCATIONS.format(keys=_KEYS.format(issuer=issuer), question=question)
    port = free_port()
    with apache(directory, port, gateway.backend.port, locations):
        theirs = Caller(port=port, ca=gateway.ca)
        yield {
            "ours": Asking(desk=desk, caller=gateway),
            "apache": Asking(desk=desk, caller=theirs),
        }
