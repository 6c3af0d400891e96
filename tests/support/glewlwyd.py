"""Debian's glewlwyd as an OpenID Provider, made ready through its own interface."""

import shutil
import sqlite3
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qsl, urlsplit

from sso_proxy.testing.pki import Pki
from tests.support.browser import Browser, Page
from tests.support.oidc_provider import KnownKey
from tests.support.programs import Running, free_port, program

PASSWORD: Final = "a password of tests"
SCOPES: Final = ("openid", "email")
_SCHEMA: Final = Path("/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3")
_SHARED: Final = Path("/usr/share/glewlwyd")
_PAGES: Final = Path("/usr/share/glewlwyd/webapp")
_PAGES_CONFIG: Final = Path("/usr/share/glewlwyd/templates/config.json")
_SHIPPED: Final = "password"
"""The password that the administrator has in its files."""
_CONFIG: Final = """
port = {port}
bind_address = "127.0.0.1"
external_url = "{origin}"
login_url = "login.html"
api_prefix = "api"
static_files_path = "{webapp}"
static_files_mime_types = (
  {{ extension = ".html" mime_type = "text/html" compress = 0 }},
  {{ extension = ".js" mime_type = "application/javascript" compress = 0 }},
  {{ extension = ".css" mime_type = "text/css" compress = 0 }},
  {{ extension = ".json" mime_type = "application/json" compress = 0 }}
)
log_mode = "console"
log_level = "DEBUG"
cookie_domain = "localhost"
cookie_secure = 1
add_x_frame_option_header_deny = {unframed}
session_expiration = 3600
session_key = "GLEWLWYD2_SESSION_ID"
admin_scope = "g_admin"
profile_scope = "g_profile"
user_module_path = "/usr/lib/glewlwyd/user"
user_middleware_module_path = "/usr/lib/glewlwyd/user_middleware"
client_module_path = "/usr/lib/glewlwyd/client"
user_auth_scheme_module_path = "/usr/lib/glewlwyd/scheme"
plugin_module_path = "/usr/lib/glewlwyd/plugin"
use_secure_connection = true
secure_connection_key_file = "glewlwyd.key"
secure_connection_pem_file = "glewlwyd.crt"
secure_connection_ca_file = "ca.crt"
hash_algorithm = "SHA512"
database = {{ type = "sqlite3" path = "{database}" }};
"""
_PLUGIN: Final[Mapping[str, object]] = {
    "jwt-type": "rsa",
    "jwt-key-size": "256",
    "access-token-duration": 600,
    "refresh-token-duration": 3600,
    "code-duration": 60,
    "refresh-token-rolling": True,
    "allow-non-oidc": False,
    "auth-type-code-enabled": True,
    "auth-type-token-enabled": False,
    "auth-type-id-token-enabled": True,
    "auth-type-none-enabled": False,
    "auth-type-password-enabled": False,
    "auth-type-client-enabled": False,
    "auth-type-device-enabled": False,
    "auth-type-refresh-enabled": True,
    "subject-type": "public",
    "jwks-show": True,
    "pkce-allowed": True,
    "pkce-method-plain-allowed": False,
    "oauth-as-iss-id": True,
    "oauth-par-allowed": True,
    "oauth-par-required": False,
    "oauth-par-request_uri-prefix": "urn:ietf:params:oauth:request_uri:",
    "oauth-par-duration": 90,
    "name-claim": "mandatory",
    "email-claim": "mandatory",
    "request-parameter-allow": True,
    "request-maximum-exp": 3600,
    "client-pubkey-parameter": "pubkey",
    "client-jwks-parameter": "jwks",
    "client-jwks_uri-parameter": "jwks_uri",
    "session-management-allowed": True,
    "session-cookie-name": "GLEWLWYD2_OIDC_SID",
    "session-cookie-expiration": 3600,
    "front-channel-logout-allowed": True,
    "back-channel-logout-allowed": True,
}


