"""Where browsers learn who shares keys, for the routes of one configuration."""

from sso_proxy.endpoints.device_documents import DeviceDocument
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import ISessionStore
from sso_proxy.routing import Route, build_document_route
from sso_proxy.specs.dbsc.federation import WELL_KNOWN


class FederationRoutes:
    """Collects the hosts whose sessions share keys, and what they say about it."""

    def __init__(self) -> None:
        self._documents: dict[str, bytes] = {}

    def add(self, path: str, host: str, sessions: ISessionStore) -> None:
        """
        Take what is to be said where *sessions* begin.

        Args:
            path: Where the route is in the configuration.
            host: The pattern of its hosts.
            sessions: The sessions that begin there.

        Raises:
            ConfigError: Others that begin there share keys with other sites: a browser
                asks the host, and does not say for which sessions.
        """
        document = _document_of(sessions)
        if document is None:
            return
        if self._documents.setdefault(host, document) != document:
            problem = (
                f"other sessions that begin on {host} share keys with other sites; all"
                " of one host have to share with the same (device.federation)"
            )
            raise ConfigError(Mistake(f"{path}.session", problem))

    def routes(self) -> list[Route]:
        """Give the entries for the table of routes."""
        return [
            build_document_route(host, WELL_KNOWN, DeviceDocument(document))
            for host, document in self._documents.items()
        ]


def _document_of(sessions: ISessionStore) -> bytes | None:
    """Give what is to be said about keys of sessions; None if they are not shared."""
    federation = (
        None if sessions.devices is None else sessions.devices.config.federation
    )
    document: bytes | None = None if federation is None else federation.document
    return document
