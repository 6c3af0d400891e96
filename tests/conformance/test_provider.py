"""The provider is a good one, unless it is told to do one thing otherwise."""

import base64
import json
import secrets
import time
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from sso_proxy.testing.pki import Pki
from sso_proxy.testing.proofs import ProofSigner
from sso_proxy.testing.tokens import TokenSigner
from tests.conformance.checks import ASSERTION, verify
from tests.conformance.faults import FAULTS
from tests.conformance.parts import (
    Asked,
    Client,
    Reply,
    half_hash,
    read_fields,
    sha256,
    unb64,
)
from tests.conformance.provider import Provider
from tests.conformance.serving import Host
from tests.conformance.tokens import signer
from tests.support.browser import Browser

ISSUER = "https://op.example.com/one"
VERIFIER = "v" * 43
CALLBACK = "https://app.example.com/.sso/callback/op"


class SmallClient:
    """A client that does what a login takes, without checking anything."""

    def __init__(self, provider: Provider, key: ProofSigner | None = None) -> None:
        self.provider = provider
        self.key = key
        self.request = {
            "client_id": provider.client.client_id,
            "response_type": "code",
            "redirect_uri": CALLBACK,
            "scope": "openid email",
            "state": secrets.token_urlsafe(16),
            "nonce": secrets.token_urlsafe(16),
            "code_challenge": sha256(VERIFIER),
            "code_challenge_method": "S256",
        }

    def authorize(self, **more: str) -> Reply:
        return self._ask("GET", "authorize", query={**self.request, **more})

    def code(self, **more: str) -> str:
        return self.fields(self.authorize(**more))["code"]

    @staticmethod
    def fields(reply: Reply) -> dict[str, str]:
        assert reply.status == 302, reply
        return dict(read_fields(urlsplit(dict(reply.headers)["Location"]).query))

    def push(self, nonce: str | None = None, **more: str) -> Reply:
        form = {**self.request, **more}
        return self._ask("POST", "par", form=form, nonce=nonce)

    def redeem(self, code: str, nonce: str | None = None, **more: str) -> Reply:
        form = {"grant_type": "authorization_code", "code": code}
        form |= {"redirect_uri": CALLBACK, "code_verifier": VERIFIER, **more}
        return self._ask("POST", "token", form=form, nonce=nonce)

    def refresh(self, token: str) -> Reply:
        form = {"grant_type": "refresh_token", "refresh_token": token}
        return self._ask("POST", "token", form=form)

    def userinfo(self, token: str, nonce: str | None = None) -> Reply:
        return self._ask("GET", "userinfo", token=token, nonce=nonce)

    def _ask(  # noqa: PLR0913
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        form: dict[str, str] | None = None,
        token: str | None = None,
        nonce: str | None = None,
    ) -> Reply:
        url = f"{self.provider.issuer}/{path}"
        headers: dict[str, str] = {}
        form = dict(form or {})
        if token is not None:
            scheme = "Bearer" if self.key is None else "DPoP"
            headers["authorization"] = f"{scheme} {token}"
        elif form:
            self._say_who(headers, form)
        if self.key is not None and path != "authorize":
            claims = self.key.claims(method, url, token or "", time.time())
            claims |= {"nonce": nonce} if nonce else {}
            headers["dpop"] = self.key.sign(claims)
        return self.provider.answer(
            Asked(
                method=method,
                path=f"/{path}",
                url=url,
                query=tuple((query or {}).items()),
                form=tuple(form.items()),
                headers=headers,
            )
        )

    def _say_who(self, headers: dict[str, str], form: dict[str, str]) -> None:
        client = self.provider.client
        if client.auth == "client_secret_basic":
            pair = f"{client.client_id}:{client.secret}".encode()
            headers["authorization"] = f"Basic {base64.b64encode(pair).decode()}"
            return
        form["client_id"] = client.client_id
        if client.auth == "client_secret_post":
            form["client_secret"] = client.secret
        if client.auth in {"private_key_jwt", "client_secret_jwt"}:
            form["client_assertion_type"] = ASSERTION
            form["client_assertion"] = self._assertion()

    def _assertion(self) -> str:
        client, now = self.provider.client, int(time.time())
        claims = {"iss": client.client_id, "sub": client.client_id, "iat": now}
        claims |= {"aud": self.provider.issuer, "exp": now + 60}
        claims["jti"] = secrets.token_urlsafe()
        if client.auth == "private_key_jwt":
            return signer("ES256", "client").sign(claims)
        return TokenSigner.of_secret(client.secret.encode()).sign(claims)


