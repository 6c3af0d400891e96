import os
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from sso_proxy.upstream.files import Directory
from tests.support.hosted import Asking, FakeExchange, make_outgoing


class DirectoryTests(TestCase):
    def setUp(self) -> None:
        from twisted.internet import reactor  # noqa: PLC0415, TID251

        above = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.root = above / "www"
        (self.root / "sub").mkdir(parents=True)
        (above / "secret.txt").write_text("secret")
        (above / "www-other").mkdir()
        (above / "www-other" / "secret.txt").write_text("secret")
        (self.root / "a.txt").write_bytes(b"0123456789")
        (self.root / "sub" / "index.html").write_text("<p>index</p>")
        self.reactor: Any = reactor
        self.asking = Asking(reactor, Directory(str(self.root)))

    async def get(self, path: str, **options: Any) -> FakeExchange:  # noqa: ANN401
        return await self.asking.ask(path, **options)

    async def test_file_is_served_with_its_type(self) -> None:
        answer = await self.get("/a.txt")
        assert (answer.status, answer.body) == (200, b"0123456789")
        assert answer.header("content-type") == "text/plain"
        assert answer.header("x-content-type-options") == "nosniff"
        assert answer.header("server") is None

    async def test_type_that_is_not_known_is_not_guessed(self) -> None:
        (self.root / "a.zzz").write_text("<script>")
        answer = await self.get("/a.zzz")
        assert answer.header("content-type") == "application/octet-stream"

    async def test_directory_without_index_is_not_listed(self) -> None:
        answer = await self.get("/")
        assert answer.status == 404
        assert b"a.txt" not in answer.body

    async def test_directory_shows_its_index(self) -> None:
        assert (await self.get("/sub/")).body == b"<p>index</p>"

    async def test_directory_without_slash_is_completed_on_the_same_site(self) -> None:
        answer = await self.get("/sub?x=1", headers={"X-Forwarded-Host": "evil"})
        assert (answer.status, answer.header("location")) == (301, "/sub/?x=1")

    async def test_no_path_leads_out(self) -> None:
        for path in (
            "/../secret.txt",
            "/%2e%2e/secret.txt",
            "/..%2Fsecret.txt",
            "/sub%2F..%2F..%2Fsecret.txt",
            "/sub/..%2f..%2fsecret.txt",
            "/..%5Csecret.txt",
            "/..%00/secret.txt",
            "/%2Fetc%2Fpasswd",
            "//etc/passwd",
            "/..%2Fwww-other%2Fsecret.txt",
            "/%FF",
        ):
            answer = await self.get(path)
            assert answer.status == 404, path
            assert b"secret" not in answer.body

    async def test_name_with_an_encoded_slash_is_no_path(self) -> None:
        assert (await self.get("/sub%2Findex.html")).status == 404

    async def test_links_to_the_outside_are_refused(self) -> None:
        (self.root / "file").symlink_to(self.root.parent / "secret.txt")
        (self.root / "dir").symlink_to(self.root.parent)
        (self.root / "beside").symlink_to(self.root.parent / "www-other")
        for path in ("/file", "/dir/secret.txt", "/dir/", "/beside/secret.txt"):
            assert (await self.get(path)).status == 404, path

    async def test_index_that_is_a_link_to_the_outside_is_refused(self) -> None:
        (self.root / "index.html").symlink_to(self.root.parent / "secret.txt")
        assert (await self.get("/")).status == 404

    async def test_links_inside_are_followed(self) -> None:
        (self.root / "link").symlink_to("a.txt")
        assert (await self.get("/link")).status == 200

    async def test_root_may_be_a_link(self) -> None:
        link = self.root.parent / "current"
        link.symlink_to("www")
        asking = Asking(self.reactor, Directory(str(link)))
        assert (await asking.ask("/a.txt")).status == 200

    async def test_hidden_files_are_not_served(self) -> None:
        (self.root / ".htpasswd").write_text("secret")
        (self.root / ".git").mkdir()
        (self.root / ".git" / "config").write_text("secret")
        for path in ("/.htpasswd", "/%2ehtpasswd", "/.git/config", "/.git/"):
            assert (await self.get(path)).status == 404, path

    async def test_pipe_is_not_opened(self) -> None:
        os.mkfifo(self.root / "pipe")
        assert (await self.get("/pipe")).status == 404

    async def test_file_is_no_directory(self) -> None:
        assert (await self.get("/a.txt/")).status == 404
        assert (await self.get("/a.txt/b")).status == 404

    async def test_head_tells_the_length_only(self) -> None:
        answer = await self.get("/a.txt", method="HEAD")
        assert (answer.status, answer.body) == (200, b"")
        assert answer.header("content-length") == "10"

    async def test_other_methods_are_refused(self) -> None:
        answer = await self.get("/a.txt", method="POST", body=b"x=1")
        assert answer.status == 405

    async def test_file_that_has_not_changed_is_not_sent_again(self) -> None:
        modified = (await self.get("/a.txt")).header("last-modified")
        answer = await self.get("/a.txt", headers={"If-Modified-Since": str(modified)})
        assert (answer.status, answer.body) == (304, b"")

    async def test_part_is_sent(self) -> None:
        for wanted, got in (("2-4", b"234"), ("7-", b"789"), ("-3", b"789")):
            answer = await self.get("/a.txt", headers={"Range": f"bytes={wanted}"})
            assert (answer.status, answer.body) == (206, got)
        answer = await self.get("/a.txt", headers={"Range": "bytes=2-4"})
        assert answer.header("content-range") == "bytes 2-4/10"

    async def test_part_beyond_the_end_does_not_exist(self) -> None:
        answer = await self.get("/a.txt", headers={"Range": "bytes=10-"})
        assert answer.status == 416
        assert answer.header("content-range") == "bytes */10"

    async def test_range_that_is_not_plain_gets_the_whole(self) -> None:
        for wanted in (
            "bytes=0-1,0-1",
            "bytes=0-,0-,0-",
            "bytes=-11",
            "bytes=-",
            "bytes=--5",
            "bytes=+1-2",
            "bytes=1_0-",
            "lines=1-2",
        ):
            answer = await self.get("/a.txt", headers={"Range": wanted})
            assert (answer.status, answer.body) == (200, b"0123456789"), wanted

    async def test_part_of_another_version_is_not_sent(self) -> None:
        modified = str((await self.get("/a.txt")).header("last-modified"))
        wanted = {"Range": "bytes=0-1"}
        answer = await self.get("/a.txt", headers={**wanted, "If-Range": modified})
        assert answer.status == 206
        old = {**wanted, "If-Range": "Thu, 01 Jan 1970 00:00:00 GMT"}
        assert (await self.get("/a.txt", headers=old)).status == 200

    async def test_large_file_is_sent_no_faster_than_it_is_read(self) -> None:
        (self.root / "big").write_bytes(bytes(5_000_000))
        exchange = self.asking.begin(make_outgoing("/big"))
        exchange.full = True
        await deferLater(self.reactor, 0.1)
        assert 0 < len(exchange.body) < 500_000
        exchange.full = False
        self.asking.connection.resume()
        await exchange.over
        assert len(exchange.body) == 5_000_000

    async def test_file_is_closed_when_the_client_is_gone(self) -> None:
        big = self.root / "big"
        big.write_bytes(bytes(5_000_000))
        exchange = self.asking.begin(make_outgoing("/big"))
        exchange.full = True
        await deferLater(self.reactor, 0.05)
        assert str(big) in opened()
        self.asking.connection.abandon()
        assert str(big) not in opened()
        assert self.asking.upstream.counts() == (0, 0)


def opened() -> list[str]:
    """Give the names of the files that this process has open."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found.append(str(entry.readlink()))
        except FileNotFoundError:
            continue
    return found
