"""OAuth token endpoints are found, and know us by everything that we can show."""

import json
import time
from pathlib import Path
from typing import Any, ClassVar

import pytest
from jwcrypto.jwk import JWK

from sso_proxy.config.secrets import Secret
from sso_proxy.errors import ConfigError, UnavailableError
from sso_proxy.interfaces import IPublishesKeys
from sso_proxy.net.http_client import HttpReply
from sso_proxy.registry import provided_problems
from sso_proxy.specs.oidc.token_response import TokenResponseError, read_token_response
from sso_proxy.testing import outcome_of
from sso_proxy.testing.pki import Pki
from sso_proxy.token import Audience, NotIssued, Token
from sso_proxy.tokens.oauth import GrantSource
from sso_proxy.tokens.refused import not_issued
from sso_proxy.tokens.remote import Wanted
from sso_proxy.tokens.remote_config import GrantConfig
from tests.conformance.parts import Client, thumbprint
from tests.support.remote_scene import ORDERS, SECRET, RemoteScene, caller

ISSUER = "https://sts.example.com"
PKI = Pki.create()


class InOurName(GrantSource):
    """Asks for a token of its own."""

    config_class: ClassVar[Any] = GrantConfig

    async def ask(self, wanted: Wanted) -> Token | NotIssued:
        """Ask."""
        target = self.config.target(wanted.audience)
        audience = (("audience", name) for name in target.audience)
        fields = self.more((("grant_type", "client_credentials"), *audience))
        answer = await self.endpoint.ask(fields, read_token_response)
        if isinstance(answer, TokenResponseError):
            return not_issued(answer)
        return Token(value=answer.access_token, token_type=answer.token_type)


def scene(client: Client | None = None, **options: Any) -> RemoteScene:  # noqa: ANN401
    given = {"client_id": "proxy", "client_secret": Secret(SECRET), "subject": "none"}
    clients = (client or Client(secret=SECRET),)
    return RemoteScene(InOurName, clients, **{**given, **options})


def files(directory: Path) -> dict[str, Any]:
    """Write a certificate of ours."""
    certificate, key = PKI.issue("us", client=True).write(directory, "us")
    return {"certificate": str(certificate), "key": str(key)}


@pytest.mark.parametrize(
    "auth", ["client_secret_basic", "client_secret_post", "client_secret_jwt"]
)
def test_a_secret_proves_who_we_are(auth: str) -> None:
    here = scene(Client(auth=auth, secret=SECRET), auth=auth)
    assert isinstance(here.ask(), Token)
    assert here.sts.complaints == []


def test_a_key_proves_who_we_are(tmp_path: Path) -> None:
    ours = PKI.issue("us")
    _, file = ours.write(tmp_path, "us")
    public = JWK.from_pem(ours.cert_pem).export_public(as_dict=True)
    here = scene(
        Client(auth="private_key_jwt", keys=({**public, "kid": "k1"},)),
        auth="private_key_jwt",
        client_secret=None,
        signing_keys=(str(file),),
        signing_kid="k1",
        issuer=ISSUER,
    )
    assert isinstance(here.ask(), Token)
    assert here.sts.complaints == []
    assert not provided_problems("IPublishesKeys", here.source)
    (published,) = here.source.public_keys
    assert (published["kid"], published["x"]) == ("k1", public["x"])


def test_who_has_no_keys_publishes_none() -> None:
    assert not IPublishesKeys.providedBy(scene().source)


@pytest.mark.parametrize("auth", ["tls_client_auth", "self_signed_tls_client_auth"])
def test_a_certificate_proves_who_we_are(auth: str, tmp_path: Path) -> None:
    shown = PKI.issue("us", client=True)
    certificate, key = shown.write(tmp_path, "us")
    here = scene(
        Client(auth="tls_client_auth", thumbprint=thumbprint(shown.der)),
        auth=auth,
        client_secret=None,
        certificate=str(certificate),
        key=str(key),
    )
    assert isinstance(here.ask(), Token)
    assert here.sts.complaints == []


def test_a_proof_of_a_key_is_sent_with_the_nonce_that_is_wanted(tmp_path: Path) -> None:
    """The token is bound to our key then, and its user has to look at that."""
    _, key = PKI.issue("us").write(tmp_path, "us")
    here = scene(dpop="on", dpop_key=str(key))
    here.sts.nonce = "n-1"
    here.clock.now = time.time()
    found = here.ask()
    assert isinstance(found, Token)
    assert found.token_type == "DPoP"
    assert here.sts.count == 2


