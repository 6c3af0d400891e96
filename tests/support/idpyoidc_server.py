"""PyPI's idpyoidc as authorization server: it exchanges tokens (RFC 8693)."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

from idpyoidc.server import Server
from idpyoidc.server.authz import AuthzHandling
from idpyoidc.server.client_authn import verify_client
from idpyoidc.server.configure import ASConfiguration
from idpyoidc.server.exception import UnAuthorizedClient
from idpyoidc.server.user_authn.authn_context import INTERNETPROTOCOLPASSWORD
from idpyoidc.server.user_info import UserInfo

from sso_proxy.testing.tokens import jwks

TARGET: Final = "https://orders.example.com"
"""The only audience that tokens are exchanged for."""
SECRET: Final = "a-secret-of-32-octets-at-the-least"

_KEYS: Final = [{"type": "EC", "crv": "P-256", "use": ["sig"]}]
_CRYPT: Final = {
    "kwargs": {
        "keys": {
            "key_defs": [
                {"type": "OCT", "use": ["enc"], "kid": "password"},
                {"type": "OCT", "use": ["enc"], "kid": "salt"},
            ]
        },
        "iterations": 1,
    }
}
_CALLBACK: Final = "https://app.example.com/callback"
_HELPERS: Final = "idpyoidc.server.oauth2.token_helper"
_POLICY: Final = f"{_HELPERS}.validate_token_exchange_policy"
_METHODS: Final = ["client_secret_basic", "client_secret_post"]
_URN: Final = "urn:ietf:params:oauth:token-type:"


class ExchangeServer(ThreadingHTTPServer):
    """
    An authorization server on a loopback port, whose only user is ``diana``.

    Attributes:
        url: Its issuer identifier.
        asked: Forms that came to its token endpoint.
    """

    daemon_threads = True

    def __init__(self, directory: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Asked)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.asked: list[dict[str, Any]] = []
        self.lock = threading.Lock()
        config = _configuration(self.url)
        as_configuration = ASConfiguration(conf=config, base_path=str(directory))
        self.idpy = Server(as_configuration, cwd=str(directory))
        context = self.idpy.context
        for name in ("shop", "sso-proxy"):
            context.cdb[name] = {
                "client_id": name,
                "client_secret": SECRET,
                "redirect_uris": [(_CALLBACK, {})],
                "client_salt": "salted",
                "token_endpoint_auth_method": "client_secret_post",
                "response_types_supported": ["code"],
                "allowed_scopes": ["openid", "profile", "offline_access"],
            }
            context.keyjar.add_symmetric(name, SECRET)
        context.set_provider_info()

    def log_in(self, client: str = "sso-proxy") -> str:
        """Log the user in at *client*; give the access token."""
        asked = {
            "response_type": "code",
            "client_id": client,
            "redirect_uri": _CALLBACK,
            "scope": "openid profile",
            "state": "state",
        }
        endpoint = self.idpy.get_endpoint("authorization")
        request = endpoint.parse_request(asked)
        given = endpoint.process_request(request)
        form = {
            "grant_type": "authorization_code",
            "code": given["response_args"]["code"],
            "redirect_uri": _CALLBACK,
            "client_id": client,
            "client_secret": SECRET,
        }
        _, answer = self.answer(form, {})
        token: str = answer["access_token"]
        return token

    def answer(
        self, form: dict[str, Any], headers: dict[str, str]
    ) -> tuple[int, dict[str, Any]]:
        """Answer at the token endpoint."""
        endpoint = self.idpy.get_endpoint("token")
        try:
            request = endpoint.parse_request(form, http_info={"headers": headers})
        except UnAuthorizedClient:
            return 401, {"error": "invalid_client"}
        if "error" not in request:
            answered = endpoint.process_request(request)
            request = answered.get("response_args", answered)
        members = request if isinstance(request, dict) else request.to_dict()
        if isinstance(members.get("scope"), list):
            members = {**members, "scope": " ".join(members["scope"])}
        return 400 if "error" in members else 200, members

    def public_keys(self) -> bytes:
        """Give the keys that it signs with."""
        return jwks(*self.idpy.context.keyjar.export_jwks()["keys"])


class _Asked(BaseHTTPRequestHandler):
    """One request."""

    server: ExchangeServer

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        """Publish metadata and keys."""
        server = self.server
        if self.path == "/jwks":
            self._reply(200, server.public_keys())
        elif self.path == "/.well-known/oauth-authorization-server":
            members = {
                "issuer": server.url,
                "jwks_uri": f"{server.url}/jwks",
                "token_endpoint": f"{server.url}/token",
            }
            self._reply(200, json.dumps(members).encode())
        else:
            self._reply(404, b"{}")

    def do_POST(self) -> None:
        """Issue tokens."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {
            name: values if name in {"audience", "resource"} else values[0]
            for name, values in parse_qs(body).items()
        }
        self.server.asked.append(form)
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self.server.lock:
            status, members = self.server.answer(form, headers)
        self._reply(status, json.dumps(members).encode())

    def _reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _configuration(issuer: str) -> dict[str, Any]:
    """Give its options."""
    exchange = {
        "class": f"{_HELPERS}.token_exchange.TokenExchangeHelper",
        "kwargs": {
            "subject_token_types_supported": [_URN + "access_token"],
            "requested_token_types_supported": [_URN + "access_token"],
            "policy": {
                "": {
                    "function": _POLICY,
                    "kwargs": {"audience": [TARGET], "scope": ["openid", "profile"]},
                }
            },
        },
    }
    code = f"{_HELPERS}.access_token.AccessTokenHelper"
    jwt = "idpyoidc.server.token.jwt_token.JWTToken"
    token = {"class": jwt, "kwargs": {"lifetime": 3600}}
    minting = ["access_token", "refresh_token"]
    return {
        "issuer": issuer,
        "httpc_params": {"verify": False, "timeout": 1},
        "subject_types_supported": ["public"],
        "client_authn_method": _METHODS,
        "keys": {"uri_path": "jwks.json", "key_defs": _KEYS},
        "endpoint": {
            "authorization": {
                "path": "authorization",
                "class": "idpyoidc.server.oauth2.authorization.Authorization",
                "kwargs": {},
            },
            "token": {
                "path": "token",
                "class": "idpyoidc.server.oauth2.token.Token",
                "kwargs": {
                    "client_authn_method": [
                        "client_secret_basic",
                        "client_secret_post",
                    ],
                    "grant_types_helpers": {
                        "authorization_code": {"class": code},
                        "urn:ietf:params:oauth:grant-type:token-exchange": exchange,
                    },
                },
            },
        },
        "authentication": {
            "anon": {
                "acr": INTERNETPROTOCOLPASSWORD,
                "class": "idpyoidc.server.user_authn.user.NoAuthn",
                "kwargs": {"user": "diana"},
            }
        },
        "userinfo": {"class": UserInfo, "kwargs": {"db": {"diana": {}}}},
        "client_authn": verify_client,
        "authz": {
            "class": AuthzHandling,
            "kwargs": {
                "grant_config": {
                    "usage_rules": {
                        "authorization_code": {"supports_minting": minting},
                        "access_token": {
                            "supports_minting": minting,
                            "expires_in": 600,
                        },
                    },
                    "expires_in": 43200,
                }
            },
        },
        "token_handler_args": {
            "key_conf": {"key_defs": _KEYS},
            "code": {"lifetime": 600, "kwargs": {"crypt_conf": _CRYPT}},
            "token": token,
            "refresh": token,
        },
        "session_params": {"encrypter": _CRYPT},
    }
