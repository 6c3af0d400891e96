"""Each table is read for itself."""

from pathlib import Path

import pytest

from sso_proxy.config.draft import read_draft

LISTENER = {"address": "::1", "port": 1}


def test_table_with_a_mistake_does_not_hide_the_others() -> None:
    raw = {"listener": [LISTENER, {"address": 1}, LISTENER], "route": [{}]}
    draft = read_draft(raw, Path("/etc"))
    assert [listener.path for listener in draft.listeners] == [
        "listener[0]",
        "listener[2]",
    ]
    assert {mistake.path for mistake in draft.mistakes} == {
        "listener[1].address",
        "route[0].host",
        "route[0].authenticate",
        "route[0].backend",
    }


def test_absent_server_has_its_defaults() -> None:
    draft = read_draft({}, Path("/etc"))
    assert draft.server is not None
    assert draft.server.value.workers == 1


def test_tables_of_the_wrong_shape_are_told() -> None:
    raw = {
        "server": 1,
        "listener": {},
        "route": [1],
        "mapper": [],
        "authenticator": {"x": 2},
        "key_ring": "f",
    }
    found = {m.path: m.problem for m in read_draft(raw, Path("/etc")).mistakes}
    assert found == {
        "server": "must be a table, not an integer",
        "listener": "must be written, as [[listener]]",
        "route[0]": "must be a table, not an integer",
        "mapper": "must be written as [mapper.NAME]",
        "authenticator.x": "must be a table, not an integer",
        "key_ring": "must be a table, not a string",
    }


def test_unknown_table_gets_the_one_that_may_be_meant() -> None:
    mistakes = read_draft({"rout": []}, Path("/etc")).mistakes
    assert "did you mean 'route'" in next(
        m.problem for m in mistakes if m.path == "rout"
    )


def test_names_are_known_though_their_tables_have_mistakes() -> None:
    draft = read_draft({"mapper": {"a": {}, "b": {"type": "static"}}}, Path("/etc"))
    assert draft.names == {"mapper": frozenset({"a", "b"})}
    assert list(draft.mappers) == ["b"]


def test_the_name_of_a_binding_is_its_type() -> None:
    tables = {"dpop": {"max_age": 5}, "device": {"type": "acme:Device"}}
    draft = read_draft({"binding": tables}, Path("/etc"))
    assert draft.bindings["dpop"].value.type == "dpop"
    assert draft.bindings["dpop"].value.options == {"max_age": 5}
    assert draft.bindings["device"].value.type == "acme:Device"


@pytest.mark.parametrize(
    ("binding", "path"), [([], "binding"), ({"dpop": 1}, "binding.dpop")]
)
def test_bindings_of_the_wrong_shape_are_told(binding: object, path: str) -> None:
    draft = read_draft({"binding": binding}, Path("/etc"))
    assert path in [mistake.path for mistake in draft.mistakes]


def test_components_know_where_their_files_start() -> None:
    draft = read_draft({"mapper": {"b": {"type": "static"}}}, Path("/etc"))
    assert draft.mappers["b"].value.directory == "/etc"
