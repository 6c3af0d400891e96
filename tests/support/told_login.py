"""A login whose provider tells of logouts what a test wants."""

from typing import Final

import attrs
from zope.interface import implementer

from sso_proxy.interfaces import ILogout
from sso_proxy.login import Ended, LogoutNotice
from sso_proxy.model import Request, Response
from sso_proxy.session import Session
from tests.support.fake_login import FakeLogin

REFUSED: Final = Response(status=400, reason="logout-notice", body=b"{}")


@implementer(ILogout)
@attrs.define
class ToldLogin(FakeLogin):
    """
    A login whose provider tells what a test wants.

    Attributes:
        told: What it reads of any request.
        settles: Marks that were settled.
        relies_on_notices: Whether an operator relies on what it tells.
    """

    told: LogoutNotice | Response = REFUSED
    settles: list[str] = attrs.field(factory=list)
    relies_on_notices: bool = False

    async def end(self, request: Request, session: Session, back: str) -> Ended:
        del request, session, back
        return Ended()

    def confirm(self, request: Request, kept: object) -> bool:
        del request, kept
        return True

    async def front_channel(self, request: Request) -> LogoutNotice | Response:
        del request
        return self.told

    async def back_channel(self, request: Request) -> LogoutNotice | Response:
        del request
        return self.told

    async def settled(self, notice: LogoutNotice) -> bool:
        self.settles.append(notice.mark)
        return self.settles.count(notice.mark) == 1
