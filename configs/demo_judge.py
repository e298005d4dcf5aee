"""A judge's model for `judged.yaml` that needs no key and no network: it counts words.

It shows how judges run and what they report. It is no judge to trust: it knows words and no meaning.
"""

import re

FENCE = re.compile(r"^<<<(?!end )(.+) ([0-9a-f]{12})>>>\n(.*?)\n<<<end \1 \2>>>$", re.DOTALL | re.MULTILINE)
RIGHT, PARTLY, SUPPORTED = 0.7, 0.3, 0.8


def words(text: str) -> set[str]:
    """Return the words of a text that are not among the most common ones."""
    common = {"the", "and", "that", "with", "for", "are", "not", "its"}
    return {word for word in re.findall(r"\w+", text.lower()) if len(word) > 1} - common


def share(of: str, within: str) -> float:
    """Return the share of one text's words that another one holds."""
    wanted = words(of)
    return len(wanted & words(within)) / len(wanted) if wanted else 0.0


def answer(prompt: str) -> str:
    """Answer a judge's prompt in the form it asks for."""
    material: dict[str, str] = {}
    for name, _, text in FENCE.findall(prompt):
        kind = re.sub(r" \d+$", "", name)
        material[kind] = f"{material.get(kind, '')}\n{text}".strip()
    if "claims of the text" in prompt:
        return claims(material["text"])
    if "items" in material:
        return verdicts(material["items"], material.get("passage", ""))
    best = share(material.get("reference answer", ""), material.get("answer", ""))
    level = "right" if best > RIGHT else "partly" if best > PARTLY else "wrong"
    return f"The answer holds {best:.0%} of the reference's words.\nVerdict: {level}"


def claims(text: str) -> str:
    """Return the sentences of a text as claims."""
    found = [part.strip() for part in re.split(r"(?<=[.!?])\s+|\n+", text) if words(part)]
    return "\n".join(f"{number}. {claim}" for number, claim in enumerate(found, 1)) or "none"


def verdicts(items: str, passages: str) -> str:
    """Return a yes for each item whose words mostly stand in the passages."""
    shares = [share(line.partition(". ")[2], passages) for line in items.splitlines()]
    return "\n".join(
        f"{number}: {'yes' if found > SUPPORTED else 'no'} - {found:.0%} of its words"
        for number, found in enumerate(shares, 1)
    )
