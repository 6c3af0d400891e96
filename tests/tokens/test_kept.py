"""What servers issued is kept, and got by one for all."""

import pytest
from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock

from sso_proxy.caches.memory import MemoryCache
from sso_proxy.errors import UnavailableError
from sso_proxy.net.no_reply import NoReplyError, Trouble
from sso_proxy.sealing import RingSealer
from sso_proxy.testing.fakes import NOW, FakeTools
from sso_proxy.token import NotIssued, Token
from sso_proxy.tokens.keep_rules import KeepRules
from sso_proxy.tokens.kept import AT_ONCE, RENEWED_AT_ONCE, build_keeper
from sso_proxy.tokens.shared import MARK_LASTS
from tests.support.keeping import KeeperCase

DOWN = NoReplyError("it", status=502, problem="no", trouble=Trouble.UNREACHABLE)


class Bare(FakeTools):
    """Has nothing that is kept."""

    def cache(self, name: str | None, needs: frozenset[str]) -> MemoryCache:
        raise AssertionError((name, needs))

    def sealer(self, kind: str) -> RingSealer:
        raise AssertionError(kind)


class KeptTests(KeeperCase):
    """One for all."""

    def test_a_hundred_requests_in_two_processes_make_one_exchange(self) -> None:
        waiting = [self.scene.ask(each) for each in (self.here, self.there) * 50]
        assert len(self.server.asked) == 1
        token = self.server.issue()
        self.pass_time(0.3)
        assert {self.successResultOf(each) for each in waiting} == {token}
        assert len(self.server.asked) == 1

    def test_what_is_kept_is_given_without_waiting_for_anything(self) -> None:
        """Neither a Deferred nor the cache: a release rule says how fast it is."""
        token = self.have_token(self.here)
        self.cache.asked = 0
        asking = self.here.get(b"key", self.server.fetch, until=None)
        with pytest.raises(StopIteration) as end:
            asking.send(None)
        assert end.value.value == token
        assert self.cache.asked == 0
        assert self.here.counts["kept"] == 1

    def test_different_keys_have_different_tokens(self) -> None:
        one, two = self.have_token(self.here), self.have_token(self.here, key=b"other")
        assert one != two
        assert self.given(self.there) == one
        assert self.given(self.there, key=b"other") == two

    def test_sources_of_different_names_share_nothing(self) -> None:
        self.have_token(self.here)
        self.have_token(self.scene.keeper(self.cache, name="others"))
        assert len(self.server.asked) == 2

    def test_a_token_is_used_until_shortly_before_its_end(self) -> None:
        token = self.have_token(self.here)
        self.clock.advance(89)
        assert self.given(self.here, ahead=False) == token
        self.clock.advance(1.1)
        assert self.have_token(self.here) != token

    def test_a_token_ends_with_what_it_was_made_from(self) -> None:
        self.have_token(self.here, until=NOW + 10)
        self.clock.advance(9.1)
        self.have_token(self.here, until=NOW + 20)
        assert len(self.server.asked) == 2

    def test_a_caller_that_goes_takes_nothing_from_the_others(self) -> None:
        first, second = self.scene.ask(self.here), self.scene.ask(self.here)
        elsewhere = self.scene.ask(self.there)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        token = self.server.issue()
        self.pass_time(0.3)
        assert self.successResultOf(second) == self.successResultOf(elsewhere) == token

    def test_when_all_have_gone_the_token_is_kept_and_nothing_is_left(self) -> None:
        waiting = [self.scene.ask(each) for each in (self.here, self.here, self.there)]
        for each in waiting:
            each.cancel()
            self.failureResultOf(each, CancelledError)
        token = self.server.issue()
        self.pass_time(0.3)
        assert self.given(self.here) == self.given(self.there) == token
        assert self.scene.reactor.getDelayedCalls() == []
        assert len(self.server.asked) == 1

    def test_nobody_waits_for_longer_than_a_request_may(self) -> None:
        """A server that takes its time; whoever asks for the same, too."""
        waiting = [self.scene.ask(each) for each in (self.here, self.there)]
        self.pass_time(30.1)
        for each in waiting:
            assert self.failureResultOf(each, UnavailableError).value.status == 504
        self.pass_time(MARK_LASTS)
        assert self.scene.reactor.getDelayedCalls() == []

    def test_a_dead_process_holds_up_others_for_seconds_only(self) -> None:
        """Killed while it had the turn: its mark is all that is left."""
        dead = self.scene.keeper(self.cache, reactor=Clock())  # whose time stands still
        self.scene.ask(dead)
        waiting = self.scene.ask(self.there)
        self.pass_time(MARK_LASTS - 0.5)
        assert len(self.server.asked) == 1
        self.pass_time(1)
        assert len(self.server.asked) == 2
        token = self.server.issue()
        assert self.successResultOf(waiting) == token

    def test_too_many_at_once_are_refused(self) -> None:
        """Each of them keeps something of ours until it is answered."""
        waiting = [self.scene.ask(self.here, b"%d" % n) for n in range(AT_ONCE)]
        one_more = self.scene.ask(self.here)
        assert self.failureResultOf(one_more, UnavailableError).value.status == 503
        for each in self.server.asked:
            each.callback(NotIssued(reason="token-refused"))
        assert all(self.successResultOf(each) for each in waiting)
        self.have_token(self.here)

    def test_fields_for_one_clients_answer_are_given_to_nobody_later(self) -> None:
        waiting = self.scene.ask(self.here)
        headers = (("Set-Cookie", "session"),)
        self.server.asked[-1].callback(Token(value="a", headers=headers))
        first = self.successResultOf(waiting)
        assert isinstance(first, Token)
        assert first.headers == headers
        for keeper in (self.here, self.there):
            later = self.given(keeper)
            assert isinstance(later, Token)
            assert (later.value, later.headers) == ("a", ())

    def test_no_token_is_in_a_text_of_ours(self) -> None:
        self.have_token(self.here)
        entry = self.here._shelf.find(b"key")  # noqa: SLF001
        for thing in (self.here, entry, vars(self.here)):
            assert "the secret" not in repr(thing)

    def test_it_is_built_of_what_components_get(self) -> None:
        tools = FakeTools(name="orders")
        built = build_keeper(KeepRules(), tools)
        assert built.name == "orders"

    def test_what_shares_nothing_needs_no_keys_and_no_cache(self) -> None:
        built = build_keeper(KeepRules(cache=""), Bare(reactor=self.scene.reactor))
        self.have_token(built)
        assert len(self.server.asked) == 1


