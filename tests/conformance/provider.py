"""
An OpenID Provider: good, unless a test has it do one thing otherwise.

It knows one client and logs everybody in at once. What a client does wrong is refused,
and kept in `Provider.complaints`, so that a test can say that nothing was.
"""

import html
import itertools
import json
import secrets
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from sso_proxy.testing.tokens import TokenSigner
from tests.conformance.checks import check_client, check_proof, verify
from tests.conformance.parts import (
    Asked,
    AskedWronglyError,
    Changes,
    Client,
    Fields,
    Grant,
    Reply,
    half_hash,
    json_reply,
    sha256,
    thumbprint,
)
from tests.conformance.serving import now
from tests.conformance.tokens import (
    SIGNED_BY,
    Encryption,
    decoys,
    decrypt,
    private_half,
    signer,
)

TTL: Final = 300
ENCRYPTING: Final = {"use": "enc", "alg": "RSA-OAEP-256"}
PUSHED: Final = "urn:ietf:params:oauth:request_uri:"
STATUS: Final = {"invalid_client": 401, "invalid_token": 401}
MODES: Final = (
    *("query", "fragment", "form_post"),
    *("jwt", "query.jwt", "fragment.jwt", "form_post.jwt"),
)
TYPES: Final = (
    *("token code id_token", "code", "id_token", "token id_token"),
    *("id_token code", "token code"),
)
_TYPES: Final = {frozenset(text.split()) for text in TYPES}
_PAGE: Final = """<!DOCTYPE html><title>Back</title>
<form method="post" action="{action}">{fields}<button>Go on</button></form>
<script>document.forms[0].submit()</script>"""


