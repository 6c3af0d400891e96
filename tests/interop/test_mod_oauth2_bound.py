"""
Tokens with DPoP proofs, and opaque ones, at the proxy and at Apache with mod_oauth2.

As in the other table, each row is asked of both.
"""

import base64
import secrets
import time
from collections.abc import Callable, Mapping
from functools import partial as part
from typing import TYPE_CHECKING

import attrs
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from sso_proxy.testing.tokens import TokenSigner
from tests.support.calling import Told, bearer
from tests.support.comparing import Asking, Row
from tests.support.comparing import both as run_both
from tests.support.gateway import gateway as run_gateway
from tests.support.tokens_from_op import (
    ProofKey,
    TokenDesk,
    access_token_hash,
    read_claims,
    resource,
)

if TYPE_CHECKING:
    from tests.interop.conftest import Files

HOUR = 3600
BEARER = "401 Bearer invalid_token"
PROOF = "401 DPoP invalid_dpop_proof"
OK = ("200", "200")
KINDS = (resource(), resource(alg="RS256"))

Fields = list[tuple[str, str]]


@attrs.frozen(kw_only=True)
class Holder:
    """
    Who makes a request with a proof.

    Attributes:
        key: The client's key.
        token: Its token.
        uri: What it asks for.
    """

    key: ProofKey
    token: str
    uri: str

    def proof(
        self, header: Mapping[str, object] | None = None, **changes: object
    ) -> str:
        """Make a proof of this request, changed; None takes something out."""
        return self.key.proof(
            "GET", self.uri, token=self.token, header=header, **changes
        )

    def fields(self, *proofs: str, scheme: str = "DPoP") -> Fields:
        """Give the fields that show the token and *proofs*."""
        return [bearer(self.token, scheme), *(("DPoP", proof) for proof in proofs)]


Make = Callable[[Holder], Fields]


def proven(make: Make, path: str, asking: Asking, *, alg: str = "ES256") -> Told:
    """Ask as a client that has a new key and a token of its own."""
    key = ProofKey.create(alg)
    kind = resource(alg="RS256") if path != "/opaque-dpop/" else resource()
    token = asking.desk.token("dpop", kind, key=key)
    holder = Holder(key=key, token=token, uri=f"{asking.caller.origin}{path}")
    return asking.caller.ask(path, *make(holder))


def row(  # noqa: PLR0913 - the columns of the table
    name: str,
    make: Make,
    ours: str,
    apache: str,
    why: str = "",
    *,
    path: str = "/dpop/",
) -> Row:
    return Row(name, part(proven, make, path), ours, apache, why)


def changed(header: Mapping[str, object] | None = None, **claims: object) -> Make:
    """Change a proof; what is None is left out."""
    return lambda holder: holder.fields(holder.proof(header, **claims))


def shifted(seconds: int) -> Make:
    """Move a proof in time."""
    return lambda holder: holder.fields(holder.proof(iat=int(time.time()) + seconds))


def replaced(old: str, new: str) -> Make:
    """Write the URI in another way."""
    return lambda holder: holder.fields(holder.proof(htu=holder.uri.replace(old, new)))


def not_signed(holder: Holder) -> Fields:
    head, payload, _ = holder.proof({"alg": "none"}).split(".")
    return holder.fields(f"{head}.{payload}.")


def badly_signed(holder: Holder) -> Fields:
    head, payload, signature = holder.proof().split(".")
    octets = bytearray(unb64(signature))
    octets[10] ^= 1
    return holder.fields(f"{head}.{payload}.{b64(bytes(octets))}")


def with_private_key(asking: Asking) -> Told:
    """Show the key that only its holder must have."""
    key = ec.generate_private_key(ec.SECP256R1())
    own = ProofKey(signer=TokenSigner(alg="ES256", kid=None, key=key))
    private = b64(key.private_numbers().private_value.to_bytes(32, "big"))
    token = asking.desk.token("dpop", resource(alg="RS256"), key=own)
    uri = f"{asking.caller.origin}/dpop/"
    jwk = {**own.jwk, "d": private}
    proof = own.proof("GET", uri, token=token, header={"jwk": jwk})
    return asking.caller.ask("/dpop/", bearer(token, "DPoP"), ("DPoP", proof))


def with_another_key(holder: Holder) -> Fields:
    other = ProofKey.create()
    return holder.fields(other.proof("GET", holder.uri, token=holder.token))


def again(asking: Asking) -> Told:
    """Show a proof for the second time."""
    found = []

    def make(holder: Holder) -> Fields:
        found.extend(holder.fields(holder.proof()))
        return found

    assert proven(make, "/dpop/", asking).status == 200
    return asking.caller.ask("/dpop/", *found)


