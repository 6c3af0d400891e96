"""Conditions and policies: may this pass."""
