"""How file names are written in messages."""


def printable(name: str) -> str:
    r"""Return a name that can be printed anywhere.

    File names may hold line breaks, terminal codes and, on Linux, bytes that are no UTF-8, which Python
    keeps as lone surrogates that no output accepts. All these are written as backslash escapes.

    Examples
    --------
    >>> printable("fist\udcff.jpg")
    'fist\\udcff.jpg'
    """
    if name.isprintable():
        return name
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in name)


def as_utf8(name: str) -> str:
    r"""Return a name with escapes such as ``\udcff`` for bytes that are no UTF-8."""
    return name.encode("utf-8", "backslashreplace").decode()