def not_bound(asking: Asking) -> Told:
    token, key = asking.token(), ProofKey.create()
    proof = key.proof("GET", f"{asking.caller.origin}/dpop/", token=token)
    return asking.caller.ask("/dpop/", bearer(token, "DPoP"), ("DPoP", proof))


def elsewhere_by_field(asking: Asking) -> Told:
    """Have the server believe that it was asked for something else."""
    key = ProofKey.create()
    token = asking.desk.token("dpop", resource(alg="RS256"), key=key)
    proof = key.proof("GET", "https://other.example/dpop/", token=token)
    return asking.caller.ask(
        "/dpop/",
        bearer(token, "DPoP"),
        ("DPoP", proof),
        ("X-Forwarded-Host", "other.example"),
    )


def opaque(asking: Asking, *, audience: str | None = None) -> Told:
    kind = resource() if audience is None else resource(audience)
    return asking.show(asking.desk.token("service", kind), "/opaque/")


def opaque_bound(holder: str | None, path: str, asking: Asking) -> Told:
    token = asking.desk.token("mtls", resource())
    shown = asking.held_by(holder) if holder is not None else None
    return asking.caller.ask(path, bearer(token), certificate=shown)


def taken_back(asking: Asking) -> Told:
    token = asking.desk.token("service", resource())
    asking.desk.revoke("service", token)
    return asking.show(token, "/opaque/")


def invented(asking: Asking) -> Told:
    return asking.show(secrets.token_urlsafe(32), "/opaque/")


