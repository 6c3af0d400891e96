"""Handshakes in memory with a client that offers Token Binding."""

from typing import TYPE_CHECKING, Any

import pytest
from OpenSSL import SSL

from sso_proxy.net.tls.token_binding_client import OFFER, Offer, offer_on
from sso_proxy.specs.token_binding import EXPORTER_LABEL
from sso_proxy.specs.token_binding_keys import TokenBindingError
from sso_proxy.testing.token_binding import BindingKey, prove

if TYPE_CHECKING:
    from sso_proxy.net.tls.context import ListenerTls
    from tests.net.tls.conftest import Lab, Shaken

KEY = BindingKey.create()


def bind(  # noqa: PLR0913
    lab: "Lab",
    tls: "ListenerTls",
    data: bytes | None = OFFER,
    *,
    sni: str | None = None,
    session: SSL.Session | None = None,
    context: SSL.Context | None = None,
    **options: Any,  # noqa: ANN401
) -> "tuple[Offer, Shaken]":
    """Shake hands as a client that offers *data*."""
    if context is None:
        context = lab.client_context(**options)
        offer_on(context)
    offer = Offer(data)

    def prepare(client: SSL.Connection) -> None:
        client.set_app_data(offer)

    return offer, lab.connect(
        tls, context=context, sni=sni, session=session, prepare=prepare
    )


def ekm(connection: SSL.Connection) -> bytes:
    """Give what is signed."""
    return connection.export_keying_material(EXPORTER_LABEL, 32, None)


def proof_of(shaken: "Shaken", key: BindingKey = KEY) -> str:
    """Prove *key* as the client does."""
    return prove(key, ekm(shaken.client))


def reason(shaken: "Shaken", *values: str) -> str:
    """Say why a request with *values* is refused."""
    with pytest.raises(TokenBindingError) as caught:
        shaken.facts.read_token_bindings(values)
    return caught.value.reason.removeprefix("token-binding-")