class Glewlwyd:
    """
    One server process with a database of its own, users ``alice`` and ``bob``.

    Args:
        pki: Issues its certificate.
        clients: What it knows of each, by its own names for that.
        port: Where it listens; any that is free.
        framed: Whether pages of others may frame its own; its frame for sessions needs
            that.
        plugin: Further parameters of its plugin for OpenID Connect.
    """

    def __init__(
        self,
        pki: Pki,
        clients: Sequence[Mapping[str, Any]],
        *,
        port: int = 0,
        framed: bool = False,
        **plugin: object,
    ) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="glewlwyd-"))
        self.ca = pki.write(self._directory)
        self.certificate = pki.issue(
            "localhost", dns=["localhost"], server=True, key="rsa"
        )
        self.certificate.write(self._directory, "glewlwyd")
        self._port = port or free_port()
        self._framed = framed
        self._clients = clients
        self._plugin = {**_PLUGIN, **plugin}
        self._key = KnownKey.create("RS256", "glewlwyd-1")
        self._running: Running | None = None

    @property
    def origin(self) -> str:
        """Give the server's origin."""
        return f"https://localhost:{self._port}"

    @property
    def issuer(self) -> str:
        """Give its issuer identifier."""
        return f"{self.origin}/api/oidc"

    def log(self) -> str:
        """Give all that it printed."""
        assert self._running is not None
        return self._running.output.read_text(errors="replace")

    def log_in(self, browser: Browser, page: Page, client: str, user: str) -> Page:
        """
        Do what the scripts of its login page do, and go on.

        Args:
            browser: Whose page it is.
            page: The login page.
            client: Who asked for the login.
            user: Who logs in, and allows the client what it asked for.
        """
        said = {"username": user, "password": PASSWORD}
        self._call_as(browser, "POST", "/api/auth/", said)
        scope = {"scope": " ".join(SCOPES)}
        self._call_as(browser, "PUT", f"/api/auth/grant/{client}", scope)
        back = dict(parse_qsl(urlsplit(page.url).query))["callback_url"]
        return browser.go(f"{back}&g_continue")

    def _call_as(
        self, browser: Browser, method: str, path: str, value: Mapping[str, object]
    ) -> None:
        page = browser.call(method, self.origin + path, value)
        assert page.status == 200, (page.text, page, self.log()[-2000:])

    def __enter__(self) -> Self:
        database = self._directory / "glewlwyd.db"
        with sqlite3.connect(database) as made:
            made.executescript(_SCHEMA.read_text())
        made.close()
        config = self._directory / "glewlwyd.conf"
        config.write_text(
            _CONFIG.format(
                port=self._port,
                origin=self.origin,
                database=database,
                webapp=self._copy_pages(),
                unframed="false" if self._framed else "true",
            )
        )
        command = (program("glewlwyd"), "--config-file", str(config))
        self._running = Running(self._directory, *command)
        try:
            self._running.wait_for_port(self._port)
            self._make_ready()
        except BaseException:
            self._running.end()
            raise
        return self

    def _copy_pages(self) -> Path:
        """Copy the pages; their ``config.json`` is packed as a directory."""
        copy = self._directory / "webapp"
        ignored = shutil.ignore_patterns("config.json", "fonts", "img")
        shutil.copytree(_SHARED / "webapp", copy, ignore=ignored)
        shutil.copyfile(_SHARED / "templates" / "config.json", copy / "config.json")
        return copy

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._running is not None:
            self._running.end()
        shutil.rmtree(self._directory)

    def _make_ready(self) -> None:
        """Make scope, plugin, users and clients, as its administrator."""
        said = {"username": "admin", "password": _SHIPPED}
        browser = Browser(self.ca)
        self._call_as(browser, "POST", "/api/auth/", said)
        email = {"name": "email", "display_name": "Mail", "password_required": False}
        self._call_as(browser, "POST", "/api/scope/", {**email, "scheme": {}})
        parameters = {
            **self._plugin,
            "iss": self.issuer,
            "key": self._key.pem,
            "cert": self._key.signer.public_pem().decode(),
        }
        plugin = {"module": "oidc", "name": "oidc", "display_name": "OpenID Connect"}
        plugin_whole = {**plugin, "parameters": parameters}
        self._call_as(browser, "POST", "/api/mod/plugin/", plugin_whole)
        for name in ("alice", "bob"):
            user = {"username": name, "name": name, "email": f"{name}@example.com"}
            more = {"password": PASSWORD, "enabled": True, "scope": [*SCOPES]}
            self._call_as(browser, "POST", "/api/user/", {**user, **more})
        for client in self._clients:
            self._call_as(browser, "POST", "/api/client/", client)
