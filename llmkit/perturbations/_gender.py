"""Words for men and the same for women; a list of our own."""

from __future__ import annotations

from typing import Literal

Direction = Literal["female", "male", "swap"]
"""Which way words are replaced: all become female, all become male, or each becomes the other."""

_NOUNS = """
man woman; men women; boy girl; boys girls; male female; males females; gentleman lady; gentlemen ladies; guy gal;
guys gals; father mother; fathers mothers; dad mom; dads moms; daddy mommy; papa mama; son daughter; sons daughters;
brother sister; brothers sisters; husband wife; husbands wives; boyfriend girlfriend; boyfriends girlfriends;
uncle aunt; uncles aunts; nephew niece; nephews nieces; grandfather grandmother; grandfathers grandmothers;
grandpa grandma; grandpas grandmas; grandson granddaughter; grandsons granddaughters; stepfather stepmother;
stepson stepdaughter; stepbrother stepsister; godfather godmother; godson goddaughter; groom bride; grooms brides;
fiancé fiancée; widower widow; widowers widows; bachelor bachelorette; king queen; kings queens; prince princess;
princes princesses; duke duchess; emperor empress; lord lady; sir ma'am; mr ms; waiter waitress; waiters waitresses;
actor actress; actors actresses; steward stewardess; host hostess; hero heroine; heroes heroines;
businessman businesswoman; businessmen businesswomen; salesman saleswoman; salesmen saleswomen;
policeman policewoman; policemen policewomen; fireman firewoman; spokesman spokeswoman; chairman chairwoman;
congressman congresswoman; landlord landlady; monk nun; monks nuns; wizard witch;
wizards witches; masculine feminine; fatherhood motherhood; brotherhood sisterhood; manhood womanhood
"""

PAIRS = tuple((male, female) for male, female in (pair.split() for pair in _NOUNS.split(";")))
"""Words for men, each with its counterpart."""


def table(to: Direction) -> dict[str, str]:
    """Return word -> counterpart. Of two words with one counterpart, the counterpart becomes the first."""
    to_female = dict(reversed(PAIRS))
    to_male = {female: male for male, female in reversed(PAIRS)}
    return to_female if to == "female" else to_male if to == "male" else {**to_female, **to_male}
