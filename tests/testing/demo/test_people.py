from sso_proxy.testing.demo.people import PEOPLE


def test_people_are_told_apart() -> None:
    assert len({person.subject for person in PEOPLE.values()}) == len(PEOPLE) == 3
    assert all(key == person.key for key, person in PEOPLE.items())
