"""Tokens from a security token service whose SOAP, WSS and signatures are gSOAP's."""

import socket
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import attrs
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from lxml import etree
from twisted.internet import reactor as installed  # noqa: TID251
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from sso_proxy.config.model import OutboundConfig
from sso_proxy.config.secrets import Secret
from sso_proxy.errors import UnavailableError
from sso_proxy.net.clock import SystemClock
from sso_proxy.net.http_client import HttpClient
from sso_proxy.specs.wstrust.names import SAML2
from sso_proxy.specs.xml import Element, parse_xml
from sso_proxy.testing.fakes import FakeTools, make_request
from sso_proxy.testing.pki import Pki
from sso_proxy.token import Audience, NotIssued, Token
from sso_proxy.tokens.wstrust import WsTrustSource
from sso_proxy.tokens.wstrust_config import WsTrustConfig
from tests.support.gsoap_sts import CLIENT, SECRET, TICKET, GsoapSts
from tests.support.remote_scene import caller

reactor: Any = installed

ORDERS = "https://orders.example.com/?a=1&b=<2>"
ALICE = (
    f'<saml:Assertion xmlns:saml="{SAML2}" ID="x" Version="2.0"'
    ' IssueInstant="2026-01-01T00:00:00Z"><saml:Issuer>them</saml:Issuer>'
    "<saml:Subject><saml:NameID>al&lt;ice&gt;</saml:NameID></saml:Subject>"
    "</saml:Assertion>"
)
PRESENTED = {
    "binary": b"ticket-of-al<ice>",
    "saml": ALICE.encode(),
}
DSIG = "{http://www.w3.org/2000/09/xmldsig#}"


def exclusive(element: Element) -> bytes:
    """Give the form that is signed (Exclusive XML Canonicalization)."""
    return etree.tostring(element, method="c14n", exclusive=True)


@attrs.frozen(kw_only=True)
class Scene:
    """Two services, and the files that their clients need."""

    directory: Path
    plain: GsoapSts
    mutual: GsoapSts


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    """Run one service that knows passwords, and one that wants certificates."""
    with tempfile.TemporaryDirectory() as name:
        directory, pki = Path(name), Pki.create()
        pki.issue("sso-proxy", client=True).write(directory, "client")
        (directory / "ca.crl").write_bytes(pki.crl())
        for each in ("plain", "mutual"):
            (directory / each).mkdir()
        pki.write(directory)
        with (
            GsoapSts(directory / "plain", pki) as plain,
            GsoapSts(directory / "mutual", pki, certificates=True) as mutual,
        ):
            yield Scene(directory=directory, plain=plain, mutual=mutual)


