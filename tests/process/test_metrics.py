"""Several workers' metrics in one text."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from sso_proxy.process.metrics import merge_metrics

TEXT = """\
# HELP requests_total Requests.
# TYPE requests_total counter
requests_total{status="200"} 7.0
requests_total{status="500"} 1.0
# HELP open_connections Connections.
# TYPE open_connections gauge
open_connections 3.0
"""


def test_samples_of_a_family_stay_together() -> None:
    assert merge_metrics({1: TEXT, 2: TEXT}) == (
        "# HELP requests_total Requests.\n"
        "# TYPE requests_total counter\n"
        'requests_total{worker="1",status="200"} 7.0\n'
        'requests_total{worker="1",status="500"} 1.0\n'
        'requests_total{worker="2",status="200"} 7.0\n'
        'requests_total{worker="2",status="500"} 1.0\n'
        "# HELP open_connections Connections.\n"
        "# TYPE open_connections gauge\n"
        'open_connections{worker="1"} 3.0\n'
        'open_connections{worker="2"} 3.0\n'
    )


def test_empty_label_set_gets_no_comma() -> None:
    assert merge_metrics({1: "up{} 1\n"}) == 'up{worker="1"} 1\n'


def test_nobody_has_no_metrics() -> None:
    assert merge_metrics({}) == ""


@given(st.dictionaries(st.integers(1, 8), st.text("ab {}=,'#\x85\u2028", max_size=6)))
def test_label_values_survive(values: dict[int, str]) -> None:
    texts = {
        worker: f'# TYPE thing gauge\nthing{{name="{value}"}} 1\n'
        for worker, value in values.items()
    }
    families = text_string_to_metric_families(merge_metrics(texts))
    found = {
        int(sample.labels["worker"]): sample.labels["name"]
        for family in families
        for sample in family.samples
    }
    assert found == values
