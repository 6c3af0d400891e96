"""Questions about who may do what, as AuthZEN writes them (Authorization API 1.0)."""
