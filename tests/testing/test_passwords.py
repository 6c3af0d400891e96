"""The password checker for tests knows what it is told to."""

import pytest
from zope.interface.verify import verifyObject

from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IPasswordChecker
from sso_proxy.login import Account
from sso_proxy.testing.checks import outcome_of
from sso_proxy.testing.passwords import FakeChecker


def test_it_knows_its_passwords() -> None:
    checker = FakeChecker({"alice": "secret", "bob": ""})
    assert verifyObject(IPasswordChecker, checker)
    assert outcome_of(checker.check("alice", "secret")) == Account(subject="alice")
    assert outcome_of(checker.check("alice", "Secret")) is None
    assert outcome_of(checker.check("bob", "")) is None
    assert checker.asked == ["alice", "alice", "bob"]


def test_it_fails_as_it_is_told() -> None:
    checker = FakeChecker({}, error=UnavailableError("directory"))
    with pytest.raises(UnavailableError):
        outcome_of(checker.check("alice", "secret"))
