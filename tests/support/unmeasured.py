"""
Tests that make up their values run without being measured.

They run the same lines a hundred times and more, each of which takes almost twice as
long under coverage; and a line that only they reach lacks its example.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def unmeasured() -> Iterator[None]:
    """Measure nothing of what this thread runs meanwhile."""
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(tracer)
