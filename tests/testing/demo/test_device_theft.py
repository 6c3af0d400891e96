"""What the demo takes for a theft that came to nothing, where devices prove a key."""

import pytest

from sso_proxy.testing.demo.device_theft import DEVICE_THEFTS, DeviceTheft


@pytest.mark.parametrize("theft", DEVICE_THEFTS, ids=lambda theft: theft.check.title)
def test_a_copy_is_good_until_the_proof_is_over(theft: DeviceTheft) -> None:
    """Whoever changes the demo must not turn it round."""
    over = theft.stolen and theft.later
    assert (theft.check.status == 200) is not over


def test_its_owner_goes_on_after_the_theft() -> None:
    *_, thief, owner = DEVICE_THEFTS
    assert (thief.stolen, thief.later) == (True, True)
    assert (owner.stolen, owner.later) == (False, True)
