from twisted.trial.unittest import TestCase
from twisted.web.static import Data

from sso_proxy.endpoints.tree import Endpoints
from tests.support.hosted import Asking


class EndpointsTests(TestCase):
    def setUp(self) -> None:
        from twisted.internet import reactor  # noqa: PLC0415, TID251

        self.tree = Endpoints()
        self.tree.putChild(b"ping", Data(b"pong", "text/plain"))
        self.asking = Asking(reactor, self.tree, depth=1)

    def test_tree_names_what_it_has(self) -> None:
        assert self.tree.names() == {"ping"}

    async def test_child_answers(self) -> None:
        assert (await self.asking.ask("/.sso/ping")).body == b"pong"

    async def test_nothing_else_is_there(self) -> None:
        for path in ("/.sso/", "/.sso/other", "/.sso/other/x", "/.sso/ping/x"):
            answer = await self.asking.ask(path)
            assert answer.status == 404, path
            assert b"ping" not in answer.body
