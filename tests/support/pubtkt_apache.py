"""Debian's Apache with mod_auth_pubtkt, as a site to compare ours with."""

from pathlib import Path
from typing import Final

from tests.support.apache import start_apache
from tests.support.programs import Running
from tests.support.pubtkt_desk import BASIC_KEY
from tests.support.pubtkt_keys import public_pem

_KEYS: Final = ("rsa", "rsa.2", "rsa1024", "dsa", "dsa1024")
_CONFIG: Final = """
UseCanonicalName Off
TKTAuthPublicKey {directory}/rsa.pem
<VirtualHost 127.0.0.1:{port}>
ServerName app.test
ProxyPass / http://127.0.0.1:{backend}/
<Location />
  AuthType mod_auth_pubtkt
  TKTAuthLoginURL http://sso.test/login
  TKTAuthTimeoutURL http://sso.test/login?timeout=1
  TKTAuthPostTimeoutURL http://sso.test/login?posttimeout=1
  TKTAuthUnauthURL http://sso.test/login?unauth=1
  TKTAuthRefreshURL http://sso.test/refresh
  TKTAuthBadIPURL http://sso.test/badip
  TKTAuthMultifactorURL http://sso.test/mfa
  Require valid-user
  Header always set X-User "expr=%{{REMOTE_USER}}"
  RequestHeader set X-Env-User %{{REMOTE_USER}}e
  RequestHeader set X-Env-Data %{{REMOTE_USER_DATA}}e
  RequestHeader set X-Env-Tokens %{{REMOTE_USER_TOKENS}}e
</Location>
<Location /dsa>
  TKTAuthPublicKey {directory}/dsa.pem
</Location>
<Location /dsa1024>
  TKTAuthPublicKey {directory}/dsa1024.pem
</Location>
<Location /rsa1024>
  TKTAuthPublicKey {directory}/rsa1024.pem
</Location>
<Location /rsa256>
  TKTAuthDigest SHA256
</Location>
<Location /rsa512>
  TKTAuthDigest SHA512
</Location>
<Location /digest-before-key>
  TKTAuthDigest SHA256
  TKTAuthPublicKey {directory}/rsa.pem
</Location>
<Location /rsa256/childkey>
  TKTAuthPublicKey {directory}/rsa.pem
</Location>
<Location /key2>
  TKTAuthPublicKey {directory}/rsa.2.pem
</Location>
<Location /tok>
  TKTAuthToken admin staff
</Location>
<Location /tok/null>
  TKTAuthToken NULL
</Location>
<Location /mfa>
  TKTAuthRequireMultifactor on
</Location>
<Location /hdr>
  TKTAuthHeader X-My-Auth Cookie
</Location>
<Location /fake>
  TKTAuthFakeBasicAuth on
</Location>
<Location /bauth>
  TKTAuthPassthruBasicAuth on
</Location>
<Location /bauthenc>
  TKTAuthPassthruBasicAuth on
  TKTAuthPassthruBasicKey "{basic_key}"
</Location>
<Location /ssl>
  TKTAuthRequireSSL on
</Location>
<Location /name>
  TKTAuthCookieName sso_t
  TKTAuthBackArgName url
</Location>
<Location /open>
  AuthType None
  Require all granted
</Location>
</VirtualHost>
<VirtualHost 127.0.0.1:{port}>
ServerName nologin.test
ProxyPass / http://127.0.0.1:{backend}/
<Location />
  AuthType mod_auth_pubtkt
  Require valid-user
  RequestHeader set X-Env-User %{{REMOTE_USER}}e
</Location>
</VirtualHost>
"""


def write_keys(directory: Path) -> None:
    """Write the public keys that locations have."""
    for name in _KEYS:
        (directory / f"{name}.pem").write_bytes(public_pem(name))


def pubtkt_apache(directory: Path, port: int, backend: int) -> Running:
    """
    Run Apache until it listens on *port*.

    Args:
        directory: Has the keys.
        port: Where to listen.
        backend: The port of what is behind it.
    """
    config = _CONFIG.format(
        directory=directory, port=port, backend=backend, basic_key=BASIC_KEY
    )
    return start_apache(directory, port, config, "auth_pubtkt")
