"""A site of Debian's Apache with mod_auth_pubtkt, over TLS, for browsers."""

from pathlib import Path
from typing import Final

from sso_proxy.testing.pki import Pki
from tests.support.apache import start_apache
from tests.support.programs import Running

HOST: Final = "site.example.com"
_CONFIG: Final = """
SSLSessionCache none
TKTAuthPublicKey {directory}/ticket.pub
TKTAuthDigest SHA256
<VirtualHost 127.0.0.1:{port}>
ServerName {host}
SSLEngine on
SSLCertificateFile {directory}/site.crt
SSLCertificateKeyFile {directory}/site.key
ProxyPass / http://127.0.0.1:{backend}/
<Location />
  AuthType mod_auth_pubtkt
  TKTAuthLoginURL {login}
  TKTAuthTimeoutURL {login}?timeout=1
  TKTAuthPostTimeoutURL {login}?posttimeout=1
  TKTAuthUnauthURL {login}?unauth=1
  Require valid-user
  RequestHeader set X-Env-User %{{REMOTE_USER}}e
  RequestHeader set X-Env-Tokens %{{REMOTE_USER_TOKENS}}e
</Location>
<Location /admin>
  TKTAuthToken admin
</Location>
<Location /silent>
  TKTAuthToken admin
  TKTAuthUnauthURL {login}
</Location>
</VirtualHost>
"""


def pubtkt_site(
    directory: Path, pki: Pki, port: int, backend: int, login: str
) -> Running:
    """
    Run Apache until it listens on *port*.

    Args:
        directory: Has ``ticket.pub``, the public key of tickets.
        pki: Issues its certificate.
        port: Where to listen.
        backend: The port of what is behind it.
        login: The login server's URL, the only thing that it knows of it.
    """
    pki.issue(HOST, dns=[HOST], server=True).write(directory, "site")
    config = _CONFIG.format(
        directory=directory, host=HOST, port=port, backend=backend, login=login
    )
    return start_apache(directory, port, config, "ssl", "auth_pubtkt")
