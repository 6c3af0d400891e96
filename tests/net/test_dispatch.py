"""What has happened is taken in, then told, then answered, for a whole batch."""

from collections.abc import Callable

import attrs

from sso_proxy.net.dispatch import READ, WRITE, Descriptor, Writer, dispatch


@attrs.define
class Watching:
    """Who watches; nothing is watched here."""

    written: list[Writer] | None = None

    def watch(self, fd: int, events: int, descriptor: Descriptor) -> None: ...

    def change(self, fd: int, events: int) -> None: ...

    def forget(self, fd: int) -> None: ...

    def close(self) -> None: ...


@attrs.define(eq=False)
class Told:
    """Notes what it is told, and writes when it is."""

    name: str
    watching: Watching
    seen: list[str]
    takes: bool = True
    do: Callable[[], None] = lambda: None
    flushes: Callable[[], None] = lambda: None

    def take_in(self) -> bool:
        self.seen.append(f"{self.name} takes in")
        return self.takes

    def deliver(self) -> None:
        self.on_event(0)

    def on_event(self, events: int) -> None:
        self.seen.append(f"{self.name} hears {events}")
        assert self.watching.written is not None
        self.watching.written.append(self)
        self.do()

    def flush(self) -> None:
        self.seen.append(f"{self.name} sends")
        self.flushes()

    def abort(self) -> None:
        self.seen.append(f"{self.name} is closed")


def fails() -> None:
    raise ValueError("on purpose")


def scene() -> tuple[Watching, list[str], dict[int, Descriptor]]:
    watching, seen = Watching(), list[str]()
    descriptors: dict[int, Descriptor] = {
        number: Told(name, watching, seen) for number, name in ((4, "a"), (5, "b"))
    }
    return watching, seen, descriptors


def test_each_step_is_done_for_all_before_the_next() -> None:
    watching, seen, descriptors = scene()
    dispatch(watching, descriptors, [(4, READ), (5, READ)])
    steps = ("takes in", "hears 0", "sends")
    assert seen == [f"{name} {step}" for step in steps for name in "ab"]
    assert watching.written is None


def test_who_has_nothing_to_take_in_hears_what_has_happened() -> None:
    watching, seen, descriptors = scene()
    descriptors[4] = Told("a", watching, seen, takes=False)
    dispatch(watching, descriptors, [(4, READ), (5, READ | WRITE)])
    told = [f"a hears {READ}", f"b hears {READ | WRITE}"]
    assert seen == ["a takes in", *told, "a sends", "b sends"]


def test_who_is_forgotten_meanwhile_or_replaced_hears_nothing() -> None:
    watching, seen, descriptors = scene()
    descriptors[4] = Told("a", watching, seen, do=descriptors.clear)
    dispatch(watching, descriptors, [(4, WRITE), (5, WRITE)])
    other = Told("c", watching, seen)
    descriptors |= {
        4: Told("a", watching, seen, do=lambda: descriptors.update({5: other})),
        5: Told("b", watching, seen),
    }
    dispatch(watching, descriptors, [(4, WRITE), (5, WRITE)])
    assert seen == [f"a hears {WRITE}", "a sends"] * 2


def test_who_fails_is_closed_and_the_others_go_on() -> None:
    watching, seen, descriptors = scene()
    descriptors[4] = Told("a", watching, seen, do=fails, flushes=fails)
    dispatch(watching, descriptors, [(4, READ), (5, READ)])
    assert seen[2:] == [
        *("a hears 0", "a is closed", "b hears 0"),
        *("a sends", "a is closed", "b sends"),
    ]
