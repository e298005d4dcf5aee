"""Words and what can stand for them almost everywhere; a list of our own.

It goes one way: "difficult" may become "hard", but "hard" in "works hard" may not become "difficult".
"""

from __future__ import annotations

_PAIRS = """
big large; bigger larger; biggest largest; large big; larger bigger; largest biggest; huge enormous giant;
enormous huge; tiny minuscule; small little; quick fast rapid; rapid quick fast; faster quicker; quicker faster;
quickly rapidly swiftly; rapidly quickly swiftly; begin start; begins starts; began started; finishes ends;
buy purchase; buys purchases; bought purchased; buying purchasing; purchased bought; purchasing buying;
helps assists; helped assisted; helping assisting; assist help; assists helps; assisted helped;
build construct; built constructed; building constructing; construct build; constructed built; obtain get;
obtains gets; obtained got; retain keep; retained kept; choose select pick; chooses selects picks; chose selected;
choosing selecting; select choose pick; selecting choosing; try attempt; tries attempts; tried attempted;
trying attempting; attempt try; attempts tries; attempted tried; happen occur; happens occurs; happened occurred;
occur happen; occurs happens; occurred happened; explain clarify; explained clarified; clarify explain; allow permit;
allows permits; allowed permitted; allowing permitting; permitted allowed; gather collect; gathers collects;
gathered collected; collect gather; collects gathers; collected gathered; receive get; receives gets; received got;
inquire ask; inquired asked; repaired mended fixed; mended repaired; replied responded; responded replied;
demonstrate show; demonstrates shows; demonstrated showed; important significant; difficult hard; easy simple;
simple easy; easily simply; easier simpler; simpler easier; incorrect wrong; wealthy rich; rich wealthy;
famous renowned; renowned famous; strange odd peculiar; peculiar strange odd; smart clever intelligent;
clever smart intelligent; intelligent smart clever; glad happy; happy glad; sad unhappy; unhappy sad; angry furious;
furious angry; afraid scared; scared afraid; error mistake; errors mistakes; mistake error; mistakes errors;
occupation job; occupations jobs; car automobile; cars automobiles; automobile car; automobiles cars; doctor physician;
doctors physicians; physician doctor; physicians doctors; lawyer attorney; lawyers attorneys; attorney lawyer;
attorneys lawyers; child kid; children kids; kid child; kids children; movie film; movies films; street road;
streets roads; town city; towns cities; trip journey; trips journeys; journey trip; journeys trips; gift present;
gifts presents; picture image; pictures images; image picture; images pictures; illness sickness disease;
sickness illness; quantity amount; quantities amounts; objective goal aim; objectives goals aims; method approach;
methods approaches; response answer; responses answers; often frequently; frequently often; rarely seldom;
seldom rarely; usually normally typically; normally usually typically; typically usually normally;
approximately roughly; roughly approximately; entirely completely fully; completely entirely fully; maybe perhaps;
perhaps maybe; additionally also; however nevertheless; nevertheless however; therefore thus; thus therefore;
entire whole; whole entire; sufficient enough; primary main; principal main; numerous many; immediately instantly;
instantly immediately; currently presently; presently currently; eventually finally; previously formerly earlier;
formerly previously earlier; almost nearly; nearly almost; several various
"""


def _read(pairs: str) -> dict[str, tuple[str, ...]]:
    entries = (entry.split() for entry in pairs.split(";"))
    return {word: tuple(others) for word, *others in entries}


SYNONYMS = _read(_PAIRS)
"""Word -> what can stand for it, all in lower case."""