def read(reply: Reply) -> dict[str, Any]:
    assert reply.status in {200, 201}, reply
    members: dict[str, Any] = json.loads(reply.body)
    return members


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "EdDSA"])
def test_a_login_gives_what_the_standard_says(alg: str) -> None:
    provider = Provider(ISSUER)
    provider.alg = alg
    client = SmallClient(provider)
    answer = client.fields(client.authorize())
    assert answer["state"] == client.request["state"]
    assert answer["iss"] == ISSUER
    tokens = read(client.redeem(answer["code"]))
    jwks = json.loads(provider.answer(_get("keys")).body)["keys"]
    keys = [key for key in jwks if key["kid"] == f"{alg}-1"]
    header, claims = verify(tokens["id_token"], keys)
    assert header["alg"] == alg
    assert claims["iss"] == ISSUER
    assert claims["aud"] == "proxy"
    assert claims["nonce"] == client.request["nonce"]
    assert claims["at_hash"] == half_hash(alg, tokens["access_token"])
    assert read(client.userinfo(tokens["access_token"]))["sub"] == claims["sub"]
    assert provider.complaints == []


@pytest.mark.parametrize(
    "auth", ["none", "client_secret_post", "client_secret_jwt", "private_key_jwt"]
)
def test_clients_say_who_they_are(auth: str) -> None:
    keys = (signer("ES256", "client").public_jwk(),)
    provider = Provider(ISSUER, Client(auth=auth, keys=keys))
    client = SmallClient(provider)
    read(client.redeem(client.code()))
    assert provider.complaints == []


def test_nobody_gets_in_another_way_than_agreed() -> None:
    provider = Provider(ISSUER, Client(auth="client_secret_post"))
    client = SmallClient(provider)
    code = client.code()
    provider.client = Client(auth="client_secret_basic")
    assert client.redeem(code, client_secret="twice").status == 401
    assert "invalid_client" in provider.complaints[0]


def test_a_code_is_good_once() -> None:
    provider = Provider(ISSUER)
    client = SmallClient(provider)
    code = client.code()
    read(client.redeem(code))
    assert client.redeem(code).status == 400


def test_a_code_needs_its_verifier() -> None:
    client = SmallClient(Provider(ISSUER))
    assert client.redeem(client.code(), code_verifier="w" * 43).status == 400


def test_refresh_tokens_are_good_once() -> None:
    provider = Provider(ISSUER)
    client = SmallClient(provider)
    tokens = read(client.redeem(client.code()))
    again = read(client.refresh(tokens["refresh_token"]))
    assert again["access_token"] != tokens["access_token"]
    assert client.refresh(tokens["refresh_token"]).status == 400
    assert provider.grants[0].refreshes == 1


def test_what_was_pushed_is_all_that_counts() -> None:
    provider = Provider(ISSUER)
    client = SmallClient(provider)
    name = read(client.push(login_hint="bob"))["request_uri"]
    client.request = {"client_id": "proxy", "request_uri": name}
    assert client.code()
    assert provider.grants[0].subject == "bob"
    assert client.authorize().status == 400, "a request_uri is good once"


def test_a_request_object_is_checked() -> None:
    key = signer("ES256", "client")
    provider = Provider(ISSUER, Client(keys=(key.public_jwk(),)))
    client = SmallClient(provider)
    now = int(time.time())
    claims = {**client.request, "iss": "proxy", "aud": ISSUER}
    times = {"nbf": now, "exp": now + 60}
    client.request = {"client_id": "proxy", "request": key.sign({**claims, **times})}
    assert client.code()
    client.request["request"] = signer("ES256", "stranger").sign({**claims, **times})
    assert client.authorize().status == 400


def test_an_answer_may_be_signed() -> None:
    provider = Provider(ISSUER)
    client = SmallClient(provider)
    response = client.fields(client.authorize(response_mode="jwt"))["response"]
    _, claims = verify(response, [provider.keys["RS256"].public_jwk()])
    assert claims["code"] == provider.grants[0].code
    assert (claims["iss"], claims["aud"]) == (ISSUER, "proxy")


