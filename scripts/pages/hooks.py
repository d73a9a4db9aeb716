"""What MkDocs calls while it builds the site: pages from beside the code, and generated parts.

A document says ``<!-- generated: commands -->`` where the generated part of that name belongs.
"""

import re
from typing import Any

from mkdocs.structure.files import File, Files

from scripts.pages.columns import accuracy_columns, score_columns
from scripts.pages.commands import commands
from scripts.pages.proxies import proxies
from scripts.pages.relinking import JOINING, ROOT, relinked
from scripts.pages.store import store

GENERATED = {
    "accuracy_columns": accuracy_columns,
    "commands": commands,
    "proxies": proxies,
    "score_columns": score_columns,
    "store": store,
}


def on_files(files: Files, config: Any) -> Files:
    """Add the documents that lie beside the code."""
    for place, page in JOINING.items():
        text = (ROOT / place).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Fill in the generated parts, and make links that hold on the site."""
    uri = page.file.src_uri
    places = {joined: place for place, joined in JOINING.items()}
    filled = re.sub(r"^<!-- generated: (\w+) -->$", _part, markdown, flags=re.MULTILINE)
    return relinked(filled, places.get(uri, f"docs/{uri}"), uri)


def _part(mark: re.Match[str]) -> str:
    return GENERATED[mark[1]]()
