"""Connect to a directory: verified, and within a time limit."""

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import (
    HostnameEndpoint,
    connectProtocol,
    wrapClientTLS,
)

from sso_proxy.net.ldap import LdapLink
from sso_proxy.net.ldap_options import LdapAccess, Place
from sso_proxy.net.ldap_values import no_reply
from sso_proxy.net.no_reply import NoReplyError, Trouble, describe
from sso_proxy.net.tls.client import client_options


async def dial(place: Place, access: LdapAccess, reactor: Any) -> LdapLink:  # noqa: ANN401
    """
    Connect to the server at *place*, with TLS, and be nobody yet.

    Raises:
        NoReplyError: That does not work; says why.
    """
    link = LdapLink(str(place), reactor, access.timeout)
    attempt = Deferred.fromCoroutine(_enter(link, place, access, reactor))
    # Not *attempt* itself: cancelled, it may end with any error.
    waiter: Deferred[None] = Deferred()

    def tell(result: Any) -> None:  # noqa: ANN401
        if not waiter.called:
            waiter.callback(result)

    attempt.addBoth(tell)
    within = reactor.callLater(access.connect_timeout, waiter.cancel)
    try:
        await waiter
    except NoReplyError:
        link.close()
        raise
    except CancelledError:
        attempt.cancel()
        link.close()
        if within.active():
            raise
        problem = f"no connection within {access.connect_timeout:g} s"
        raise no_reply(str(place), problem, Trouble.TIMEOUT) from None
    except Exception as e:  # noqa: BLE001 - described
        link.close()
        problem, trouble = describe(e, access.connect_timeout)
        raise no_reply(str(place), problem, trouble) from None
    finally:
        if within.active():
            within.cancel()
    return link


async def _enter(
    link: LdapLink,
    place: Place,
    access: LdapAccess,
    reactor: Any,  # noqa: ANN401
) -> None:
    options = client_options(place.host, tls=access.tls)
    endpoint = HostnameEndpoint(reactor, place.host, place.port, access.connect_timeout)
    if place.ldaps:
        await connectProtocol(wrapClientTLS(options, endpoint), link)
        await link.secured()
        return
    await connectProtocol(endpoint, link)
    if not access.plaintext:
        await link.start_tls(options)