def test_an_answer_may_be_a_form() -> None:
    page = SmallClient(Provider(ISSUER)).authorize(response_mode="form_post")
    assert b'method="post"' in page.body
    assert b'name="code"' in page.body


def test_tokens_are_bound_to_a_key_that_has_to_know_a_nonce() -> None:
    provider = Provider(ISSUER)
    provider.nonces = {"par": "n-p", "token": "n-t", "userinfo": "n-u"}
    client = SmallClient(provider, ProofSigner.create())
    assert dict(client.push().headers)["DPoP-Nonce"] == "n-p"
    name = read(client.push("n-p"))["request_uri"]
    client.request = {"client_id": "proxy", "request_uri": name}
    code = client.code()
    assert dict(client.redeem(code).headers)["DPoP-Nonce"] == "n-t"
    tokens = read(client.redeem(code, "n-t"))
    assert tokens["token_type"] == "DPoP"
    assert read(client.userinfo(tokens["access_token"], "n-u"))["sub"] == "alice"
    client.key = ProofSigner.create()
    assert client.userinfo(tokens["access_token"], "n-u").status == 401


@pytest.mark.parametrize("member", ["state", "nonce", "code_challenge", "scope"])
def test_a_bad_request_is_complained_about(member: str) -> None:
    provider = Provider(ISSUER)
    client = SmallClient(provider)
    client.request.pop(member)
    assert client.authorize().status == 400
    assert len(provider.complaints) == 1


def _get(path: str) -> Asked:
    return Asked(
        method="GET",
        path=f"/{path}",
        url=f"{ISSUER}/{path}",
        query=(),
        form=(),
        headers={},
    )


def _play(provider: Provider) -> list[object]:
    """Log in, refresh and so on; gives whatever can be seen of it."""
    client = SmallClient(provider, (provider.nonces and ProofSigner.create()) or None)
    seen: list[object] = [provider.answer(_get(".well-known/openid-configuration"))]
    seen.append(client.authorize())
    seen.append(client.authorize(response_mode="jwt"))
    for _ in range(2):
        client.authorize()
        reply = client.redeem(provider.grants[-1].code)
        seen.append(reply)
        try:
            seen.append(json.loads(reply.body))
        except ValueError:
            continue
        token = provider.grants[-1].refresh_token
        seen += [client.refresh(token) for _ in range(2)]
        seen.append(client.userinfo(provider.grants[-1].access_token))
    return seen


@pytest.mark.parametrize(("group", "name"), FAULTS)
def test_each_fault_can_be_played(group: str, name: str) -> None:
    """A fault breaks nothing in the provider itself."""
    provider = Provider(ISSUER)
    FAULTS[group, name](provider)
    assert _play(provider)


@pytest.mark.parametrize(
    ("name", "claims"),
    [
        ("nonce-missing", {"nonce": None}),
        ("invalid-iss", {"iss": f"{ISSUER}1"}),
        ("exp-1e300", {"exp": 1e300}),
        ("invalid-secondary-aud", {"aud": ["proxy", "another-client"], "azp": None}),
    ],
)
def test_a_fault_changes_what_its_name_says(name: str, claims: dict[str, Any]) -> None:
    provider = Provider(ISSUER)
    FAULTS["id_token", name](provider)
    client = SmallClient(provider)
    token = read(client.redeem(client.code()))["id_token"]
    said = json.loads(unb64(token.split(".")[1]))
    assert {name: said.get(name) for name in claims} == claims


def test_a_browser_gets_there_and_back(
    pki: Pki, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("host")
    ca = pki.write(directory)
    issued = pki.issue("localhost", dns=["localhost"], server=True)
    with Host(issued, ca, directory) as host:
        provider = Provider(f"{host.origin}/one")
        host.answers["one"] = provider.answer
        browser = Browser(ca)
        metadata = browser.fetch(provider.at(".well-known/openid-configuration"))
        assert json.loads(metadata.body)["issuer"] == provider.issuer
        well_known = f"{host.origin}/.well-known/oauth-authorization-server/one"
        assert browser.fetch(well_known).body == metadata.body
        request = SmallClient(provider).request
        url = f"{provider.at('authorize')}?{urlencode(request)}"
        page = browser.go(url, stop=CALLBACK)
        assert page.location is not None
        assert "code=" in page.location
        assert browser.fetch(f"{host.origin}/two/keys").status == 404
    assert provider.complaints == []
