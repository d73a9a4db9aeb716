"""Which columns of the truth a table shows: chosen by name, by attack, or by default."""

from collections.abc import Iterable, Mapping, Sequence

from evaluation.ranking.score_columns import RankingError
from evaluation.truths.targets import Target
from testbed.basis.errors import did_you_mean
from testbed.basis.foreign_text import quoted

__all__ = ["DEFAULT_TARGETS", "choose_targets", "default_targets", "usual_targets"]

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
        chosen: names as :meth:`Target.parse` reads them (``fgsm@1``, ``FGSM@1``), or ``all``;
            None for `default_targets`, unless attacks are given.
        attacks: attacks or corruptions without ε or severity. ``fgsm`` is FGSM in every norm,
            ``fgsm@L2`` in one.

    Raises:
        RankingError: listing the known ones, if one is unknown, or none is chosen.
    """
    there = {Target.parse(name): name for name in known}
    if chosen is None:
        chosen = [] if attacks else default_targets(there.values())
    picked = []
    for word in chosen:
        if word.lower() == "all":
            picked += there.values()
        elif (target := _parsed(word)) in there:
            picked.append(there[target])
        else:
            raise RankingError(
                f"unknown target {quoted(word)}{_hint(target, word, there)}; known: all, "
                f"{_in_brief(there)}"
            )
    for word in attacks:
        members = [name for target, name in there.items() if _belongs(target, word)]
        if not members:
            known = _families(there)
            hint = did_you_mean(word, known)
            raise RankingError(f"unknown attack {quoted(word)}; known: {', '.join(known)}{hint}")
        picked += members
    if not picked:
        raise RankingError(f"no target chosen; known: all, {_in_brief(there)}")
    return list(dict.fromkeys(picked))


def default_targets(known: Iterable[str]) -> list[str]:
    """Return the targets that a table shows if none is chosen, in the order of the truth.

    Clean accuracy, all attacks and the mean corruption where these are no more than
    ``DEFAULT_TARGETS``. Else those of ``DEFAULT_TARGETS`` and, of an attack that is not among
    them, its ε in the middle, so that no attack of a truth is passed over. All of a few where
    there is no attack, and all where there are single corruptions only.
    """
    there = {name: Target.parse(name) for name in known}
    attacks: dict[str, list[str]] = {}
    for name, target in there.items():
        if target.is_attack and target.level is not None:
            attacks.setdefault(target.family.key, []).append(name)
    usual = [name for name in there if name in DEFAULT_TARGETS]
    every = {*usual, *(name for names in attacks.values() for name in names)}
    if not attacks and len(there) <= len(DEFAULT_TARGETS):
        return list(there)
    if len(every) <= len(DEFAULT_TARGETS):
        return [name for name in there if name in every] or list(there)
    middles = [n[(len(n) - 1) // 2] for n in attacks.values() if not set(n) & set(usual)]
    return [name for name in there if name in {*usual, *middles}]


def usual_targets(targets: Sequence[str]) -> list[str]:
    """Return those of the default choice and those without a level, such as means; else all."""
    usual = [t for t in targets if t in DEFAULT_TARGETS or Target.parse(t).level is None]
    return usual if len(usual) > 1 else list(targets)


def _parsed(word: str) -> Target | None:
    try:
        return Target.parse(word)
    except ValueError:
        return None


def _hint(target: Target | None, word: str, there: Mapping[Target, str]) -> str:
    """Return what may have been meant: an ε in the other unit, or a name like this one."""
    if target is None:
        return did_you_mean(word, there.values())
    if target.meant is not None:
        return f" (ε is in units of 1/255: is {target.meant.key} meant?)"
    if target.is_attack:  # a name that is known, though not here
        return ""
    families = list(dict.fromkeys(other.family.key for other in there))
    return "" if target.family.key in families else did_you_mean(target.family.key, families)


def _belongs(target: Target, word: str) -> bool:
    """Say whether a target is of an attack or a corruption; in any norm if none is named."""
    wanted = _parsed(word)
    if target.level is None or wanted is None or wanted.level is not None:
        return False
    named = "@" in word or "(" in word
    return target.name == wanted.name and (not named or target.norm == wanted.norm)


def _families(targets: Iterable[Target]) -> list[str]:
    found = (target.family.key for target in targets if target.level is not None)
    return list(dict.fromkeys(found))


def _in_brief(targets: Iterable[Target]) -> str:
    """Return the known targets on one line: ``clean, fgsm@{0.1,0.5,1}, …``."""
    levels: dict[str, list[str]] = {}
    for target in targets:
        found = levels.setdefault(target.family.key, [])
        found += [] if target.level is None else [f"{target.level:g}"]
    return ", ".join(f"{k}@{{{','.join(v)}}}" if v else k for k, v in levels.items())
