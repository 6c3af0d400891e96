"""What decides whether a proven identity may make a request."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zope.interface import Attribute, Interface

from sso_proxy.model import Decision, Identity, Request

if TYPE_CHECKING:
    from sso_proxy.equipment import Equipment


class IPolicy(Interface):
    """Decides whether a proven identity may make a request."""

    sets: frozenset[str] = Attribute(
        "Lower-case names of header fields for the backend that its obligations may"
        " set: no client may send them."
    )

    async def decide(identity: Identity, request: Request) -> Decision:
        """
        Decide on *request*.

        Asked for every request, repeated ones too.  Must not depend on header
        fields unless ``reads_headers`` is true.

        Raises:
            UnavailableError: Nobody can say now; that is no "no".
        """


class ILocalPolicy(IPolicy):
    """A policy that asks nobody: it may be asked again for repeated requests."""

    depends_on_request: bool = Attribute(
        "Whether the answer may differ for two requests of one identity at one time."
    )

    def check(identity: Identity, request: Request) -> Decision:
        """Decide as `decide` does, at once."""

    def steady_for(identity: Identity, request: Request) -> float:
        """Say for how many seconds the answer to this request stays the same."""


class IRememberingPolicy(ILocalPolicy):
    """A policy that remembers what it says, where that depends on little."""

    def is_known_to_permit(
        identity: Identity, method: str, host: str, path: str
    ) -> bool:
        """
        Say whether `check` permits this, with nothing to be done besides.

        That is so for every request of the very same *identity* with this method,
        host and path, at any time and whatever else there is to it.  False if it is
        not, or if nobody has asked yet.
        """


class IObligation(Interface):
    """Does what a policy permits something under the condition of."""

    async def fulfil(
        parameters: Mapping[str, Any], request: Request, equipment: "Equipment"
    ) -> None:
        """
        Do it.  Whatever is raised denies the request.

        Args:
            parameters: What the policy says about it.
            request: The request that was decided on.
            equipment: What the backend gets; a denied request has none that counts.
        """
