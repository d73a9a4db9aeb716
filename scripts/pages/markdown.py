"""Plain text as Markdown."""

__all__ = ["plain"]


def plain(text: str) -> str:
    """Return a text so that Markdown shows its signs as they are."""
    for sign in "\\`*_[]|~":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("<", "&lt;").replace(">", "&gt;")
