"""OpenID Connect, as the side that logs people in."""
