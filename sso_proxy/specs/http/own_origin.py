"""The origin by which browsers know us, whatever a request came by."""

from sso_proxy.model import RequestHead
from sso_proxy.specs.http.authority import DEFAULT_PORTS
from sso_proxy.specs.http.uri import build_origin
from sso_proxy.specs.oauth.urls import UrlRefusedError, read_url


def own_origin(head: RequestHead) -> str:
    """
    Give the origin by which the browser knows us.

    Https, whatever the request came by: where that is http, somebody in front of us
    has taken TLS off, and http is only for the machine itself.
    """
    scheme, port = head.scheme, head.port
    try:
        loopback = read_url(f"http://{head.host}/").is_loopback
    except UrlRefusedError:
        loopback = False
    if scheme == "http" and not (loopback or head.host == "localhost"):
        port = DEFAULT_PORTS["https"] if port == DEFAULT_PORTS["http"] else port
        scheme = "https"
    return build_origin(scheme, head.host, port)
