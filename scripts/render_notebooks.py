"""The pages docs/notebooks/*.md: the notebooks with what they print and draw.

    TESTBED_DATA=DATA python -m scripts.render_notebooks

Runs every notebook from top to bottom, as the tests do, and writes it as a page: texts as they are,
code and what it printed in blocks, figures beside the page. The notebooks themselves are kept
without outputs; tests/test_site.py compares the code of the pages with theirs.
"""

import argparse
import base64
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS, PAGES = ROOT / "notebooks", ROOT / "docs" / "notebooks"
FIGURES = {"image/svg+xml": "svg", "image/png": "png"}
TEXTS = ("text/html", "text/markdown", "text/plain")
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def executed(path: Path) -> Any:
    """Return a notebook that was run in an empty folder, with its outputs."""
    import nbclient
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        nbclient.NotebookClient(notebook, timeout=3600, resources=resources).execute()
    return notebook


def page(notebook: Any, name: str, figures: Path) -> str:
    """Return a notebook as Markdown, and write its figures into a folder.

    Args:
        notebook: with outputs.
        name: of its file, without suffix; figures are called after it.
        figures: the folder of the page.
    """
    parts = [f"<!-- made by python -m scripts.render_notebooks from notebooks/{name}.ipynb -->"]
    drawn = 0
    for cell in notebook.cells:
        if cell["cell_type"] == "markdown":
            parts.append(cell["source"].strip())
            continue
        parts.append(f"```python\n{cell['source'].rstrip()}\n```")
        for output in joined(cell["outputs"]):
            kind, text = shown(output)
            if kind in FIGURES:
                drawn += 1
                file = f"{name}_{drawn}.{FIGURES[kind]}"
                whole = text.encode() if kind.startswith("image/svg") else base64.b64decode(text)
                (figures / file).write_bytes(whole)
                parts.append(f"![Output of the cell above.]({file})")
            elif kind == "text/html":
                # Of one piece: an empty line would end it.
                parts.append("\n".join(line for line in text.splitlines() if line.strip()))
            elif kind == "text/markdown":
                parts.append(text.strip())
            elif text.strip():
                parts.append(f"```text\n{ANSI.sub('', text).rstrip()}\n```")
    return "\n\n".join(parts) + "\n"


def joined(outputs: list[Any]) -> Iterator[Any]:
    """Yield outputs, what was printed in several pieces as one."""
    printed = ""
    for output in outputs:
        if output["output_type"] == "stream":
            # Bars and warnings on standard error are of the run.
            printed += output["text"] if output["name"] == "stdout" else ""
        elif output["data"].get("text/html", "").startswith("<pre"):
            printed += output["data"]["text/plain"].rstrip("\n") + "\n"  # a console's line
        else:
            yield {"output_type": "stream", "text": printed}
            printed = ""
            yield output
    yield {"output_type": "stream", "text": printed}


def shown(output: Any) -> tuple[str, str]:
    """Return the kind of an output that a page shows best, and its text."""
    if output["output_type"] == "stream":
        return "text/plain", output["text"]
    data = output["data"]
    kind = next(kind for kind in (*FIGURES, *TEXTS) if kind in data)
    return kind, data[kind]


def main() -> None:
    """Run the notebooks that are named, or all, and write their pages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="such as 01_quickstart; all if none is named")
    options = parser.parse_args()
    PAGES.mkdir(exist_ok=True)
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        if not options.names or path.stem in options.names:
            text = page(executed(path), path.stem, PAGES)
            (PAGES / f"{path.stem}.md").write_text(text, encoding="utf-8")
            print(PAGES / f"{path.stem}.md")


if __name__ == "__main__":
    main()
