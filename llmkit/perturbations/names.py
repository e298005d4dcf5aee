"""First names of one group for those of another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, ClassVar, Literal, TypeAlias

from llmkit.perturbations import perturbation
from llmkit.perturbations._words import check_rate, map_words, read_json

Groups: TypeAlias = Mapping[str, Mapping[str, tuple[str, ...]]]
"""Group -> gender -> names."""

BERTRAND_MULLAINATHAN: Groups = {
    "white": {
        "female": ("Allison", "Anne", "Carrie", "Emily", "Jill", "Kristen", "Laurie", "Meredith", "Sarah"),
        "male": ("Brad", "Brendan", "Brett", "Geoffrey", "Greg", "Jay", "Matthew", "Neil", "Todd"),
    },
    "black": {
        "female": ("Aisha", "Ebony", "Keisha", "Lakisha", "Latonya", "Latoya", "Tamika", "Tanisha"),
        "male": ("Darnell", "Hakim", "Jamal", "Jermaine", "Kareem", "Leroy", "Rasheed", "Tremayne", "Tyrone"),
    },
}
"""The names of Bertrand and Mullainathan 2004 (American Economic Review 94:991) without Kenya, a country too."""

_CONTENT = 'groups of first names, as {"group": {"female": ["Anna"], "male": ["Otto"]}} or {"group": ["Anna"]}'


@perturbation("names")
@dataclass(frozen=True)
class Names:
    """Replaces first names of one group of people by names of another.

    Effect: each name of the source group, with probability ``rate``, becomes a name of the target group: of the same
    gender where ``keep_gender``, the same name everywhere in a row, and different names for different people as long
    as there are any. Only words with a capital are names. The whole row is rewritten, with its contexts, choices and
    references, so that a right answer stays right.

    Use it to see whether a system serves people differently by what they are called. The built-in list holds 35 names
    that were sent to employers in Boston and Chicago in 2001 as white or Black: few, American, and telling of class
    too, so most texts have none of them; bring the names of the people you serve. Famous people lose their fame with
    their name, which is no unfairness. No drop does not show that a system is fair.

    Source: HELM's PersonNamePerturbation, white to Black first names at 1.0 with gender kept (Liang et al. 2022, arXiv
    2211.09110), which may give two people one name. Names: Bertrand and Mullainathan 2004 (doi
    10.1257/0002828042002561).

    Attributes:
        source: The group whose names are replaced.
        target: The group whose names take their place.
        rate: Probability that a name is replaced.
        keep_gender: Whether a name is replaced by one of the same gender.
        file: A JSON object of groups, in the place of the list: ``{"group": {"female": [...], "male": [...]}}``, or
            ``{"group": [...]}`` where gender is not kept.
    """

    source: str = "white"
    target: str = "black"
    rate: float = 1.0
    keep_gender: bool = True
    file: Path | None = None
    _genders: Mapping[str, str] = field(init=False, repr=False, compare=False, default_factory=dict)
    _targets: Mapping[str, tuple[str, ...]] = field(init=False, repr=False, compare=False, default_factory=dict)

    group: ClassVar[Literal["fairness"]] = "fairness"
    whole_row: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse a rate that is no probability and groups without names."""
        check_rate(self.rate)
        groups = BERTRAND_MULLAINATHAN if self.file is None else _read(self.file)
        for name in (self.source, self.target):
            if name not in groups:
                raise ValueError(f"there are no names of the group '{name}'; there are: {', '.join(groups)}")
        source, target = groups[self.source], groups[self.target]
        if not self.keep_gender:
            target = {gender: tuple(n for names in groups[self.target].values() for n in names) for gender in source}
        lacking = [gender for gender in source if not target.get(gender)]
        if lacking:
            raise ValueError(f"the group '{self.target}' has no {lacking[0]} names; write keep_gender: false")
        genders = {name.lower(): gender for gender, names in source.items() for name in names}
        object.__setattr__(self, "_genders", genders)
        object.__setattr__(self, "_targets", target)

    @property
    def files(self) -> tuple[Path, ...]:
        """The user's names, where there are any."""
        return () if self.file is None else (self.file,)

    def perturb(self, text: str, rng: Random) -> str:
        """Return the text with other names."""
        return self.perturb_all([text], rng)[0]

    def perturb_all(self, texts: list[str], rng: Random) -> list[str]:
        """Return the texts of one row with other names."""
        given: dict[str, str | None] = {}

        def other(name: str) -> str | None:
            known = name.lower()
            if known not in self._genders or not name[0].isupper():
                return None
            if known not in given:
                given[known] = self._drawn(self._genders[known], given, rng)
            return given[known]

        return [map_words(text, other) for text in texts]

    def _drawn(self, gender: str, given: Mapping[str, str | None], rng: Random) -> str | None:
        if rng.random() >= self.rate:
            return None
        names = self._targets[gender]
        return rng.choice([name for name in names if name not in given.values()] or names)


def _read(path: Path) -> Groups:
    found = read_json(path, _CONTENT)
    if not isinstance(found, dict):
        raise ValueError(f"{path} is no JSON object with {_CONTENT}")
    groups = {group: names if isinstance(names, dict) else {"any": names} for group, names in found.items()}
    for group, genders in groups.items():
        if not genders or not all(_are_names(names) for names in genders.values()):
            raise ValueError(f"{path} must hold {_CONTENT}; '{group}' is not so")
    return {group: {gender: tuple(names) for gender, names in genders.items()} for group, genders in groups.items()}


def _are_names(found: Any) -> bool:
    return isinstance(found, list) and bool(found) and all(isinstance(name, str) and name for name in found)