class Provider:
    """
    One issuer.

    Args:
        issuer: Its identifier; what it serves is below that.
        client: Who may log people in here.

    Attributes:
        changes: What it does otherwise.
        alg: What it signs with.
        keys: What it has to sign with, by algorithm.
        encryption: How ID tokens are encrypted, if they are.
        userinfo_alg: What UserInfo is signed with, if it is.
        userinfo_encryption: How it is encrypted, if it is.
        nonces: The DPoP nonce that an endpoint wants to see.
        bound: Whether tokens are bound to the client's certificate.
        user: Who logs in.
        claims: What UserInfo says of them.
        ttl: Seconds that access tokens are good for.
        asked: Every request: endpoint and what was asked.
        complaints: What was refused, and why.
        grants: All logins.
        fetch: Gets what a ``request_uri`` names: its type and its text; unset, there
            is nobody to ask.
        decrypted: How many request objects were encrypted.
        below: Where all of its endpoints are, below what the server knows it by.
        pages: What answers further paths, or instead of its own endpoints.
    """

    def __init__(self, issuer: str, client: Client | None = None) -> None:
        self.issuer = issuer
        self.client = client or Client()
        self.changes = Changes()
        self.alg = "RS256"
        self.keys = {alg: signer(alg, f"{alg}-1") for alg in SIGNED_BY}
        self.encryption: Encryption | None = None
        self.userinfo_alg: str | None = None
        self.userinfo_encryption: Encryption | None = None
        self.nonces: dict[str, str] = {}
        self.bound = False
        self.user = "alice"
        self.claims: dict[str, Any] = {"email": "alice@example.com", "name": "Alice"}
        self.ttl = TTL
        self.asked: list[tuple[str, Asked]] = []
        self.complaints: list[str] = []
        self.grants: list[Grant] = []
        self.fetch: Callable[[str], tuple[str, str]] | None = None
        self.decrypted = 0
        self.below = ""
        self._pushed: dict[str, Mapping[str, str]] = {}
        self._seen: set[str] = set()
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()
        self.pages: dict[str, Callable[[Asked], Reply]] = {}
        self._moved: dict[str, str] = {}
        self._left: set[str] = set()
        self._endpoints = {
            ".well-known/openid-configuration": self._discovery,
            ".well-known/oauth-authorization-server": self._discovery,
            "keys": self._jwks,
            "authorize": self.authorize,
            "par": self._par,
            "token": self._token,
            "userinfo": self._userinfo,
        }

    def answer(self, asked: Asked) -> Reply:
        """Answer a request."""
        path = asked.path.removeprefix(self.below).lstrip("/")
        name = self._moved.get(path, path)
        endpoint = self.pages.get(name) or self._endpoints.get(name)
        endpoint = None if path in self._left else endpoint
        with self._lock:
            self.asked.append((name, asked))
            if endpoint is None:
                self.complaints.append(f"asked for {asked.path}")
                return Reply(status=404)
            try:
                return endpoint(asked)
            except AskedWronglyError as e:
                if e.error != "use_dpop_nonce":
                    self.complaints.append(f"{asked.path}: {e}")
                status, headers = STATUS.get(e.error, 400), e.headers
                if name == "userinfo":  # RFC 9449 section 9
                    challenge = f'DPoP error="{e.error}", algs="ES256"'
                    status, headers = 401, (*headers, ("WWW-Authenticate", challenge))
                said = {"error": e.error, "error_description": e.detail}
                return json_reply(said, status, *headers)

    def times(self, endpoint: str) -> int:
        """Say how often an endpoint was asked."""
        return sum(asked == endpoint for asked, _ in self.asked)

    def at(self, endpoint: str) -> str:
        """Give the URL of an endpoint."""
        moved = {name: path for path, name in self._moved.items()}
        return f"{self.issuer}/{moved.get(endpoint, endpoint)}"

    def move(self, endpoint: str, path: str) -> None:
        """Have an endpoint at another path, and nothing at its old one."""
        self._left.add(endpoint)
        self._moved[path] = endpoint

    def signer(self, alg: str) -> TokenSigner:
        """Give what signs with *alg*: a key, or the client's secret."""
        if alg.startswith("HS"):
            return TokenSigner.of_secret(self.client.secret.encode(), alg)
        return self.keys[alg]

    # Discovery

    def metadata(self) -> dict[str, Any]:
        """Give what a good metadata document says."""
        algorithms = [*SIGNED_BY, "HS256"]
        return {
            "issuer": self.issuer,
            "authorization_endpoint": self.at("authorize"),
            "token_endpoint": self.at("token"),
            "userinfo_endpoint": self.at("userinfo"),
            "jwks_uri": self.at("keys"),
            "pushed_authorization_request_endpoint": self.at("par"),
            "response_types_supported": [*TYPES],
            "response_modes_supported": [*MODES],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "subject_types_supported": ["public"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "id_token_signing_alg_values_supported": algorithms,
            "token_endpoint_auth_methods_supported": [self.client.auth],
            "token_endpoint_auth_signing_alg_values_supported": algorithms,
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            "dpop_signing_alg_values_supported": ["ES256", "EdDSA"],
            "request_parameter_supported": True,
            "tls_client_certificate_bound_access_tokens": self.bound,
        }

    def _discovery(self, _asked: Asked) -> Reply:
        said = self.changes.apply("metadata", self.metadata())
        return self._changed("metadata_reply", json_reply(said))

    def _jwks(self, _asked: Asked) -> Reply:
        keys = [key.public_jwk() for key in self.keys.values()]
        keys = [*decoys(), *keys, signer("RS256", "op-enc").public_jwk(**ENCRYPTING)]
        return json_reply({"keys": self.changes.apply("jwks", keys)})

    # Authorization

    def _par(self, asked: Asked) -> Reply:
        self._check_client(asked)
        jkt = check_proof(asked, self.nonces.get("par"), self._seen)
        parameters = self._unpacked(dict(asked.form))
        self._require("request_uri" not in parameters, "request_uri at PAR")
        if jkt is not None:
            parameters = {**parameters, "dpop_jkt": jkt}
        self._check_request(parameters)
        name = f"{PUSHED}{secrets.token_urlsafe(16)}"
        self._pushed[name] = parameters
        return json_reply({"request_uri": name, "expires_in": 60}, 201)

    def authorize(self, asked: Asked) -> Reply:
        """Log the user in, whoever that is."""
        fields = asked.query or asked.form
        # There may be several resources (RFC 8707 section 2).
        single = [name for name, _ in fields if name != "resource"]
        self._require(len({*single}) == len(single), "a parameter twice")
        parameters: Mapping[str, str] = dict(fields)
        name = parameters.get("request_uri")
        if name is not None:
            parameters = self._referenced(name, {*parameters})
        parameters = self._unpacked(parameters)
        self._check_request(parameters)
        grant = Grant(
            asked=parameters,
            subject=parameters.get("login_hint") or self.user,
            auth_time=now(),
            code=secrets.token_urlsafe(16),
        )
        self.grants.append(grant)
        return self._send_back(grant)

    def _referenced(self, name: str, beside: set[str]) -> Mapping[str, str]:
        """Find what was pushed (RFC 9126), or what is to be fetched (RFC 9101)."""
        if self.fetch is not None and name.startswith("https://"):
            kind, text = self.fetch(name)
            self._require(kind == "application/oauth-authz-req+jwt", f"type {kind}")
            return {"request": text}
        self._require(beside == {"client_id", "request_uri"}, "more fields")
        self._require(name in self._pushed, "an unknown request_uri")
        return self._pushed.pop(name)

    def _unpacked(self, parameters: Mapping[str, str]) -> Mapping[str, str]:
        """Read a request object (RFC 9101), if there is one."""
        text = parameters.get("request")
        if text is None:
            return parameters
        if text.count(".") == 4:
            text = decrypt(text, private_half("RS256", "op-enc"))
            self.decrypted += 1
        _, claims = verify(text, self.client.keys, "invalid_request_object")
        self._require(claims.get("iss") == self.client.client_id, "iss of the object")
        self._require(claims.get("aud") == self.issuer, "aud of the object")
        self._require(claims["nbf"] <= now() < claims["exp"], "times of the object")
        about = {"iss", "aud", "iat", "nbf", "exp", "jti"}
        return {k: str(v) for k, v in claims.items() if k not in about}

    def _check_request(self, parameters: Mapping[str, str]) -> None:
        given = parameters.get
        self._require(given("client_id") == self.client.client_id, "client_id")
        words = frozenset(given("response_type", "").split())
        self._require(words in _TYPES, "response_type")
        self._require("openid" in given("scope", "").split(), "scope")
        callback = given("redirect_uri", "")
        self._require(self.client.callback in callback, "redirect_uri")
        self._require(callback.startswith("https://"), "redirect_uri")
        method, length = ("S256", 43) if "code" in words else (None, 0)
        self._require(given("code_challenge_method") == method, "PKCE")
        self._require(len(given("code_challenge", "")) == length, "PKCE")
        self._require(len(given("state", "")) >= 16, "state")
        self._require(len(given("nonce", "")) >= 16, "nonce")
        mode = given("response_mode", "jwt")
        self._require(mode in MODES, "response_mode")
        in_query = mode.startswith("query") and words != {"code"}
        self._require(not in_query, "tokens in a query")

    def _send_back(self, grant: Grant) -> Reply:
        words = grant.asked["response_type"].split()
        fields = (*self._logging_in(grant, words), ("state", grant.asked["state"]))
        usual = "query" if words == ["code"] else "fragment"
        mode = grant.asked.get("response_mode", usual)
        mode = f"{usual}.jwt" if mode == "jwt" else mode
        mode = self.changes.apply("answer_mode", mode, grant)
        if "jwt" in mode:
            claims: dict[str, Any] = {**dict(fields), "iss": self.issuer}
            claims |= {"aud": self.client.client_id, "exp": now() + 60}
            claims = self.changes.apply("jarm_claims", claims, grant)
            text = self.signer(self.alg).sign(claims, typ="JWT")
            fields = (("response", self.changes.apply("jarm", text, grant)),)
        else:
            fields += (("iss", self.issuer),)
        fields = self.changes.apply("answer", fields, grant)
        target = grant.asked["redirect_uri"]
        if not mode.startswith("form_post"):
            mark = "#" if mode.startswith("fragment") else "?"
            to = f"{target}{mark}{urlencode(fields)}"
            return Reply(status=302, content_type="", headers=(("Location", to),))
        inputs = "".join(
            f'<input type="hidden" name="{html.escape(name)}"'
            f' value="{html.escape(value)}">'
            for name, value in fields
        )
        page = _PAGE.format(action=html.escape(target), fields=inputs)
        return Reply(body=page.encode(), content_type="text/html")

    def _logging_in(self, grant: Grant, words: list[str]) -> Fields:
        """Give what was asked for (OpenID Connect Core sections 3.2.2.5, 3.3.2.5)."""
        fields: Fields = ()
        if "code" in words:
            fields += (("code", grant.code),)
        if "token" in words:
            grant.front_token = f"front-{secrets.token_urlsafe(8)}"
            about = {"token_type": "bearer", "expires_in": str(self.ttl)}
            fields += (("access_token", grant.front_token), *about.items())
        if "id_token" in words:
            grant.front = True
            fields += (("id_token", self._id_token(grant)),)
            grant.front = False
        return fields

    # Tokens

    def _token(self, asked: Asked) -> Reply:
        self._check_client(asked)
        jkt = check_proof(asked, self.nonces.get("token"), self._seen)
        kind = asked.one("grant_type")
        if kind == "authorization_code":
            grant = self._redeemed(asked)
        else:
            self._require(kind == "refresh_token", "grant_type")
            grant = self._refreshed(asked)
        wanted = grant.asked.get("dpop_jkt", jkt)
        self._require(wanted == jkt, "another key than dpop_jkt", "invalid_grant")
        grant.jkt = jkt
        if self.bound:
            self._require(asked.certificate is not None, "no certificate")
            grant.x5t = thumbprint(asked.certificate or b"")
        number = next(self._numbers)
        grant.access_token = f"access-{number}-{secrets.token_urlsafe(8)}"
        grant.refresh_token = f"refresh-{number}-{secrets.token_urlsafe(8)}"
        members = {
            "access_token": grant.access_token,
            "token_type": "Bearer" if grant.jkt is None else "DPoP",
            "expires_in": self.ttl,
            "refresh_token": grant.refresh_token,
            "scope": grant.asked["scope"],
            "id_token": self._id_token(grant),
        }
        members = self.changes.apply("token", members, grant)
        return self._changed("token_reply", json_reply(members), grant)

    def _redeemed(self, asked: Asked) -> Grant:
        found = [grant for grant in self.grants if grant.code == asked.one("code")]
        self._require(bool(found), "an unknown code", "invalid_grant")
        grant = found[0]
        grant.redeemed += 1
        self._require(grant.redeemed == 1, "a code used twice", "invalid_grant")
        same = asked.one("redirect_uri") == grant.asked["redirect_uri"]
        self._require(same, "redirect_uri at the token endpoint", "invalid_grant")
        proved = sha256(asked.one("code_verifier")) == grant.asked["code_challenge"]
        self._require(proved, "code_verifier", "invalid_grant")
        return grant

    def _refreshed(self, asked: Asked) -> Grant:
        token = asked.one("refresh_token")
        found = [grant for grant in self.grants if grant.refresh_token == token]
        self._require(bool(found), "an unknown refresh token", "invalid_grant")
        found[0].refreshes += 1
        return found[0]

    def id_token_claims(self, grant: Grant) -> dict[str, Any]:
        """Give what a good ID token says."""
        asked, time = grant.asked, now()
        claims = {
            "iss": self.issuer,
            "sub": grant.subject,
            "aud": self.client.client_id,
            "exp": time + 300,
            "iat": time,
            "auth_time": grant.auth_time,
            "sid": sha256(grant.code)[:16],
        }
        if grant.front:
            words = asked["response_type"].split()
            claims["s_hash"] = half_hash(self.alg, asked["state"])
            if "code" in words:
                claims["c_hash"] = half_hash(self.alg, grant.code)
        token = grant.front_token if grant.front else grant.access_token
        if token:
            claims["at_hash"] = half_hash(self.alg, token)
        if not grant.refreshes:
            claims["nonce"] = asked["nonce"]
        if "acr_values" in asked:
            claims["acr"] = asked["acr_values"].split()[0]
        return claims

    def _id_token(self, grant: Grant) -> str:
        claims = self.id_token_claims(grant)
        claims = self.changes.apply("id_token_claims", claims, grant)
        header = self.changes.apply("id_token_header", {"typ": "JWT"}, grant)
        text = self.signer(self.alg).sign(claims, **header)
        if self.encryption is not None:
            text = self.encryption.encrypt(text)
        text = self.changes.apply("id_token", text, grant)
        assert isinstance(text, str)
        return text

    # UserInfo

    def _userinfo(self, asked: Asked) -> Reply:
        scheme, _, token = asked.headers.get("authorization", "").partition(" ")
        token = token or asked.one("access_token")
        self._require("access_token" not in dict(asked.query), "a token in the query")
        self._require(bool(token), "no token", "invalid_token")
        found = [g for g in self.grants if token in {g.access_token, g.front_token}]
        self._require(bool(found), "an unknown token", "invalid_token")
        grant = found[0]
        if grant.jkt is not None:
            self._require(scheme.lower() == "dpop", "the scheme", "invalid_token")
            jkt = check_proof(asked, self.nonces.get("userinfo"), self._seen, token)
            self._require(jkt == grant.jkt, "another key", "invalid_token")
        if grant.x5t is not None:
            shown = thumbprint(asked.certificate or b"")
            self._require(shown == grant.x5t, "another certificate", "invalid_token")
        claims = {"sub": grant.subject, **self.claims}
        said = self.changes.apply("userinfo", claims, grant)
        body, kind = json.dumps(said), "application/json"
        if self.userinfo_alg is not None:
            about = {"iss": self.issuer, "aud": self.client.client_id, **said}
            body = self.signer(self.userinfo_alg).sign(about, typ="JWT")
            kind = "application/jwt"
        if self.userinfo_encryption is not None:
            body = self.userinfo_encryption.encrypt(body)
            kind = "application/jwt"
        body, kind = self.changes.apply("userinfo_body", (body, kind), grant)
        reply = Reply(body=body.encode(), content_type=kind)
        return self._changed("userinfo_reply", reply, grant)

    def _check_client(self, asked: Asked) -> None:
        names = [name for name, _ in asked.form]
        self._require(len({*names}) == len(names), "a parameter twice")
        check_client(asked, self.client, self.issuer, self._seen)

    def _changed(self, step: str, reply: Reply, grant: Grant | None = None) -> Reply:
        changed = self.changes.apply(step, reply, grant)
        assert isinstance(changed, Reply)
        return changed

    @staticmethod
    def _require(true: bool, what: str, error: str = "invalid_request") -> None:  # noqa: FBT001
        if not true:
            raise AskedWronglyError(error, what)
