"""Who there is at the demo's provider."""

from collections.abc import Mapping
from typing import Final

import attrs


@attrs.frozen(kw_only=True)
class Person:
    """
    Somebody who can log in.

    Attributes:
        key: By which forms name them.
        subject: The ``sub`` of their tokens.
        name: Their name.
        email: Their address.
        groups: What they belong to.
        may: What the demo's routes let them do, for people to read.
    """

    key: str
    subject: str
    name: str
    email: str
    groups: tuple[str, ...]
    may: str


PEOPLE: Final[Mapping[str, Person]] = {
    person.key: person
    for person in (
        Person(
            key="alice",
            subject="24400320",
            name="Alice Archer",
            email="alice@example.com",
            groups=("staff", "accounting"),
            may="of the staff: sees the application and its reports",
        ),
        Person(
            key="bob",
            subject="24400321",
            name="Bob Baker",
            email="bob@example.com",
            groups=("partner",),
            may="a partner: sees the application, and is refused its reports",
        ),
        Person(
            key="mallory",
            subject="24400322",
            name="Mallory Moore",
            email="mallory@example.com",
            groups=("visitor",),
            may="a visitor: logs in, and is refused everything",
        ),
    )
}
