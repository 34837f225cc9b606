"""Full text: what of a message is found, and the language in which it is asked for."""

from services.mail.domain.search.compiling import SearchQuery, compile_query
from services.mail.domain.search.lexemes import fold, vector

__all__ = ["SearchQuery", "compile_query", "fold", "vector"]
