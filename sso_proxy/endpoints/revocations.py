"""
``/revocations`` of the operators' listener: what is refused before its time.

``GET`` lists, ``POST`` adds one, ``DELETE /revocations/ID`` lets one go.  What changes
anything is for programs alone: whatever a browser sends is refused, and so is content
that a page could have it send without asking first (`sso_proxy.endpoints.admin`).
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

from twisted.web.server import Request

from sso_proxy.endpoints.answer import JSON, Answer, refusal, report
from sso_proxy.errors import TokenError
from sso_proxy.specs.jose.strict import read_json_object
from sso_proxy.specs.revocation_document import RevocationError, describe_revocation
from sso_proxy.specs.revocations import Revocation, RevocationsFullError


class Report(Protocol):
    """
    What has become of a revocation.

    Attributes:
        revocation: The one in force, or the one that is no more.
        missing: What did not work, one line each.
    """

    @property
    def revocation(self) -> Revocation:
        """Give it."""

    @property
    def missing(self) -> tuple[str, ...]:
        """Give them."""


class Revoker(Protocol):
    """Who keeps the list."""

    @property
    def list(self) -> Iterable[Revocation]:
        """Give all."""

    async def revoke(self, document: object) -> Report:
        """Refuse what *document* selects."""

    async def lift(self, name: str) -> Report | None:
        """Let the one called *name* go; None if there is none."""


class RevocationPages:
    """Answers about revocations; who may ask was checked."""

    def __init__(self, revoker: Revoker) -> None:
        self._revoker = revoker

    async def show(self, request: Request) -> Answer:  # noqa: ARG002
        """Answer with all of them."""
        all_ = [describe_revocation(each) for each in self._revoker.list]
        return report(200, {"revocations": all_})

    async def add(self, request: Request) -> Answer:
        """Answer when the new one is in force, in all that serve."""
        kind = (request.getHeader(b"content-type") or b"").partition(b";")[0]
        if kind.strip().lower() != JSON:
            return refusal(415, "say Content-Type: application/json")
        try:
            content = request.content.read() if request.content is not None else b""
            document = read_json_object(content)
            done = await self._revoker.revoke(document)
        except TokenError:
            return refusal(400, "must be a JSON object, each member at most once")
        except RevocationError as e:
            return refusal(400, e.problem)
        except RevocationsFullError as e:
            return refusal(507, f"{e}; use issued_before to revoke many at once")
        return _tell("in force", done)

    def removing(self, name: str) -> Callable[[Request], Awaitable[Answer]]:
        """Give what answers when the one called *name* is let go, in all that serve."""

        async def remove(request: Request) -> Answer:  # noqa: ARG001
            done = await self._revoker.lift(name)
            if done is None:
                return refusal(404, "no such revocation")
            return _tell("lifted", done)

        return remove


def _tell(status: str, done: Report) -> Answer:
    document: dict[str, Any] = {
        "status": "incomplete" if done.missing else status,
        "revocation": describe_revocation(done.revocation),
        "missing": done.missing,
    }
    return report(503 if done.missing else 200, document)