class WsTrustTests(TestCase):
    scene: Scene

    @pytest.fixture(autouse=True)
    def _place(self, scene: Scene) -> None:
        self.scene = scene

    def setUp(self) -> None:
        self.http = HttpClient(reactor, OutboundConfig())
        self.addCleanup(lambda: Deferred.fromCoroutine(self.close()))

    async def close(self) -> None:
        await self.http.close()
        await deferLater(reactor, 0.02)  # what was cut is reported a moment later

    async def ask(
        self,
        presented: bytes = PRESENTED["binary"],
        user: str = "al<ice>",
        audience: str = ORDERS,
        **options: Any,  # noqa: ANN401
    ) -> Token | NotIssued:
        """Ask as the options say; with a password unless they say otherwise."""
        given: dict[str, Any] = {
            "endpoint": self.scene.plain.url,
            "ca": str(self.scene.directory / "ca.crt"),
            "subject": "cookie:t",
            "auth": "basic",
            "username": CLIENT,
            "password": Secret(SECRET),
            **options,
        }
        if given.get("subject_form", "binary") == "binary":
            given = {"value_type": TICKET, "subject_encoding": "base64", **given}
        tools: Any = FakeTools(
            clock=SystemClock(),  # type: ignore[arg-type]
            http_client=self.http,
            reactor=reactor,
        )
        source = WsTrustSource(WsTrustConfig(**given), tools)
        cookie = f"t={b64encode(presented).decode()}"
        request = make_request(headers={"cookie": cookie, "x-legacy": "legacy"})
        answer: Token | NotIssued = await source.token_for(
            caller(request=request, user=user), Audience(name=audience)
        )
        return answer

    async def name(self, *given: Any, **options: Any) -> str:  # noqa: ANN401
        """Give whom the token is for."""
        answer = await self.ask(*given, **options)
        assert isinstance(answer, Token), answer
        root = parse_xml(b64decode(answer.value))
        (found,) = root.iter(f"{{{SAML2}}}NameID")
        return found.text or ""

    async def test_every_form_of_token_is_taken_in_every_place(self) -> None:
        for soap in ("1.1", "1.2"):
            for place in ("on_behalf_of", "act_as", "header"):
                for form in ("binary", "saml"):
                    found = await self.name(
                        PRESENTED[form],
                        soap=soap,
                        subject_form=form,
                        subject_in=place,
                    )
                    assert found == "al<ice>", (soap, place, form)

    async def test_names_are_taken_with_and_without_a_password(self) -> None:
        """The service knows one password, ``legacy``, for everybody."""
        for soap in ("1.1", "1.2"):
            for subject, place in (
                ("none", "on_behalf_of"),
                ("none", "header"),
                ("header:x-legacy", "act_as"),
            ):
                options = {"soap": soap, "subject": subject, "subject_in": place}
                found = await self.name(subject_form="username", **options)
                assert found == "al<ice>", options

    async def test_every_way_to_say_who_we_are_is_known(self) -> None:
        for soap in ("1.1", "1.2"):
            for auth in ("basic", "username_token", "username_digest"):
                assert await self.name(soap=soap, auth=auth) == "al<ice>", (soap, auth)

    async def test_a_wrong_password_is_refused(self) -> None:
        for soap in ("1.1", "1.2"):
            for auth in ("basic", "username_token", "username_digest"):
                answer = await self.ask(soap=soap, auth=auth, password=Secret("wrong"))
                assert isinstance(answer, NotIssued), (soap, auth)
                assert (answer.reason, answer.status) == ("token-refused", 401), answer
                assert "FailedAuthentication" in answer.detail

    async def test_a_client_certificate_says_who_we_are(self) -> None:
        files = self.scene.directory
        options: dict[str, Any] = {
            "endpoint": self.scene.mutual.url,
            "auth": "none",
            "username": "",
            "password": None,
            "crl": str(files / "ca.crl"),
        }
        shown = {
            "certificate": str(files / "client.crt"),
            "key": str(files / "client.key"),
        }
        assert await self.name(**options, **shown) == "al<ice>"
        with pytest.raises(UnavailableError) as caught:
            await self.ask(**options)
        assert caught.value.status == 502

    async def test_the_assertion_is_for_the_audience_and_ends(self) -> None:
        answer = await self.ask()
        assert isinstance(answer, Token)
        root = parse_xml(b64decode(answer.value))
        (audience,) = root.iter(f"{{{SAML2}}}Audience")
        assert audience.text == ORDERS
        left = (answer.expires or 0) - SystemClock().time()
        assert 290 < left <= 300

    async def test_the_assertion_keeps_its_signature(self) -> None:
        """What we hand on has, octet for octet, the signed part's canonical form."""
        answer = await self.ask()
        assert isinstance(answer, Token)
        root = parse_xml(b64decode(answer.value))
        (certificate,) = root.iter(f"{DSIG}X509Certificate")
        (value,) = root.iter(f"{DSIG}SignatureValue")
        (signed,) = root.iter(f"{DSIG}SignedInfo")
        der = b64decode("".join((certificate.text or "").split()))
        key = x509.load_der_x509_certificate(der).public_key()
        assert isinstance(key, RSAPublicKey)
        signature = b64decode("".join((value.text or "").split()))
        key.verify(signature, exclusive(signed), PKCS1v15(), SHA256())
        (digest,) = root.iter(f"{DSIG}DigestValue")
        (element,) = root.iter(f"{DSIG}Signature")
        root.remove(element)
        assert b64decode(digest.text or "") == sha256(exclusive(root)).digest()

    async def test_octets_and_single_responses_are_read(self) -> None:
        for soap in ("1.1", "1.2"):
            for user in ("alice", "bare"):
                presented = f"ticket-of-{user}".encode()
                answer = await self.ask(presented, soap=soap, token_type=TICKET)
                assert isinstance(answer, Token), answer
                assert (answer.value, answer.kind) == (f"{user} at {ORDERS}", TICKET)

    async def test_what_was_presented_is_validated(self) -> None:
        for soap in ("1.1", "1.2"):
            options: dict[str, Any] = {"soap": soap, "action": "validate"}
            answer = await self.ask(**options)
            assert isinstance(answer, Token), answer
            assert b64decode(answer.value) == PRESENTED["binary"]
            answer = await self.ask(b"something else", **options)
            assert isinstance(answer, NotIssued)
            assert answer.detail == "not valid: it was looked at"

    async def test_faults_say_what_they_are_about(self) -> None:
        for soap in ("1.1", "1.2"):
            for presented, audience, expected in (
                (b"something else", ORDERS, ("token-refused", 401)),
                (b"ticket-of-nobody", ORDERS, ("token-refused", 403)),
                (b"ticket-of-alice", "urn:unknown", ("token-target", 403)),
            ):
                answer = await self.ask(presented, audience=audience, soap=soap)
                assert isinstance(answer, NotIssued)
                assert (answer.reason, answer.status) == expected, answer
            answer = await self.ask(token_type="urn:other", soap=soap)
            assert isinstance(answer, NotIssued)
            assert (answer.reason, answer.status) == ("token-unusable", 502), answer
            with pytest.raises(UnavailableError) as caught:
                await self.ask(b"ticket-of-broken", soap=soap)
            assert "out of order" in caught.value.what

    async def test_nothing_that_a_document_names_is_fetched(self) -> None:
        """A canary listens where an external entity would be."""
        with socket.create_server(("127.0.0.1", 0)) as canary:
            canary.setblocking(False)
            place = f"http://127.0.0.1:{canary.getsockname()[1]}/x.dtd"
            for document in (
                f'<!DOCTYPE a SYSTEM "{place}">{ALICE}',
                f'<!DOCTYPE a [<!ENTITY x SYSTEM "{place}">]>'
                + ALICE.replace("them", "&x;"),
                f'<!DOCTYPE a [<!ENTITY % x SYSTEM "{place}">%x;]>{ALICE}',
                f'<?xml-stylesheet href="{place}"?>{ALICE}',
            ):
                answer = await self.ask(document.encode(), subject_form="saml")
                assert isinstance(answer, NotIssued)
                assert (answer.reason, answer.status) == ("token-malformed", 400)
            with pytest.raises(BlockingIOError):
                canary.accept()
