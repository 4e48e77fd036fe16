"""What users type: is it what it should be?"""

from .api.server import SOURCE_PREFIXES


def is_source(text: str) -> bool:
    """Tell whether a text names a source: server://<id> or provider://<id>."""
    identifier = text.partition("://")[2]
    return text.startswith(SOURCE_PREFIXES) and is_token(identifier)


def is_token(text: str) -> bool:
    """Tell whether a text can be a token: it has to fit into a header as it is."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text
