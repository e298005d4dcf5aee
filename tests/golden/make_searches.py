"""Write searches.json: what GNU grep finds, for `contains` and `regex_match`.

    python tests/golden/make_searches.py

``-F`` looks for a text, ``-w`` for it as a whole word, ``-P`` for a Perl pattern, ``-x`` where it covers the whole line,
``-i`` whatever the case. Ran with GNU grep 3.8 in the locale C.UTF-8.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

LINES = (
    "The answer is Paris.", "paris", "not Paris, but Lyon", "Parisian", "42", "about 4.2 km", "4x2", "2024-05-17",
    "on 17/05/2024", "née Dupont", "NÉE", "a+b", "aab", "(Paris)", "I am sorry, I can't.", "", " ", "the end", "end the",
)  # fmt: skip
TEXTS = ("Paris", "paris", "4.2", "a+b", "end", "née", "I", "the")
PATTERNS = (
    r"Paris",
    r"\d{4}-\d\d-\d\d",
    r"4.2",
    r"^[a-zA-Z]+$",
    r"(?i)sorry",
    r"a+b",
    r"^the|the$",
    r"[^ ]+",
    r"n[eé]e",
    r"\bend\b",
)


def grep(flags: str, pattern: str) -> list[int]:
    """Return for each line whether grep finds the pattern in it: 1 or 0."""
    environment = os.environ | {"LC_ALL": "C.UTF-8"}
    found = []
    for line in LINES:
        done = subprocess.run(
            ["grep", "-q", flags, "--", pattern], input=f"{line}\n".encode(), env=environment, check=False
        )
        found.append(int(done.returncode == 0))
    return found


def main() -> None:
    said = subprocess.run(["grep", "--version"], capture_output=True, text=True, check=True).stdout
    golden = {
        "made_with": said.splitlines()[0],
        "lines": LINES,
        "contains": {flags: {text: grep(flags, text) for text in TEXTS} for flags in ("-F", "-Fi", "-Fiw")},
        "regex": {flags: {pattern: grep(flags, pattern) for pattern in PATTERNS} for flags in ("-P", "-Pi", "-Px")},
    }
    place = Path(__file__).with_name("searches.json")
    place.write_text(json.dumps(golden, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
