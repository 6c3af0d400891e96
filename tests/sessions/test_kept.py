"""What was posted by somebody who has to log in first."""

import pytest
from twisted.trial.unittest import TestCase

from sso_proxy.sessions.kept import MOST, PURPOSE, KeptBodies, KeptBody
from tests.support.sessions import SessionTools, cookie_sessions, server_sessions

POSTED = KeptBody(
    target="/orders?new=1", content_type="text/plain", content=b"\x00secret\xff"
)


async def keep(kept: KeptBodies, body: KeptBody = POSTED) -> str:
    return await kept.keep(body.target, body.content_type, body.content)


class KeptBodiesTests(TestCase):
    def setUp(self) -> None:
        self.tools = SessionTools()
        self.cache = self.tools.cache(None, frozenset())
        self.kept = KeptBodies(self.cache, self.tools.sealer("login-body"))

    async def test_who_logged_in_gets_it_back_as_it_was(self) -> None:
        name = await keep(self.kept)

        assert await self.kept.give(name, "session-1") == POSTED
        assert await self.kept.take(name, "session-1") == POSTED

    async def test_it_is_there_once(self) -> None:
        name = await keep(self.kept)
        await self.kept.give(name, "session-1")
        await self.kept.take(name, "session-1")

        assert await self.kept.take(name, "session-1") is None

    async def test_nobody_has_it_who_has_not_logged_in(self) -> None:
        name = await keep(self.kept)

        assert await self.kept.take(name, "") is None

    async def test_another_session_does_not_get_it(self) -> None:
        name = await keep(self.kept)
        await self.kept.give(name, "session-1")

        assert await self.kept.take(name, "session-2") is None

    async def test_it_is_given_to_one_session_only(self) -> None:
        name = await keep(self.kept)
        await self.kept.give(name, "session-1")

        assert await self.kept.give(name, "session-2") is None

    async def test_what_is_stored_says_nothing(self) -> None:
        name = await keep(self.kept)

        stored = await self.cache.get(PURPOSE, name.encode())
        assert stored is not None
        assert b"secret" not in stored
        assert b"orders" not in stored

    async def test_what_another_name_has_is_not_taken_for_it(self) -> None:
        name, other = await keep(self.kept), await keep(self.kept)
        stored = await self.cache.get(PURPOSE, other.encode())
        assert stored is not None
        await self.cache.put(PURPOSE, name.encode(), stored, 60.0)

        assert await self.kept.give(name, "session-1") is None

    async def test_what_is_no_name_is_not_looked_for(self) -> None:
        for name in ("", "a", "../x", "a" * 43, "é" * 43):
            assert await self.kept.take(name, "session-1") is None

    async def test_more_than_can_be_kept_is_refused(self) -> None:
        much = KeptBody(target="/", content=b"x" * (MOST + 1))

        with pytest.raises(ValueError, match="too many"):
            await keep(self.kept, much)

    async def test_the_most_fits(self) -> None:
        much = KeptBody(target="/" + "a" * 8000, content=b"x" * MOST)

        name = await keep(self.kept, much)
        assert await self.kept.give(name, "session-1") == much

    async def test_a_target_alone_is_kept_as_such(self) -> None:
        name = await self.kept.keep("/long", "", None)

        found = await self.kept.give(name, "session-1")
        assert found == KeptBody(target="/long")


def test_a_body_does_not_show() -> None:
    assert "secret" not in repr(POSTED)


def test_sessions_with_a_store_keep_bodies_there() -> None:
    assert server_sessions(SessionTools()).kept is not None
    assert cookie_sessions(SessionTools()).kept is not None


def test_sessions_without_any_store_keep_none() -> None:
    assert cookie_sessions(SessionTools(), cache=None).kept is None
