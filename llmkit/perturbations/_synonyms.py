"""Words that can stand for each other almost everywhere; a list of our own, each line in one form."""

from __future__ import annotations

_GROUPS = """
big, large; bigger, larger; biggest, largest; huge, enormous, giant; tiny, minuscule; little, small; fast, quick, rapid;
faster, quicker; quickly, rapidly, swiftly; begin, start; begins, starts; began, started; beginning, starting;
end, finish; ends, finishes; ended, finished; buy, purchase; buys, purchases; bought, purchased; buying, purchasing;
help, assist; helps, assists; helped, assisted; helping, assisting; need, require; needs, requires; needed, required;
show, demonstrate; shows, demonstrates; showed, demonstrated; build, construct; builds, constructs; built, constructed;
get, obtain; gets, obtains; got, obtained; getting, obtaining; keep, retain; keeps, retains; kept, retained;
choose, select, pick; chooses, selects, picks; chose, selected, picked; choosing, selecting, picking;
try, attempt; tries, attempts; tried, attempted; trying, attempting; happen, occur; happens, occurs;
happened, occurred; happening, occurring; explain, clarify; explains, clarifies; explained, clarified;
allow, permit; allows, permits; allowed, permitted; allowing, permitting; ask, inquire; mend, repair, fix;
mended, repaired, fixed; reply, respond; replies, responds; replied, responded; gather, collect;
gathered, collected; receive, get; received, got; important, significant; difficult, hard; easy, simple; easily, simply;
easier, simpler; correct, right; incorrect, wrong; wealthy, rich; famous, renowned; strange, odd, peculiar;
smart, clever, intelligent; glad, happy; sad, unhappy; angry, furious; afraid, scared; error, mistake; errors, mistakes;
job, occupation; jobs, occupations; car, automobile; cars, automobiles; doctor, physician; doctors, physicians;
lawyer, attorney; lawyers, attorneys; child, kid; children, kids; movie, film; movies, films; shop, store;
shops, stores; street, road; town, city; towns, cities; trip, journey; trips, journeys; gift, present; gifts, presents;
picture, image; pictures, images; illness, sickness, disease; quantity, amount; aim, goal, objective;
aims, goals, objectives; method, approach; methods, approaches; answer, response; answers, responses;
often, frequently; rarely, seldom; usually, normally, typically; approximately, roughly; entirely, completely, fully;
maybe, perhaps; also, additionally; however, nevertheless; therefore, thus; entire, whole, complete; total, overall;
whole, entire; enough, sufficient; main, primary, principal; many, numerous; several, various; main, chief;
immediately, instantly; currently, presently; finally, eventually; previously, formerly, earlier; almost, nearly;
"""


def _read(groups: str) -> dict[str, tuple[str, ...]]:
    table: dict[str, tuple[str, ...]] = {}
    for group in filter(str.strip, groups.split(";")):
        words = [word.strip() for word in group.split(",")]
        for word in words:
            others = [other for other in words if other != word]
            table[word] = tuple(dict.fromkeys([*table.get(word, ()), *others]))
    return table


SYNONYMS = _read(_GROUPS)
"""Word -> its synonyms, all in lower case."""
