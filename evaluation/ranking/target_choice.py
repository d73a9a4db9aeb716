"""Which columns of the truth a table shows: chosen by name, by attack, or by default."""

from collections.abc import Iterable, Sequence

from evaluation.ranking.score_columns import RankingError
from evaluation.truths.published import title

__all__ = ["DEFAULT_TARGETS", "choose_targets"]

DEFAULT_TARGETS = (
    *("clean", "fgsm@1", "fgsm@4", "fgsm@8", "pgd@0.5", "pgd@1", "pgd@2"),
    *("apgd@0.5", "apgd@1", "square@1", "square@2", "square@4", "mean corruption"),
)


def choose_targets(
    known: Iterable[str], chosen: Sequence[str] | None = None, attacks: Sequence[str] = ()
) -> list[str]:
    """Return names of targets, each once: the chosen ones, then all of the given attacks.

    Args:
        known: the columns of :meth:`Truth.targets`.
        chosen: names as in the columns or as in print (``FGSM@1``), in any case, or ``all``;
            None for ``DEFAULT_TARGETS``, as far as they are there, unless attacks are given.
        attacks: attacks or corruptions without ε or severity (``fgsm``, ``fog``).

    Raises:
        RankingError: listing the known ones, if one is unknown, or none is chosen.
    """
    known = list(known)
    if chosen is None:
        chosen = [] if attacks else [name for name in DEFAULT_TARGETS if name in known]
    names = {form.lower(): name for name in known for form in (name, title(name))}
    members: dict[str, list[str]] = {}
    for form, name in names.items():
        members.setdefault(form.rpartition("@")[0], []).append(name)
    members.pop("", None)
    picked = []
    for word in chosen:
        if word.lower() != "all" and word.lower() not in names:
            raise RankingError(f"unknown target {word!r}; known: all, {_in_brief(known)}")
        picked += known if word.lower() == "all" else [names[word.lower()]]
    for word in attacks:
        if word.lower() not in members:
            raise RankingError(f"unknown attack {word!r}; known: {', '.join(members)}")
        picked += members[word.lower()]
    if not picked:
        raise RankingError(f"no target chosen; known: all, {_in_brief(known)}")
    return list(dict.fromkeys(picked))


def _in_brief(known: Iterable[str]) -> str:
    """Return the known targets on one line: ``clean, fgsm@{0.1,0.5,1}, …``."""
    values: dict[str, list[str]] = {}
    for name in known:
        head, _, value = name.rpartition("@")
        values.setdefault(head or name, []).extend([value] if head else [])
    return ", ".join(f"{k}@{{{','.join(v)}}}" if v else k for k, v in values.items())
