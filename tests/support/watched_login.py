"""A login whose provider has a frame by which pages watch its sessions."""

import attrs
from zope.interface import implementer

from sso_proxy.interfaces import IWatched
from sso_proxy.login import Watch
from sso_proxy.session import Session
from tests.support.fake_login import FakeLogin
from tests.support.login_scene import LoginScene

FRAME = "https://login.example/frame"


@implementer(IWatched)
@attrs.define
class WatchedLogin(FakeLogin):
    """
    A login whose provider has a frame.

    Attributes:
        frame: Where; empty: it has none.
    """

    frame: str = FRAME

    async def watch(self, session: Session | None) -> Watch | None:
        """Say what there is to say."""
        if not self.frame:
            return None
        data = {} if session is None else session.data
        return Watch(
            url=self.frame,
            origin="https://login.example",
            client_id="app",
            state=data.get("session_state", ""),
            frames=("https://login.example",),
        )


class WatchScene(LoginScene):
    """A site whose pages watch sessions."""

    def make_login(self, name: str) -> WatchedLogin:
        """Make a way to log in."""
        return WatchedLogin(name=name, data={"session_state": "s-1"})

    @property
    def login(self) -> WatchedLogin:
        """Give the way to log in."""
        login = self.logins["corp"]
        assert isinstance(login, WatchedLogin)
        return login
