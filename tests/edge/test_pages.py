"""What the edge says where nobody else has said it."""

import pytest

from sso_proxy.edge.pages import render_page
from sso_proxy.pages import default_pages
from sso_proxy.testing.fakes import make_request

BROWSER = make_request(headers={"Accept": "text/html,*/*;q=0.8"}).head
PROGRAM = make_request(headers={"Accept": "application/json"}).head


@pytest.mark.parametrize("status", [400, 403, 503])
def test_a_status_is_a_page_or_problem_details(status: int) -> None:
    for head in (BROWSER, PROGRAM, None):
        made = render_page(status, "id-1", head)
        assert made == default_pages().error("", status, head, "id-1")
