"""Names as the standards spell them; a wrong letter makes another protocol."""

from sso_proxy.specs.wstrust import names


def test_actions_are_those_of_the_standard() -> None:
    """WS-Trust 1.3 sections 4 and 7: the URIs that each binding uses."""
    base = "http://docs.oasis-open.org/ws-sx/ws-trust/200512"
    assert {
        "issue": f"{base}/RST/Issue",
        "validate": f"{base}/RST/Validate",
    } == names.ACTIONS
    assert f"{base}/RSTRC/IssueFinal" in names.REPLIES["issue"]
    assert f"{base}/RSTR/ValidateFinal" in names.REPLIES["validate"]
    assert names.KEY_TYPES["bearer"] == f"{base}/Bearer"
    assert (
        f"{base}/status/valid",
        f"{base}/status/invalid",
    ) == (names.VALID, names.INVALID)


def test_both_names_of_a_saml_type_mean_the_same_assertions() -> None:
    profile = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1"
    assert names.SAML_TYPES[f"{profile}#SAMLV2.0"] == names.SAML2
    assert names.SAML_TYPES[f"{profile}#SAMLV1.1"] == names.SAML1
    assert names.SAML_TYPES[names.SAML2] == names.SAML2
