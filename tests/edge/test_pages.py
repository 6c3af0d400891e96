"""What people and programs are told."""

import json

import pytest

from sso_proxy.edge.pages import phrase_of, render_page
from sso_proxy.testing.fakes import make_request

BROWSER = make_request(headers={"Accept": "text/html,*/*;q=0.8"}).head
PROGRAM = make_request(headers={"Accept": "application/json"}).head


def test_a_browser_gets_a_page_that_runs_nothing() -> None:
    headers, body = render_page(403, "id-1", BROWSER)
    given = dict(headers)
    assert given["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in given["content-security-policy"]
    assert given["cache-control"] == "no-store"
    assert b"id-1" in body
    assert b"<script" not in body


@pytest.mark.parametrize("head", [PROGRAM, None])
def test_a_program_gets_problem_details(head: object) -> None:
    headers, body = render_page(503, "id-1", PROGRAM if head else None)
    assert dict(headers)["content-type"] == "application/problem+json"
    problem = json.loads(body)
    assert problem["status"] == 503
    assert problem["instance"] == "urn:request:id-1"


def test_an_id_is_escaped() -> None:
    _, body = render_page(400, "<script>", BROWSER)
    assert b"<script>" not in body


def test_a_status_without_a_name_has_a_phrase() -> None:
    assert phrase_of(404) == "Not Found"
    assert phrase_of(599) == "Status"
