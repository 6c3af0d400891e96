from sso_proxy.pages.phrase import phrase_of


def test_a_status_has_the_standards_words() -> None:
    assert phrase_of(404) == "Not Found"


def test_a_status_without_a_name_has_a_phrase() -> None:
    assert phrase_of(599) == "Status"
