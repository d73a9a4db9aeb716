"""The catalogue of proxies, from their records."""

from collections.abc import Iterator

from scripts.pages.markdown import plain
from testbed.catalogue.registry import PROXIES
from testbed.catalogue.spec import GROUPS, ProxySpec

__all__ = ["proxies"]

NONE = ("", "-", "–", "none")


def proxies() -> str:
    """Return one section a family that has proxies, and the collections."""
    families = {group: [s for s in PROXIES.values() if s.group == group] for group in GROUPS}
    lines = [
        line
        for group, specs in families.items()
        for line in (_section(group, specs) if specs else ())
    ]
    return "\n".join([*lines, *_collections()])


def _section(group: str, specs: list[ProxySpec]) -> Iterator[str]:
    yield f"\n## {group.capitalize()}\n"
    yield f"`{group}`: {plain(GROUPS[group])}.\n"
    for spec in specs:
        what = f"{plain(spec.summary)}; {spec.better} promises more.{_more(spec)}"
        yield f"`{spec.name}`\n:   {what}\n"


def _more(spec: ProxySpec) -> str:
    options = ", ".join(f"`{name}={value}`" for name, value in spec.options.items())
    told = {
        "Needs": ", ".join(spec.needs),
        "Cost": plain(spec.cost),
        "Options": options,
        "Source": plain(spec.reference),
    }
    return "".join(f" {what}: {text}." for what, text in told.items() if text not in NONE)


def _collections() -> Iterator[str]:
    yield "\n## Collections\n"
    for word in sorted({word for spec in PROXIES.values() for word in spec.collections}):
        names = [f"`{spec.name}`" for spec in PROXIES.values() if word in spec.collections]
        yield f"`{word}`\n:   {', '.join(names)}\n"
