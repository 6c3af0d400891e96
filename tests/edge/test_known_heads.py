"""What is remembered of heads for connections that are alike, and how much of it."""

from collections.abc import Callable
from time import monotonic

import attrs
import pytest

from sso_proxy.edge import known as module
from sso_proxy.edge.known import Known, KnownHeads
from sso_proxy.edge.place import Place
from sso_proxy.model import ANONYMOUS, Caller
from sso_proxy.testing.fakes import make_identity
from tests.support.doubles import FakeUpstream, Scene, make_route
from tests.support.repeating import (
    admitted,
    asked_about,
    begin,
    request_of,
    scene_by_token,
    send,
)

ADMISSION = admitted()
PLACE = Place(Scene().facts)
OTHER_ROUTE = make_route(FakeUpstream(), path="/other/")


def known_head(rest: bytes, until: float = 60.0, issuer: str = "") -> Known:
    known = Known(rest, PLACE, ADMISSION.host_routes)
    identity = make_identity("x", issuer=issuer)
    caller = attrs.evolve(ADMISSION.caller, identity=identity)
    over = monotonic() + until
    known.add(attrs.evolve(ADMISSION, caller=caller, reuse_until=over))
    return known


def long_caller(path: str, query: str | None) -> Caller:
    caller = ADMISSION.caller
    head = attrs.evolve(caller.request.head, path=path, query=query)
    return attrs.evolve(caller, request=attrs.evolve(caller.request, head=head))


def rest_of(name: bytes) -> bytes:
    request = request_of(name)
    return request[request.index(b"\r\n") :]


def place_in(scene: Scene) -> Place:
    return scene.site.place_of(scene.facts)


def test_of_too_many_those_go_that_were_decided_on_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_HEADS", 3)
    heads = KnownHeads()
    for rest in (b"a", b"b", b"c", b"a", b"d"):
        heads.add(known_head(rest))
    assert heads.find(b"b", PLACE) is None
    assert all(heads.find(rest, PLACE) for rest in (b"a", b"c", b"d"))


def test_so_they_do_if_they_are_too_long_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    each = known_head(b"aaaa").octets
    monkeypatch.setattr(module, "MOST_OCTETS", 2 * each + 10)
    heads = KnownHeads()
    for rest in (b"aaaa", b"bbbb", b"aaaa", b"cccc"):
        heads.add(known_head(rest))
    assert heads.find(b"bbbb", PLACE) is None
    assert heads.find(b"aaaa", PLACE) is not None
    heads.add(known_head(b"d" * 100))
    assert len(heads) == 1


def test_what_was_decided_for_them_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller chooses paths, queries and routes, and what of them is remembered."""
    known = known_head(b"aaaa")
    monkeypatch.setattr(module, "MOST_OCTETS", 3 * known.octets)
    heads = KnownHeads()
    heads.add(known)
    heads.add(known_head(b"bbbb"))
    assert len(heads) == 2
    for _ in range(3):  # again, and on another route
        known.add(next(iter(known.admissions.values())))
        known.add(attrs.evolve(ADMISSION, route=OTHER_ROUTE, reuse_until=known.until))
        heads.add(known)
        assert len(heads) == 2
    caller = long_caller("/" + "a" * 8000, None)
    known.add(attrs.evolve(ADMISSION, route=OTHER_ROUTE, caller=caller))
    heads.add(known)
    assert len(heads) == 0
    heads.add(known_head(b"bbbb"))
    assert len(heads) == 1


@pytest.mark.parametrize(
    ("path", "query"), [("/" + "a" * 5000, None), ("/", "a" * 5000)]
)
def test_long_targets_take_room(path: str, query: str | None) -> None:
    short, long = known_head(b"a"), Known(b"a", PLACE, ADMISSION.host_routes)
    long.add(attrs.evolve(ADMISSION, caller=long_caller(path, query)))
    assert long.octets >= short.octets + 4990


def test_no_long_request_line_is_remembered() -> None:
    scene, line = scene_by_token(), b"GET /" + b"a" * 300 + b" HTTP/1.1"
    begin(scene, b"alice")
    other, _ = scene.connect()
    for _ in range(3):
        send(scene, other, request_of(b"alice", line))
        assert scene.backend.lines()[-1] == line
    assert asked_about(scene) == ["alice"]
    known = scene.site.rules.known.find(rest_of(b"alice"), place_in(scene))
    assert known is not None
    assert known.line == b""


@pytest.mark.parametrize(
    "change",
    [
        lambda scene: scene.site.adopt(scene.make_rules()),
        lambda scene: scene.site.decide_anew(),
    ],
)
def test_what_was_decided_by_rules_that_are_over_takes_no_room(
    change: Callable[[Scene], None],
) -> None:
    """A connection with a long answer under way knows old rules for hours."""
    scene = scene_by_token()
    old = scene.site.rules.known
    begin(scene, b"alice", b"bob")
    waiting, _ = scene.connect()
    waiting.receive(request_of(b"carol"))
    assert len(old) == 3
    change(scene)
    assert len(old) == 0
    old.add(known_head(b"late"))
    assert len(old) == 0
    begin(scene, b"alice")
    assert len(scene.site.rules.known) == 1
    scene.site.adopt(scene.site.rules)
    begin(scene, b"bob")
    assert len(scene.site.rules.known) == 2


def test_nobody_in_particular_takes_no_room_from_somebody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_OF_NOBODY", 2)
    heads = KnownHeads()
    heads.add(known_head(b"a"))
    for rest in (b"b", b"c", b"d"):
        heads.add(known_head(rest, issuer=ANONYMOUS))
    assert [heads.find(rest, PLACE) is None for rest in (b"a", b"b", b"c", b"d")] == [
        False,
        True,
        False,
        False,
    ]
    heads.add(known_head(b"c"))
    heads.add(known_head(b"e", issuer=ANONYMOUS))
    assert len(heads) == 4


def test_what_is_long_or_over_is_not_kept() -> None:
    heads = KnownHeads()
    heads.add(known_head(b"a" * (module.LONGEST + 1)))
    heads.add(known_head(b"b", until=0.0))
    assert len(heads) == 0


def test_what_is_over_is_forgotten() -> None:
    scene, now = Scene(), monotonic()
    heads = scene.site.rules.known
    for number in range(3):
        heads.add(known_head(b"%d" % number, until=10.0 * (number + 1)))
    scene.site.sweep(now + 15)
    assert len(heads) == 2
    scene.site.sweep(now + 45)
    assert len(heads) == 0


def test_places_are_forgotten_with_their_connections() -> None:
    scene = Scene()
    place = scene.site.place_of(scene.facts)
    assert scene.site.place_of(attrs.evolve(scene.facts)) is place
    other = attrs.evolve(scene.facts, peer="192.0.2.2")
    assert scene.site.place_of(other) is not place
    assert len(scene.site._places) == 1  # noqa: SLF001
