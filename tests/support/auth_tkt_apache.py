"""Debian's Apache with mod_auth_tkt, as a site to compare ours with."""

from pathlib import Path
from typing import Final

from tests.support.apache import start_apache
from tests.support.auth_tkt_desk import OLD_SECRET, SECRET
from tests.support.programs import Running

PACKAGE: Final = Path("/usr/local/lib/libapache2-mod-auth-tkt")
"""Where Debian's package is unpacked: it cannot be installed beside mod_auth_pubtkt."""
AUTH_TKT: Final = PACKAGE / "usr/lib/apache2/modules/mod_auth_tkt.so"
PERL: Final = PACKAGE / "usr/share/doc/libapache2-mod-auth-tkt/examples/cgi"
"""Where its login server in Perl is."""

_SITE: Final = """
<VirtualHost 127.0.0.1:{port}>
ServerName {host}
TKTAuthSecret "{secret}"
TKTAuthSecretOld "{old}"
TKTAuthDigestType {digest}
{more}
ProxyPass / http://127.0.0.1:{backend}/
<Location />
  AuthType None
  Require valid-user
  TKTAuthLoginURL http://sso.test/login
  TKTAuthTimeoutURL http://sso.test/login?timeout=1
  TKTAuthPostTimeoutURL http://sso.test/login?posttimeout=1
  TKTAuthUnauthURL http://sso.test/login?unauth=1
  TKTAuthTimeout 10m
  RequestHeader set X-Env-User %{{REMOTE_USER}}e
  RequestHeader set X-Env-Data %{{REMOTE_USER_DATA}}e
  RequestHeader set X-Env-Tokens %{{REMOTE_USER_TOKENS}}e
</Location>
{locations}
</VirtualHost>
"""
_DIRECTIVES: Final = {
    "/ignoreip": "TKTAuthIgnoreIP on",
    "/tok": "TKTAuthToken admin staff",
    "/tok/null": "TKTAuthToken NULL admin",
    "/guest": "TKTAuthGuestLogin on",
    "/guest/fall": "TKTAuthGuestFallback on",
    "/guest/tok": "TKTAuthToken admin",
    "/guest/cookie": "TKTAuthGuestCookie on\n  TKTAuthGuestUser visitor",
    "/guest/uuid": "TKTAuthGuestUser visitor-%8U",
    "/guest/empty": "TKTAuthGuestEmpty on",
    "/name": "TKTAuthCookieName sso_t\n  TKTAuthBackArgName url",
    "/noback": "TKTAuthBackArgName None",
    "/backcookie": "TKTAuthBackCookieName back_to",
    "/norefresh": "TKTAuthTimeoutRefresh 0",
    "/always": "TKTAuthTimeoutRefresh 1",
    "/never": "TKTAuthTimeout 0",
    "/ssl": "TKTAuthRequireSSL on",
    "/amp": "TKTAuthQuerySeparator &",
    "/relative": "TKTAuthLoginURL login",
    "/domain": "TKTAuthDomain estate.test",
    "/secure": "TKTAuthCookieSecure on",
}


def auth_tkt_apache(directory: Path, port: int, backend: int) -> Running:
    """
    Run Apache until it listens on *port*.

    Args:
        directory: Its own.
        port: Where to listen.
        backend: The port of what is behind it.
    """
    sites = [
        ("app.test", "MD5", ""),
        ("sha256.test", "SHA256", ""),
        ("sha512.test", "SHA512", ""),
        ("six.test", "MD5", "RemoteIPHeader X-Client"),
    ]
    locations = "\n".join(
        f"<Location {path}>\n  {lines}\n</Location>"
        for path, lines in _DIRECTIVES.items()
    )
    config = "UseCanonicalName Off\n" + "".join(
        _SITE.format(
            port=port,
            host=host,
            secret=SECRET,
            old=OLD_SECRET,
            digest=digest,
            more=more,
            backend=backend,
            locations=locations if host == "app.test" else "",
        )
        for host, digest, more in sites
    )
    return start_apache(directory, port, config, AUTH_TKT, "remoteip")
