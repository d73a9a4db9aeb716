"""Tables in LaTeX, for the packages booktabs and longtable."""

import re
from collections.abc import Sequence

__all__ = ["escape", "table"]

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "[": "{[}", "]": "{]}",  # after a line's end they would be its options
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "τ": r"$\tau$", "ε": r"$\varepsilon$", "±": r"$\pm$", "×": r"$\times$", "−": "$-$",
    "–": "--", "→": r"$\to$", "’": "'", "†": r"$\dagger$", "≥": r"$\geq$",
    "ℓ": r"$\ell$", "∞": r"$\infty$", "…": r"\ldots{}", "`": r"\`{}",
    "-": "-{}",  # before another: two hyphens would be a dash
}  # fmt: skip
_PATTERN = re.compile(
    "|".join([*(re.escape(s) for s in _SPECIAL if s != "-"), "-(?=-)", r"[^\x20-\x7e\xa1-\xff]"])
)


def escape(text: str) -> str:
    r"""Return text that LaTeX prints as it stands: ``a_b`` becomes ``a\_b``.

    A letter beyond Latin-1, which LaTeX has no definition of by default, is printed as its code.
    """
    return _PATTERN.sub(lambda match: _SPECIAL.get(match[0]) or _code(match[0]), text)


def _code(letter: str) -> str:
    return rf"\texttt{{U+{ord(letter):04X}}}" if letter.isprintable() else " "


def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], caption: str, label: str,
    long: bool = False,
) -> str:  # fmt: skip
    """Return a table of LaTeX cells; the first column stands left, the others right.

    Args:
        header: the cells of the header, in LaTeX.
        rows: the cells of each row, in LaTeX, as many as the header has.
        caption: the caption in plain text.
        label: the name for ``\\ref``.
        long: whether the table may run over several pages (``longtable``).

    Raises:
        ValueError: if a row is not as long as the header.
    """
    if ragged := [row for row in rows if len(row) != len(header)]:
        raise ValueError(
            f"expected {len(header)} cells in a row; got {len(ragged[0])}: {ragged[0]}"
        )
    columns = "l" + "r" * (len(header) - 1)
    head = rf"{' & '.join(header)} \\"
    body = [rf"{' & '.join(row)} \\" for row in rows]
    said = rf"\caption{{{escape(caption)}}}"
    named = rf"\label{{{label}}}"
    if long:
        lines = [
            rf"\begin{{longtable}}{{@{{}}{columns}@{{}}}}", rf"{said}{named}\\", r"\toprule", head,
            r"\midrule", r"\endfirsthead", r"\toprule", head, r"\midrule", r"\endhead",
            r"\bottomrule", r"\endlastfoot", *body, r"\end{longtable}",
        ]  # fmt: skip
    else:
        lines = [
            r"\begin{table}", r"\centering", said, named,
            rf"\begin{{tabular}}{{@{{}}{columns}@{{}}}}",
            r"\toprule", head, r"\midrule", *body, r"\bottomrule", r"\end{tabular}", r"\end{table}",
        ]  # fmt: skip
    return "\n".join(lines) + "\n"
