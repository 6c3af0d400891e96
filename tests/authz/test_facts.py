"""Each word of the grammar finds what it names, or nothing."""

from typing import Any

import attrs
import pytest

from sso_proxy.authz.facts import FACTS, Context, UndefinedError, make_getter
from sso_proxy.specs.expression_facts import LISTS, TEXTS, TRUTHS
from sso_proxy.specs.expression_tree import (
    CellOperand,
    ClaimOperand,
    FactOperand,
    Operand,
    PartOperand,
)
from sso_proxy.testing.fakes import make_certificate, make_identity, make_request

CERTIFICATE = make_certificate()
WITH_CERTIFICATE = attrs.evolve(
    make_request(certificate=CERTIFICATE), bindings=("certificate",)
)


def get(operand: Operand, path: str = "/", **context: Any) -> Any:  # noqa: ANN401
    identity = make_identity(
        scopes=["a"],
        claims={
            "acr": "gold",
            "amr": "mfa",
            "orgs": [{"id": 1, "roles": ["x"]}, {"id": 2}, "odd"],
            "code": "x1",
        },
    )
    request = WITH_CERTIFICATE
    request = attrs.evolve(request, head=attrs.evolve(request.head, path=path))
    return make_getter(operand, Context(**context))(identity, request)


def test_every_word_has_a_meaning() -> None:
    assert set(FACTS) == {*TEXTS, *LISTS, *TRUTHS}


@pytest.mark.parametrize("name", TEXTS)
def test_what_is_text_is_text(name: str) -> None:
    assert isinstance(get(FactOperand(name)), str)


@pytest.mark.parametrize("name", LISTS)
def test_what_is_a_list_is_a_list(name: str) -> None:
    assert isinstance(get(FactOperand(name)), list)


def test_without_a_certificate_nothing_of_it_can_be_told() -> None:
    for request in (make_request(), make_request(tls=False)):
        for name in FACTS:
            if name.startswith("certificate."):
                assert FACTS[name](make_identity(), request) is None


def test_one_way_to_authenticate_is_a_list_of_one() -> None:
    assert get(FactOperand("amr")) == ["mfa"]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (("orgs", 0, "id"), 1),
        (("orgs", 9, "id"), None),
        (("orgs", None, "id"), [1, 2]),
        (("orgs", None, "roles", None), ["x"]),
        (("orgs", None), [{"id": 1, "roles": ["x"]}, {"id": 2}, "odd"]),
        (("code", None), None),
        (("code", 0), None),
        (("orgs", "id"), None),
    ],
)
def test_claims_are_found_in_lists(path: Any, found: object) -> None:  # noqa: ANN401
    assert get(ClaimOperand(path)) == found


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/orders/17/items", "17"),
        ("/orders/a%20b", "a b"),
        ("/orders/%C3%BC", "\u00fc"),
        ("/orders/%FF", None),
        ("/orders/a%2Fb", None),
        ("/orders/a%5Cb", None),
        ("/orders/17;x=y", None),
        ("/orders/17%3Bx", None),
        ("/orders/a%0Ab", None),
        ("/orders/", None),
        ("/orders", None),
    ],
)
def test_a_named_part_is_a_segment_of_the_path(path: str, found: str | None) -> None:
    assert get(PartOperand("id"), path, template="/orders/{id}") == found


def test_a_part_that_the_template_has_twice_is_undefined() -> None:
    with pytest.raises(UndefinedError, match="more than one"):
        make_getter(PartOperand("a"), Context(template="/{a}/{a}/"))


def test_a_part_that_the_template_lacks_is_undefined() -> None:
    with pytest.raises(UndefinedError, match="its parts: id"):
        get(PartOperand("no"), template="/orders/{id}")


TABLES = {"codes": {"x1": {"country": "DE", "empty": ""}}}


def test_a_row_is_found_by_a_value() -> None:
    for key, country in ((("code",), "DE"), (("acr",), None), (("orgs",), None)):
        cell = CellOperand("codes", ClaimOperand(key), "country")
        assert get(cell, tables=TABLES) == country


@pytest.mark.parametrize(
    ("table", "column", "problem"),
    [("none", "a", "there are: codes"), ("codes", "a", "it has: country, empty")],
)
def test_a_table_that_is_not_there_is_undefined(
    table: str, column: str, problem: str
) -> None:
    with pytest.raises(UndefinedError, match=problem):
        get(CellOperand(table, ClaimOperand(("code",)), column), tables=TABLES)
