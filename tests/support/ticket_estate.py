"""Sites of Debian's Apache that go by tickets, over TLS, for browsers."""

from pathlib import Path
from typing import Final

import attrs

from sso_proxy.testing.pki import Pki
from tests.support.apache import start_apache
from tests.support.auth_tkt_apache import AUTH_TKT
from tests.support.programs import Running

_CONFIG: Final = """
SSLSessionCache none
<VirtualHost 127.0.0.1:{port}>
ServerName {host}
SSLEngine on
SSLCertificateFile {directory}/site.crt
SSLCertificateKeyFile {directory}/site.key
ProxyPass / http://127.0.0.1:{backend}/
{agreed}
<Location />
  AuthType {type}
  {everywhere}
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


@attrs.frozen(kw_only=True)
class Kind:
    """
    A kind of tickets.

    Attributes:
        host: The site that goes by them.
        module: What reads them there.
        type: Its name in ``AuthType``.
        agreed: What it and the login server have agreed on.
        everywhere: Likewise, what stands in a location.
    """

    host: str
    module: str | Path
    type: str
    agreed: str
    everywhere: str = ""


PUBTKT: Final = Kind(
    host="site.example.com",
    module="auth_pubtkt",
    type="mod_auth_pubtkt",
    agreed="TKTAuthPublicKey {directory}/ticket.pub\nTKTAuthDigest SHA256",
)
"""As etc/login-server.toml has it."""
TICKET_SECRET: Final = "a secret of sites & login server"
AUTH_TKT_KIND: Final = Kind(
    host="old.example.com",
    module=AUTH_TKT,
    type="None",
    agreed=f'TKTAuthSecret "{TICKET_SECRET}"\nTKTAuthDigestType SHA256',
    everywhere="TKTAuthTimeout 3600\n  TKTAuthTimeoutRefresh 0",
)
"""
As etc/login-server-auth-tkt.toml has it.  The module forgets the port when it says
where to go back to: browsers have to find it at that of https.
"""


def ticket_site(  # noqa: PLR0913
    kind: Kind, directory: Path, pki: Pki, port: int, *, backend: int, login: str
) -> Running:
    """
    Run Apache until it listens on *port*.

    Args:
        kind: What it is.
        directory: Its own; for pubtkt with ``ticket.pub``, the public key of tickets.
        pki: Issues its certificate.
        port: Where to listen.
        backend: The port of what is behind it.
        login: The login server's URL, the only thing that it knows of it.
    """
    pki.issue(kind.host, dns=[kind.host], server=True).write(directory, "site")
    config = _CONFIG.format(
        directory=directory,
        host=kind.host,
        port=port,
        backend=backend,
        login=login,
        type=kind.type,
        everywhere=kind.everywhere,
        agreed=kind.agreed.format(directory=directory),
    )
    return start_apache(directory, port, config, "ssl", kind.module)
