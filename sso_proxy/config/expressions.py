"""Regular expressions that an operator writes."""

from typing import Any

import re2


def compile_expression(text: str) -> Any:  # noqa: ANN401
    """
    Compile *text* as RE2, which needs time linear in the string, whatever it is.

    Raises:
        ValueError: It is none.
    """
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(text, options=options)
    except re2.error as e:
        problem = e.args[0]
        if isinstance(problem, bytes):
            problem = problem.decode(errors="replace")
        raise ValueError(f"{text!r} is no RE2 expression: {problem}") from e
