"""The catalogue of proxies, from their records."""

from collections.abc import Iterator

from testbed.catalogue.registry import PROXIES
from testbed.catalogue.spec import GROUPS, ProxySpec

__all__ = ["proxies"]


def proxies() -> str:
    """Return one section a family that has proxies."""
    families = {group: [s for s in PROXIES.values() if s.group == group] for group in GROUPS}
    lines = [
        line
        for group, specs in families.items()
        for line in (_section(group, specs) if specs else ())
    ]
    return "\n".join([*lines, *_collections()])


def _section(group: str, specs: list[ProxySpec]) -> Iterator[str]:
    yield f"\n## {group}\n"
    yield f"{GROUPS[group].capitalize()}.\n"
    yield "| name | what | promises if | needs | cost | options | reference |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for spec in specs:
        options = ", ".join(f"`{name}={value}`" for name, value in spec.options.items()) or "–"
        cells = (spec.summary, spec.better, ", ".join(spec.needs) or "–", spec.cost)
        told = [cell.replace("|", "\\|") for cell in (*cells, options, spec.reference)]
        yield f"| `{spec.name}` | {' | '.join(told)} |"


def _collections() -> Iterator[str]:
    yield "\n## Collections\n"
    for word in sorted({word for spec in PROXIES.values() for word in spec.collections}):
        names = [f"`{spec.name}`" for spec in PROXIES.values() if word in spec.collections]
        yield f"`{word}`\n:   {', '.join(names)}\n"
