"""
Pages that people see: errors, the choice of a login, a form that is sent again.

Templates and messages are files of this package; an operator may replace them.
"""

from sso_proxy.pages.kit import Pages
from sso_proxy.pages.load import default_pages, load_pages
from sso_proxy.pages.phrase import phrase_of

__all__ = ["Pages", "default_pages", "load_pages", "phrase_of"]
