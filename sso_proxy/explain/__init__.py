"""Answers to "why?", by the code that runs."""