def b64(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


ONLY_BEARER = "RFC 9449 7.1: the scheme and the code of DPoP; it knows Bearer alone"
CRASHES = "it crashes: its process ends, with all other connections"
NO_ATH = "its version does not look at ath: a proof goes with any token of its key"
NO_AUDIENCE = "it does not look at aud: a token for any API of this issuer is good"
NO_CNF = "it looks at cnf only where it is told to: a stolen bound token is good"
NO_CURVE = "its JOSE library does not know Ed25519"
NO_NORMAL_FORM = "RFC 9449 4.3: without query and fragment, in the form of RFC 3986"
ANY_CASE = "methods and paths are not the same in another case (RFC 9110 9.1, 4.2.3)"
FIVE_SECONDS = "five seconds by default; clocks of clients differ by ten"


def refused(name: str, make: Make, path: str = "/dpop/") -> Row:
    """Make a row of a proof that both refuse."""
    return row(name, make, PROOF, BEARER, ONLY_BEARER, path=path)


TABLE = [
    row("a proof", changed(), "200", "200"),
    row("the scheme in lower case", lambda h: h.fields(h.proof(), scheme="dpop"), *OK),
    Row("a proof with PS256", part(proven, changed(), "/dpop/", alg="PS256"), *OK),
    Row("a proof with RS256", part(proven, changed(), "/dpop/", alg="RS256"), *OK),
    Row(
        "a proof with EdDSA",
        part(proven, changed(), "/dpop/", alg="EdDSA"),
        "200",
        BEARER,
        NO_CURVE,
    ),
    refused("no proof", lambda h: h.fields()),
    refused("two proofs", lambda h: h.fields(h.proof(), h.proof())),
    refused("rubbish for a proof", lambda h: h.fields("rubbish")),
    Row("a proof again", again, PROOF, BEARER, ONLY_BEARER),
    refused("a proof of another key", with_another_key),
    refused("a proof that is not signed", not_signed),
    refused("a proof that is badly signed", badly_signed),
    Row(
        "a proof with the private key",
        with_private_key,
        PROOF,
        "200",
        "RFC 9449 4.3: whoever reads the proof can make others; mended later",
    ),
    refused("a proof without typ", changed({"typ": None})),
    refused("a proof with typ JWT", changed({"typ": "JWT"})),
    row(
        "a proof without jti",
        changed(jti=None),
        PROOF,
        "200",
        "RFC 9449 4.3: it can be shown again and again",
    ),
    row("a proof without htm", changed(htm=None), PROOF, "no answer", CRASHES),
    row("a proof without htu", changed(htu=None), PROOF, "no answer", CRASHES),
    refused("a proof without iat", changed(iat=None)),
    row("a proof without ath", changed(ath=None), PROOF, "200", NO_ATH),
    row(
        "another ath",
        changed(ath=access_token_hash("another")),
        PROOF,
        "200",
        NO_ATH,
    ),
    refused("htm of another method", changed(htm="POST")),
    row("htm in lower case", changed(htm="get"), PROOF, "200", ANY_CASE),
    refused("htu of another path", replaced("/dpop/", "/other/")),
    row("htu in other letters", replaced("/dpop/", "/DPOP/"), PROOF, "200", ANY_CASE),
    refused("htu of another port", changed(htu="https://localhost/dpop/")),
    row(
        "htu with query and fragment",
        replaced("/dpop/", "/dpop/?a=b#c"),
        "200",
        BEARER,
        NO_NORMAL_FORM,
    ),
    row(
        "htu with dot segments and escapes",
        replaced("/dpop/", "/a/../%64pop/"),
        "200",
        BEARER,
        NO_NORMAL_FORM,
    ),
    Row(
        "htu of the host that X-Forwarded-Host says",
        elsewhere_by_field,
        PROOF,
        "200",
        "it believes the field, whoever sent it: a proof for another server is good",
    ),
    row("a proof of nine seconds ago", shifted(-9), "200", BEARER, FIVE_SECONDS),
    row("a proof of in nine seconds", shifted(9), "200", BEARER, FIVE_SECONDS),
    refused("a proof of an hour ago", shifted(-HOUR)),
    refused("a proof of in an hour", shifted(HOUR)),
    row(
        "a token bound to a key, as Bearer",
        lambda h: h.fields(scheme="Bearer"),
        BEARER,
        "200",
        NO_CNF,
        path="/jwt/",
    ),
    row(
        "a token bound to a key, as Bearer with its proof",
        lambda h: h.fields(h.proof(), scheme="Bearer"),
        "401 DPoP invalid_token",
        "401 Bearer invalid_request",
        "RFC 9449 7.2: the token is refused; it finds none as it looks for DPoP alone",
    ),
    Row(
        "a proof with a token that is not bound",
        not_bound,
        "401 DPoP invalid_token",
        BEARER,
        ONLY_BEARER,
    ),
    Row("an opaque token", opaque, *OK),
    Row("an opaque token that nobody gave", invented, BEARER, BEARER),
    Row("an opaque token that was taken back", taken_back, BEARER, BEARER),
    Row(
        "an opaque token for another API",
        part(opaque, audience="https://other.example.com"),
        BEARER,
        "200",
        NO_AUDIENCE,
    ),
    Row(
        "a signed token where opaque ones are asked about",
        lambda asking: asking.show(asking.token(), "/opaque/"),
        "200",
        BEARER,
        "it has one way for a place; this server answers questions on opaque ones only",
    ),
    Row(
        "an opaque bound token with its certificate",
        part(opaque_bound, "mtls", "/opaque-bound/"),
        *OK,
    ),
    Row(
        "an opaque bound token with another",
        part(opaque_bound, "rs-tls", "/opaque-bound/"),
        BEARER,
        BEARER,
    ),
    Row(
        "an opaque bound token without a certificate",
        part(opaque_bound, None, "/opaque-bound/"),
        BEARER,
        BEARER,
    ),
    Row(
        "an opaque bound token where none is asked for",
        part(opaque_bound, None, "/opaque/"),
        BEARER,
        "200",
        NO_CNF,
    ),
    row("an opaque token with a proof", changed(), *OK, path="/opaque-dpop/"),
    refused("an opaque token, another key", with_another_key, "/opaque-dpop/"),
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_both_answer_what_the_table_says(both: Mapping[str, Asking], row: Row) -> None:
    answers = {name: row.ask(asking).verdict for name, asking in both.items()}
    assert answers == {"ours": row.ours, "apache": row.apache}


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_a_difference_has_its_reason(row: Row) -> None:
    assert (row.ours != row.apache) == bool(row.why)


def test_a_server_that_is_away_is_not_the_clients_fault(
    own: TokenDesk, files: "Files"
) -> None:
    """Apache calls every token bad then; a client would throw good ones away."""
    with (
        run_gateway(files.place(), own) as gateway,
        run_both(files.place(), own, gateway) as both,
    ):
        opaque_token, signed = (own.token("service", kind) for kind in KINDS)
        signer = own.server.keys["RS256"].signer.renamed("unknown")
        assert {opaque(asking).status for asking in both.values()} == {200}
        own.server.stop()
        found = {
            name: [
                asking.show(opaque_token, "/opaque/").verdict,
                asking.show(signer.sign(read_claims(signed))).verdict,
            ]
            for name, asking in both.items()
        }
    assert found == {"ours": ["502", "503"], "apache": [BEARER, BEARER]}
