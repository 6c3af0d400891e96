"""XACML 3.0 in JSON: what a decision point is asked, and what it answers."""
