"""Names of XACML 3.0, against the text of its appendix B."""

from sso_proxy.specs.xacml import names


def test_categories_are_those_of_the_standard() -> None:
    """Subjects are of version 1.0, what came later is of 3.0."""
    subjects = "urn:oasis:names:tc:xacml:1.0:subject-category"
    others = "urn:oasis:names:tc:xacml:3.0:attribute-category"
    assert {
        "subject": f"{subjects}:access-subject",
        "resource": f"{others}:resource",
        "action": f"{others}:action",
        "environment": f"{others}:environment",
        "recipient-subject": f"{subjects}:recipient-subject",
        "intermediary-subject": f"{subjects}:intermediary-subject",
        "codebase": f"{subjects}:codebase",
        "requesting-machine": f"{subjects}:requesting-machine",
    } == names.CATEGORIES


def test_data_types_are_those_of_their_versions() -> None:
    """Names of people came with 1.0, addresses with 2.0, the rest is XML Schema's."""
    own = {
        name: uri
        for name, uri in names.DATA_TYPES.items()
        if not uri.startswith("http://www.w3.org/2001/XMLSchema#")
    }
    data_types = "urn:oasis:names:tc:xacml:{}:data-type:{}"
    assert own == {
        "rfc822Name": data_types.format("1.0", "rfc822Name"),
        "x500Name": data_types.format("1.0", "x500Name"),
        "ipAddress": data_types.format("2.0", "ipAddress"),
        "dnsName": data_types.format("2.0", "dnsName"),
    }
    assert all(uri.endswith(name) for name, uri in names.DATA_TYPES.items())


def test_status_codes_have_short_names() -> None:
    """They stand in audit records."""
    ok = "urn:oasis:names:tc:xacml:1.0:status:ok"
    assert ok == names.OK
    assert names.STATUS[ok] == "ok"
    assert len(names.STATUS) == 4
