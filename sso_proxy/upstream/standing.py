"""Whether one server is well, as far as its answers, and those to checks, say."""

import math

import attrs


@attrs.frozen(kw_only=True)
class Judging:
    """
    By what a server is judged; times in seconds.

    Attributes:
        failures: Requests that fail in a row before it is left alone.
        pause: How long.
        checked: Whether it is asked: then it comes back by its answers to that.
        rises: Good answers in a row after which it is well again.
        falls: Failed checks in a row after which it is down.
        slow_start: How long it gets less than its share after that.
    """

    failures: int = 3
    pause: float = 5.0
    checked: bool = False
    rises: int = 2
    falls: int = 3
    slow_start: float = 0.0


LEAST_SHARE = 0.05
"""Of its weight, what a server gets at least when it is back."""


class Standing:
    """
    What is known of one server.

    Methods that learn something return whether the server has gone down, or come back.

    Attributes:
        up: It gets requests.
        tries: Requests under way that were sent to try it out, while it was down.
        why: Why it is down; a short text without what others have said.
        since: Monotonic time since when it is up or down.
    """

    __slots__ = (
        "_back_at",
        "_failures",
        "_misses",
        "_passes",
        "_seen",
        "_try_at",
        "since",
        "tries",
        "up",
        "why",
    )

    def __init__(self, now: float) -> None:
        self.up = True
        self.tries = 0
        self.why = ""
        self.since = now
        self._failures = self._misses = self._passes = 0
        self._seen = False
        self._try_at = math.inf
        self._back_at = -math.inf

    def admits(self, now: float, judging: Judging) -> bool:
        """Say whether it may get a request; if it is down, that is a try."""
        if self.up:
            return True
        return not judging.checked and self._try_at <= now

    def begin_try(self, now: float, judging: Judging) -> None:
        """Learn that a request goes to it, and whether that tries it out."""
        if not self.up:
            self.tries += 1
            self._try_at = now + judging.pause  # this one may take its time

    def end_try(self, now: float) -> None:
        """Learn that nothing will come of a try."""
        self.tries -= 1
        if not self.up:
            self._try_at = now

    def share(self, now: float, judging: Judging) -> float:
        """Give what part of its weight counts."""
        passed, whole = now - self._back_at, judging.slow_start
        if passed >= whole:
            return 1.0
        return max(LEAST_SHARE, passed / whole)

    def is_slow(self, now: float, judging: Judging) -> bool:
        """Say whether it gets less than its share."""
        return self.up and now - self._back_at < judging.slow_start

    def succeeded(self, now: float, *, tried: bool = False) -> bool:
        """Learn that it has answered a request; *tried*: one that was a try."""
        self._failures = 0
        self._seen = True
        self.tries -= tried
        if self.up or not tried:  # what was sent before says nothing of its state now
            return False
        self._come_back(now)
        return True

    def failed(
        self, why: str, now: float, judging: Judging, *, tried: bool = False
    ) -> bool:
        """Learn that it has failed a request, whatever that was; *tried*: a try."""
        self._failures += 1
        self.tries -= tried
        if not self.up:
            if tried:
                self._try_at = now + judging.pause
            return False
        if self._failures < judging.failures:
            return False
        self._go_down(why, now, judging)
        return True

    def passed_check(self, now: float, judging: Judging) -> bool:
        """Learn that it has answered a check as it should."""
        self._misses = 0
        self._seen = True
        if self.up:
            return False
        self._passes += 1
        if self._passes < judging.rises:
            return False
        self._come_back(now)
        return True

    def missed_check(self, why: str, now: float, judging: Judging) -> bool:
        """Learn that it has not."""
        self._passes = 0
        self._misses += 1
        if not self.up:
            self.why = why
            return False
        # Nobody has ever seen it well: nothing is lost by believing this.
        if self._misses < judging.falls and self._seen:
            return False
        self._go_down(why, now, judging)
        return True

    def _go_down(self, why: str, now: float, judging: Judging) -> None:
        self.up = False
        self.why = why
        self.since = now
        self._passes = 0
        self._try_at = now + judging.pause

    def _come_back(self, now: float) -> None:
        self.up = True
        self.why = ""
        self.since = self._back_at = now
        self._failures = self._misses = 0