class RenewalTests(KeeperCase):
    """A new one is got before the old one ends."""

    def test_the_first_after_three_quarters_has_it_renewed(self) -> None:
        old = self.have_token(self.here)
        self.pass_time(70)
        assert [self.given(self.here) for _ in range(10)] == [old] * 10
        assert len(self.server.asked) == 2
        new = self.server.issue()
        assert self.given(self.here) == new != old
        assert self.here.counts["renewed"] == 1

    def test_one_process_renews_for_all(self) -> None:
        old = self.have_token(self.here)
        assert self.given(self.there) == old
        self.pass_time(70)
        assert self.given(self.here) == self.given(self.there) == old
        assert len(self.server.asked) == 2
        new = self.server.issue()
        self.pass_time(0.3)
        assert self.given(self.here) == self.given(self.there) == new
        assert len(self.server.asked) == 2

    def test_one_that_fails_keeps_the_old_one_and_waits_before_the_next(self) -> None:
        old = self.have_token(self.here)
        self.pass_time(70)
        assert self.given(self.here) == old
        self.server.fail(DOWN)
        assert [self.given(self.here) for _ in range(10)] == [old] * 10
        assert len(self.server.asked) == 2
        self.pass_time(5.1)  # a quarter of what is left
        assert self.given(self.here) == old
        assert len(self.server.asked) == 3
        assert self.given(self.here) == old

    def test_one_that_fails_after_the_end_does_not_bring_the_old_one_back(self) -> None:
        self.have_token(self.here)
        self.pass_time(70)
        self.given(self.here)
        self.pass_time(25)
        self.server.fail(DOWN)
        self.have_token(self.here, key=b"other")
        self.have_token(self.here)

    def test_what_is_no_answer_keeps_the_old_one_too(self) -> None:
        old = self.have_token(self.here)
        self.pass_time(70)
        self.given(self.here)
        self.server.refuse(502)
        assert self.given(self.here) == old

    def test_one_that_is_refused_ends_the_old_one_everywhere(self) -> None:
        """The server knows that it should not be used any more."""
        old = self.have_token(self.here)
        assert self.given(self.there) == old
        self.pass_time(70)
        self.given(self.here)
        refusal = self.server.refuse()
        assert self.given(self.here) == refusal
        assert self.given(self.there) == old  # has not asked yet
        self.pass_time(0.3)
        assert self.given(self.there) == refusal
        third = self.scene.keeper(self.cache)
        self.pass_time(3)
        assert self.given(third) == refusal
        self.pass_time(3)
        self.have_token(third)  # nobody finds the old one any more
        assert len(self.server.asked) == 3

    def test_who_has_none_cannot_keep_others_from_having_theirs_renewed(self) -> None:
        """Anybody can ask for as many as may be got at once."""
        self.have_token(self.here)
        self.pass_time(70)
        for number in range(AT_ONCE):
            self.scene.ask(self.here, b"%d" % number)
        self.given(self.here)
        new = self.server.issue()
        assert self.given(self.here) == new
        self.server.refuse_all()

    def test_one_that_finds_too_many_at_once_is_tried_again(self) -> None:
        keys = [b"%d" % number for number in range(RENEWED_AT_ONCE + 1)]
        old = [self.have_token(self.here, key=key) for key in keys]
        self.pass_time(70)
        assert [self.given(self.here, key=key) for key in keys] == old
        assert len(self.server.asked) == 2 * len(keys) - 1
        self.server.issue()
        self.pass_time(5.1)
        assert self.given(self.here, key=keys[-1]) == old[-1]
        assert len(self.server.asked) == 2 * len(keys)
        self.server.refuse_all()

    def test_who_comes_after_the_end_waits_for_the_renewal(self) -> None:
        self.have_token(self.here)
        self.pass_time(85)
        self.given(self.here)
        self.pass_time(10)
        waiting = self.scene.ask(self.here)
        new = self.server.issue()
        assert self.successResultOf(waiting) == new
        assert len(self.server.asked) == 2

    def test_nothing_is_renewed_behind_a_callers_back_who_does_not_want_it(
        self,
    ) -> None:
        old = self.have_token(self.here)
        self.pass_time(80)
        assert self.given(self.here, ahead=False) == old
        assert len(self.server.asked) == 1

    def test_a_renewal_that_breaks_is_logged(self) -> None:
        old = self.have_token(self.here)
        self.pass_time(70)
        self.given(self.here)
        self.server.fail(ValueError("broken"))
        assert len(self.flushLoggedErrors(ValueError)) == 1
        assert self.given(self.here) == old
