"""What MkDocs calls while it builds the site: pages from beside the code, and generated parts."""

from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

from scripts.pages.generated import filled
from scripts.pages.relinking import JOINING, ROOT, relinked, unplaced

# Pages of wide tables, which have no list of their headings beside them.
WIDE = ("at_initialisation.md", "other_papers.md", "study_500.md", "which_proxy.md")


def on_config(config: Any) -> Any:
    """Put the pages that the navigation does not name behind the others, so that none is lost."""
    docs = Path(config.docs_dir)
    pages = [path.relative_to(docs).as_posix() for path in docs.rglob("*.md")]
    if rest := unplaced(config.nav, pages):
        config.nav.append({"Further": rest})
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the documents that lie beside the code."""
    for place, page in JOINING.items():
        text = (ROOT / place).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Fill in the generated parts, and make links that hold on the site."""
    uri = page.file.src_uri
    if uri in WIDE:
        page.meta["hide"] = ["toc"]
    places = {joined: place for place, joined in JOINING.items()}
    return relinked(filled(markdown), places.get(uri, f"docs/{uri}"), uri)
