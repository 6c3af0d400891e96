"""
Request lines that need no further reading.

A request whose header section is the one before it, octet for octet, differs only in
its request line; if that has this form, it has exactly one reading, and its path is
canonical as it stands: no escape, no dot segment, no empty segment, no parameter.
"""

import re

_SEGMENT = rb"[A-Za-z0-9_~!$&'()*+,=:@-][A-Za-z0-9._~!$&'()*+,=:@-]*+"

read_repeat_line = re.compile(
    rb"(GET|HEAD|OPTIONS) (/(?:" + _SEGMENT + rb"/)*+(?:" + _SEGMENT + rb")?+)"
    rb"(\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*+)? HTTP/1\.1"
).fullmatch
"""Match a whole request line: method, path, and query with its ``?`` or None."""
