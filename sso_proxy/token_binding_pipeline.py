"""
A request's way on listeners whose clients prove with each request which key they hold.

All other listeners have the plain `Pipeline`: what nobody asked for costs nobody
anything.
"""

from typing import Any

import attrs

from sso_proxy.admission import Admission, Connection
from sso_proxy.model import Request, TokenBindings
from sso_proxy.pipeline import Pipeline
from sso_proxy.routing import RouteTable
from sso_proxy.specs.http.incoming import Incoming
from sso_proxy.specs.token_binding import FIELD, read_fields
from sso_proxy.specs.token_binding_keys import TokenBindingError


class TokenBindingPipeline(Pipeline):
    """Finds out, besides where a request is from, which keys its client holds."""

    def __init__(
        self,
        routes: RouteTable,
        *,
        believed: bool,
        **parts: Any,  # noqa: ANN401
    ) -> None:
        """
        Take what `Pipeline` takes, and one thing more.

        Args:
            routes: As there.
            believed: Trusted proxies are believed about their clients' keys.
            parts: As there.
        """
        super().__init__(routes, **parts)
        self._believed = believed

    def facts(self, incoming: Incoming, connection: Connection) -> Request:
        """
        Say where a request comes from, and which keys are proved with it.

        Raises:
            BadMessageError: 400: what should prove it does not (RFC 8471 section 4.2,
                RFC 8473 section 2).
        """
        request = super().facts(incoming, connection)
        bindings = self._read_bindings(incoming, connection)
        if bindings is None:
            return request
        return attrs.evolve(request, token_binding=bindings)

    def _read_bindings(
        self, incoming: Incoming, connection: Connection
    ) -> TokenBindings | None:
        fields, tls, found = incoming.forwarded, connection.tls, None
        if tls is not None:
            values = [value for name, value in fields if name == FIELD]
            found = tls.read_token_bindings(values)
        if self._believed and connection.trusted:
            told = read_fields(fields)
            if found is not None and told is not None:
                # The proxy's own key and its client's: nobody could say whose counts.
                raise TokenBindingError("token-binding-conflict")
            found = found or told
        return found

    def _alike(self, like: Admission, incoming: Incoming) -> Request:
        """Give the request that differs in its credential; the proof is the same."""
        request = super()._alike(like, incoming)
        bindings = like.caller.request.token_binding
        return attrs.evolve(request, token_binding=bindings)