class Publishing:
    """Publishes metadata, and has everything else answered by another."""

    def __init__(self, inner: Any, **members: object) -> None:  # noqa: ANN401
        self.inner = inner
        self.members = {"issuer": ISSUER, **members}
        self.asked: list[Any] = []

    async def get(self, url: str, *_: Any, **options: Any) -> HttpReply:  # noqa: ANN401
        self.asked.append((url, options["tls"]))
        return HttpReply(status=200, body=json.dumps(self.members).encode())

    async def post_form(self, url: str, *given: Any, **options: Any) -> HttpReply:  # noqa: ANN401
        self.asked.append((url, options["tls"]))
        reply: HttpReply = await self.inner.post_form(url, *given, **options)
        return reply


def publish(here: RemoteScene, **members: object) -> Publishing:
    made = Publishing(here.http_client, **members)
    here.tools.http_client = made
    return made


def test_the_issuers_metadata_says_where_to_ask() -> None:
    here = scene(endpoint=None, issuer=ISSUER)
    there = publish(here, token_endpoint=f"{ISSUER}/token")
    assert isinstance(here.ask(), Token)
    urls = [url for url, _ in there.asked]
    assert urls == [
        f"{ISSUER}/.well-known/oauth-authorization-server",
        f"{ISSUER}/token",
    ]


def test_who_shows_a_certificate_asks_where_it_is_looked_at(tmp_path: Path) -> None:
    """RFC 8705 section 5.  Metadata is fetched without it."""
    here = scene(endpoint=None, issuer=ISSUER, **files(tmp_path))
    there = publish(
        here,
        token_endpoint=f"{ISSUER}/token",
        mtls_endpoint_aliases={"token_endpoint": "https://mtls.sts.example.com/token"},
    )
    assert isinstance(here.ask(), Token)
    (_, first), (url, second) = there.asked
    assert first is None
    assert url == "https://mtls.sts.example.com/token"
    assert second.certificate is not None


def test_a_configured_endpoint_is_asked_whatever_metadata_say() -> None:
    here = scene(issuer=ISSUER)
    there = publish(here, token_endpoint=f"{ISSUER}/other")
    assert isinstance(here.ask(), Token)
    assert [url for url, _ in there.asked] == [f"{ISSUER}/token"]


@pytest.mark.parametrize("members", [{}, {"issuer": "https://other.example.com"}])
def test_an_issuer_that_does_not_say_where_is_as_if_it_were_down(
    members: dict[str, str],
) -> None:
    here = scene(endpoint=None, issuer=ISSUER)
    publish(here, **members)
    with pytest.raises(UnavailableError) as caught:
        here.ask()
    assert caught.value.status == 502


def test_the_operator_adds_fields() -> None:
    here = scene(params={"tenant": "acme"}, audience=("them",))
    here.ask(caller(), Audience())
    assert here.sts.last["tenant"] == "acme"
    assert here.sts.last["audience"] == "them"


def test_a_resource_has_to_be_a_uri() -> None:
    source = scene(audience_as="resource").source
    source.check_audience(ORDERS)
    source.check_audience(Audience())
    with pytest.raises(ValueError, match="'orders' is no absolute URI"):
        source.check_audience(Audience(name="orders"))
    scene().source.check_audience(Audience(name="orders"))


def test_files_that_cannot_be_used_are_mistakes(tmp_path: Path) -> None:
    file = tmp_path / "none"
    file.write_bytes(b"none")
    here = scene(
        auth="private_key_jwt",
        client_secret=None,
        signing_keys=(str(file),),
        dpop="on",
        dpop_key=str(file),
    )
    with pytest.raises(ConfigError) as caught:
        here.make()
    assert [m.path for m in caught.value.mistakes] == ["signing_keys[0]", "dpop_key"]


def test_probe_tells_of_a_server_that_does_not_know_us() -> None:
    here = scene(client_secret=Secret("wrong" * 8))
    with pytest.raises(UnavailableError):
        here.ask()
    lines = outcome_of(here.source.probe())
    assert all(line.startswith("warning: ") for line in lines)
    assert any("token endpoint of" in line for line in lines)


def test_whom_to_trust_is_read_from_files(tmp_path: Path) -> None:
    ca, crl = PKI.write(tmp_path), tmp_path / "crl.pem"
    crl.write_bytes(PKI.crl())
    here = scene(ca=str(ca), crl=str(crl))
    here.clock.now = time.time()
    assert isinstance(here.ask(), Token)
    (tls,) = here.http_client.tls
    assert tls is not None
    assert (tls.ca, tls.crl) == (PKI.ca_pem, crl.read_bytes())
    here.clock.now += 10**8
    with pytest.raises(ConfigError, match=r"^crl: the list of CN=Test CA has expired"):
        here.make()
