"""OpenID Authentication 2.0, the relying party's rules."""
