import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import capturedLogs
from twisted.trial.unittest import TestCase

from sso_proxy.model import ANONYMOUS, Caller
from sso_proxy.testing.fakes import make_certificate, make_identity, make_request
from sso_proxy.upstream.wire import AHEAD
from sso_proxy.upstream.wsgi import (
    Application,
    Environ,
    ErrorStream,
    HostedApplication,
    Threads,
    check_start,
    tell,
)
from tests.support.hosted import Asking, make_outgoing
from tests.support.running import eventually

Start = Callable[..., Any]
Headers = list[tuple[str, str]]

PLAIN = [("Content-Type", "text/plain")]


class Closing:
    """An answer's content that knows when it is closed."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        self.closed.set()


class ApplicationTests(TestCase):
    def setUp(self) -> None:
        from twisted.internet import reactor  # noqa: PLC0415, TID251

        self.reactor: Any = reactor
        self.environ: Environ = {}

    def serve(self, application: Application | None = None, depth: int = 0) -> Asking:
        hosted = HostedApplication(self.reactor, application or self.application)
        return Asking(self.reactor, hosted, depth)

    def application(self, environ: Environ, start: Start) -> Iterable[bytes]:
        self.environ = environ
        start("200 OK", PLAIN)
        return [b"read ", environ["wsgi.input"].read()]

    async def test_content_comes_and_goes(self) -> None:
        answer = await self.serve().ask("/", "POST", body=b"content")
        assert (answer.status, answer.body) == (200, b"read content")

    async def test_chunked_content_is_read_whole(self) -> None:
        asking = self.serve()
        chunked = make_outgoing("/", "POST", headers={"Transfer-Encoding": "chunked"})
        exchange = asking.begin(chunked, b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        await exchange.over
        assert exchange.body == b"read abcde"
        assert self.environ["CONTENT_LENGTH"] == ""
        assert self.environ["wsgi.input_terminated"] is True

    async def test_form_is_left_to_the_application(self) -> None:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await self.serve().ask("/", "POST", body=b"a=b", headers=form)
        assert answer.body == b"read a=b"

    async def test_environ_says_who_calls_and_how(self) -> None:
        request = make_request(certificate=make_certificate(), client="192.0.2.9")
        identity = make_identity(claims={"email": "a@example.com"})
        await self.serve().ask("/", request=request, identity=identity, user="alice")
        environ = self.environ
        assert environ["REMOTE_USER"] == "alice"
        assert environ["REMOTE_ADDR"] == "192.0.2.9"
        assert environ["wsgi.url_scheme"] == "https"
        assert environ["SERVER_PORT"] == "443"
        assert environ["sso_proxy.claims"] == {"email": "a@example.com"}
        assert environ["sso_proxy.tls"] is request.tls
        assert environ["sso_proxy.caller"].identity is identity

    async def test_environ_names_nobody_in_particular(self) -> None:
        nobody = make_identity(ANONYMOUS, issuer=ANONYMOUS)
        await self.serve().ask("/", identity=nobody, user="")
        assert "REMOTE_USER" not in self.environ

    async def test_scheme_is_the_clients_behind_a_trusted_terminator(self) -> None:
        await self.serve().ask("/", request=make_request(tls=False))
        assert self.environ["wsgi.url_scheme"] == "http"

    async def test_client_of_a_unix_socket_has_no_address(self) -> None:
        await self.serve().ask("/", request=make_request(client="unix"))
        assert self.environ["REMOTE_ADDR"] == ""

    async def test_path_is_split_where_the_route_ends(self) -> None:
        asking = self.serve(depth=2)
        for path, name, info in (
            ("/a/b/c%20d/e?q=1", "/a/b", "/c d/e"),
            ("/a/b/", "/a/b", "/"),
            ("/a/b", "/a/b", ""),
        ):
            await asking.ask(path)
            assert self.environ["SCRIPT_NAME"] == name
            assert self.environ["PATH_INFO"] == info
        await self.serve().ask("/")
        assert (self.environ["SCRIPT_NAME"], self.environ["PATH_INFO"]) == ("", "/")

    async def test_caller_of_a_repeated_request_has_its_own_path(self) -> None:
        await self.serve().ask("/new?x", "PUT", request=make_request(path="/old"))
        head = self.environ["sso_proxy.caller"].request.head
        assert (head.method, head.path, head.query) == ("PUT", "/new", "x")
        assert self.environ["sso_proxy.caller"].request.id == "id-1"

    async def test_application_that_raises_is_500(self) -> None:
        def raises(_: Environ, _start: Start) -> Iterable[bytes]:
            raise ValueError("no {format}")

        answer = await self.serve(raises).ask()
        assert answer.status == 500
        assert b"format" not in answer.body
        assert len(self.flushLoggedErrors(ValueError)) == 1

    async def test_application_that_raises_late_does_not_look_complete(self) -> None:
        def raises(_: Environ, start: Start) -> Iterator[bytes]:
            start("200 OK", PLAIN)
            yield b"some"
            raise ValueError("late")

        answer = await self.serve(raises).ask()
        assert (answer.body, answer.cut_for) == (b"some", "backend-cut")
        assert len(self.flushLoggedErrors(ValueError)) == 1

    async def test_application_that_never_starts_is_500(self) -> None:
        for content in ([], [b"x"]):
            answer = await self.serve(lambda _, __, c=content: c).ask()  # type: ignore[misc]
            assert answer.status == 500
            assert len(self.flushLoggedErrors(AssertionError)) == 1

    async def test_answer_that_cannot_be_sent_is_500(self) -> None:
        for status, headers in (
            ("200", PLAIN),
            ("abc def", PLAIN),
            ("200 OK", [("X-Name", "\u20ac")]),
            ("200 OK", [("X-Name", "a\r\nSet-Cookie: b")]),
        ):

            def answers(
                _: Environ,
                start: Start,
                status: str = status,
                headers: Headers = headers,
            ) -> Iterable[bytes]:
                start(status, headers)
                return []

            answer = await self.serve(answers).ask()
            assert answer.status == 500, status
            assert len(self.flushLoggedErrors(ValueError)) == 1

    async def test_field_name_that_is_none_is_answered_by_us(self) -> None:
        def answers(_: Environ, start: Start) -> Iterable[bytes]:
            start("200 OK", [("X Name", "x")])
            return []

        answer = await self.serve(answers).ask()
        assert answer.failed == (502, "backend-closed")
        self.flushLoggedErrors()

    async def test_shorter_content_than_announced_does_not_look_complete(self) -> None:
        def answers(_: Environ, start: Start) -> Iterable[bytes]:
            start("200 OK", [*PLAIN, ("Content-Length", "10")])
            return [b"abc"]

        assert (await self.serve(answers).ask()).cut_for == "backend-cut"

    async def test_answers_without_content_end(self) -> None:
        for method, status in (("HEAD", "200 OK"), ("GET", "304 Not Modified")):

            def answers(
                _: Environ, start: Start, status: str = status
            ) -> Iterable[bytes]:
                start(status, PLAIN)
                return [b"ignored"]

            answer = await self.serve(answers).ask("/", method)
            assert (f"{answer.status}", answer.body) == (status[:3], b"")

    async def test_write_callable_sends(self) -> None:
        def writes(_: Environ, start: Start) -> Iterable[bytes]:
            write = start("200 OK", PLAIN)
            write(b"a")
            write(b"b")
            return [b"c"]

        assert (await self.serve(writes).ask()).body == b"abc"

    async def test_content_is_closed(self) -> None:
        content = Closing(iter([b"a"]))

        def answers(_: Environ, start: Start) -> Iterable[bytes]:
            start("200 OK", PLAIN)
            return content

        await self.serve(answers).ask()
        assert content.closed.wait(5)

    async def test_application_waits_for_a_slow_client(self) -> None:
        made = []

        def pieces() -> Iterator[bytes]:
            for _ in range(64):
                made.append(1)
                yield bytes(AHEAD // 4)

        def answers(_: Environ, start: Start) -> Iterable[bytes]:
            start("200 OK", PLAIN)
            return pieces()

        asking = self.serve(answers)
        exchange = asking.begin(make_outgoing())
        exchange.full = True
        await deferLater(self.reactor, 0.2)
        assert len(made) < 10
        exchange.full = False
        asking.connection.resume()
        await exchange.over
        assert len(exchange.body) == 16 * AHEAD

    async def test_application_is_stopped_when_the_client_is_gone(self) -> None:
        def endless() -> Iterator[bytes]:
            while True:
                yield bytes(65536)

        content = Closing(endless())

        def answers(_: Environ, start: Start) -> Iterable[bytes]:
            start("200 OK", PLAIN)
            return content

        asking = self.serve(answers)
        exchange = asking.begin(make_outgoing())
        exchange.full = True
        await deferLater(self.reactor, 0.05)
        asking.connection.abandon()
        await self.until(content.closed.is_set)
        assert asking.upstream.counts() == (0, 0)

    async def test_application_that_takes_too_long_is_504(self) -> None:
        ended = threading.Event()

        def hangs(_: Environ, start: Start) -> Iterable[bytes]:
            ended.wait(5)
            start("200 OK", PLAIN)
            return []

        asking = self.serve(hangs)
        exchange = asking.begin(make_outgoing())
        asking.ticker.tick(61.0)
        assert exchange.failed == (504, "backend-timeout")
        ended.set()
        await deferLater(self.reactor, 0.05)

    async def until(self, true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 5
        while not true():
            assert time.monotonic() < deadline
            done: Deferred[None] = deferLater(self.reactor, 0.01)
            await done


def test_calls_run_at_the_same_time_up_to_a_number() -> None:
    threads = Threads(2)
    running, go = [], threading.Event()

    def call() -> None:
        running.append(threading.current_thread())
        go.wait(5)

    for _ in range(3):
        threads.callInThread(call)
    eventually(lambda: len(running) == 2, "two calls")
    assert all(thread.daemon for thread in running)
    go.set()
    eventually(lambda: len(running) == 3, "the third")
    assert running[2] in running[:2]


def test_call_is_never_left_behind_one_that_hangs() -> None:
    threads = Threads(20)
    go = threading.Event()
    done: list[int] = []
    for i in range(200):
        threads.callInThread(lambda i=i: done.append(i))  # type: ignore[misc]
        if i % 20 == 0 and i < 200:
            threads.callInThread(lambda: go.wait(5) and None)
    eventually(lambda: len(done) == 200, "all that do not hang")
    go.set()


def test_idle_threads_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sso_proxy.upstream.wsgi._IDLE", 0.01)
    threads, used = Threads(), []
    threads.callInThread(lambda: used.append(threading.current_thread()))
    eventually(lambda: bool(used) and not used[0].is_alive(), "the thread's end")
    threads.callInThread(lambda: used.append(threading.current_thread()))
    eventually(lambda: len(used) == 2, "a call in another thread")


def test_text_for_the_log_is_no_format() -> None:
    stream = ErrorStream("id-1")
    with capturedLogs() as said:
        stream.writelines(["{secret}", "\n"])
        stream.write("\n")
        stream.flush()
    assert [event["text"] for event in said] == ["{secret}"]
    assert "{secret}" not in said[0]["log_format"]


def test_user_in_environ_is_ours_alone() -> None:
    environ: dict[str, Any] = {"HTTP_X_REMOTE_USER": "x"}
    caller = Caller(request=make_request(), identity=None, user="")
    tell(environ, caller)
    assert "REMOTE_USER" not in environ
    assert environ["sso_proxy.claims"] == {}


def test_tokens_for_the_application_are_in_its_environ() -> None:
    environ: dict[str, Any] = {"HTTP_TOKEN": "forged"}
    caller = Caller(
        request=make_request(), identity=None, user="", environ={"TOKEN": "t0ken"}
    )
    tell(environ, caller)
    assert (environ["TOKEN"], environ["HTTP_TOKEN"]) == ("t0ken", "forged")
    assert "t0ken" not in repr(environ["sso_proxy.caller"])


@pytest.mark.parametrize(
    "status", ["", "200", "200 ", "20 OK", "2000 OK", "\u0662\u0660\u0660 OK"]
)
def test_status_has_three_digits_and_a_phrase(status: str) -> None:
    with pytest.raises(ValueError, match="status"):
        check_start(status, [])


def test_field_values_may_have_any_latin_1_text() -> None:
    check_start("200 OK", [("X-Name", "J\u00fcrgen\tA")])
