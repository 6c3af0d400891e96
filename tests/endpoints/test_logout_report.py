"""What is known of a logout comes back as it was."""

from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.endpoints.logout_report import Report

told = st.lists(st.tuples(st.text(), st.text()), max_size=3).map(tuple)
reports = st.builds(
    Report,
    ended=st.booleans(),
    target=st.text(),
    confirmed=told,
    unknown=told,
    failed=st.booleans(),
)


@given(reports)
def test_a_report_comes_back_as_it_was(report: Report) -> None:
    assert Report.from_json(report.as_json()) == report


def test_what_was_tried_in_vain_counts_as_failed() -> None:
    report = Report(ended=True)

    assert not report.tell("corp", "tokens", done=True).failed
    assert report.tell("corp", "tokens", done=False).failed
    assert not report.admit("corp", "provider").failed


def test_statements_are_kept_apart() -> None:
    report = Report(ended=True).tell("a", "tokens", done=True).admit("b", "provider")

    assert report.confirmed == (("tokens", "a"),)
    assert report.unknown == (("provider", "b"),)
