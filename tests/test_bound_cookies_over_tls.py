"""
Cookies of applications over real TLS, in one process, with keys of both kinds.

`tests.test_etc_bound_cookies` has certificates alone, and processes of their own.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sso_proxy.testing.token_binding import BindingKey
from tests.support.binding_scene import Asking, BindingScene, binding_scene


@pytest.fixture(name="scene")
def make_scene(tmp_path: Path) -> Iterator[BindingScene]:
    with binding_scene(tmp_path) as scene:
        yield scene


def begin(client: Asking, host: str = "h") -> str:
    """Give the pair that *client* gets."""
    (field,) = client.prove(path="/cookies/", host=host).values("set-cookie")
    assert "s3cr" not in field
    assert field.lower().endswith("; path=/; secure")
    return field.partition(";")[0]


def bring(client: Asking, pair: str, host: str = "h") -> bytes:
    """Give what the application gets from *client*."""
    return client.prove(("Cookie", f"a=b; {pair}"), path="/cookies/", host=host).body


def test_a_cookie_is_good_with_its_key_on_every_connection(scene: BindingScene) -> None:
    alice = scene.connect()
    pair = begin(alice)
    for _ in range(3):
        assert bring(alice, pair) == b"a=b; own=s3cr"
        assert bring(scene.connect(), pair) == b"a=b"
    assert bring(scene.connect(key=alice.key), pair) == b"a=b; own=s3cr"
    assert bring(alice, "own=s3cr") == b"a=b"


def test_a_key_cannot_be_left_away(scene: BindingScene) -> None:
    pair = begin(scene.connect())
    for without in (scene.connect(offer=None), scene.connect(1, offer=None)):
        got = without.ask(("Cookie", f"a=b; {pair}"), path="/cookies/")
        assert got.body == b"a=b"
        plain = without.ask(("Cookie", "own=s3cr"), path="/cookies/")
        assert plain.body == b"own=s3cr"
        assert plain.values("set-cookie") == ["own=s3cr; Path=/"]


def test_a_cookie_that_is_bound_to_two_keys_needs_both(scene: BindingScene) -> None:
    host, key = "mtls.example", BindingKey.create()
    bob = scene.pki.issue("bob", client=True)
    alice = scene.connect(4, sni=host, certificate=scene.alice, key=key)
    pair = begin(alice, host)
    assert bring(alice, pair, host) == b"a=b; own=s3cr"
    other_key = scene.connect(4, sni=host, certificate=scene.alice)
    other_certificate = scene.connect(4, sni=host, certificate=bob, key=key)
    for thief in (other_key, other_certificate):
        assert bring(thief, pair, host) == b"a=b"
    again = scene.connect(4, sni=host, certificate=scene.alice, key=key)
    assert bring(again, pair, host) == b"a=b; own=s3cr"


def test_new_certificates_of_ours_and_a_reload_keep_it(scene: BindingScene) -> None:
    alice = scene.connect()
    pair = begin(alice)
    scene.write_certificate("second")
    scene.reload()
    assert bring(alice, pair) == b"a=b; own=s3cr"
    assert bring(scene.connect(key=alice.key), pair) == b"a=b; own=s3cr"
    assert bring(scene.connect(), pair) == b"a=b"
