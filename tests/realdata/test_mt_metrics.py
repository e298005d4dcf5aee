"""BLEU of WMT17's systems, of the E2E example, and TER and chrF beside sacreBLEU on the same texts."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sacrebleu.metrics import BLEU, CHRF, TER

from llmkit.metrics.bleu import Bleu
from llmkit.metrics.chrf import Chrf
from llmkit.metrics.ter import Ter
from llmkit.stats import paired_totals
from llmkit.types import Output, Sample, Skipped


def corpus(metric: Bleu | Chrf | Ter, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    rows = []
    for output, accepted in zip(outputs, references, strict=True):
        row = metric.stats(Sample("s", references=tuple(accepted)), Output("s", output))
        assert not isinstance(row, Skipped)
        rows.append(row)
    return metric.value([sum(column) for column in zip(*rows, strict=True)], len(rows))


def expected(shared_data: Path) -> dict[str, Any]:
    figures: dict[str, Any] = json.loads((shared_data / "mt_metrics" / "expected.json").read_text(encoding="utf-8"))
    return figures


def wmt17(shared_data: Path) -> list[dict[str, str]]:
    with gzip.open(shared_data / "mt_metrics" / "wmt17_en_de_systems.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def e2e(shared_data: Path) -> tuple[list[str], list[list[str]]]:
    folder = shared_data / "mt_metrics"
    outputs = (folder / "e2e_baseline-output.txt").read_text(encoding="utf-8").strip().split("\n")
    blocks = (folder / "e2e_devel-conc.txt").read_text(encoding="utf-8").strip().split("\n\n")
    # The outputs answer the first of the references' blocks.
    return outputs, [block.split("\n") for block in blocks[: len(outputs)]]


def test_bleu_of_all_sixteen_systems(shared_data: Path) -> None:
    figures = expected(shared_data)["wmt17 en-de corpus BLEU (sacrebleu 2.6.0, tokenize=none, texts are tokenised)"]
    rows = wmt17(shared_data)
    references = [[row["ref"]] for row in rows]
    assert len(rows) == 3004
    assert len(figures) == 16
    for system, figure in figures.items():
        name = system.removeprefix("newstest2017.")
        found = corpus(Bleu("none"), [row[name] for row in rows], references)
        assert found == pytest.approx(figure, abs=1e-4), system


@pytest.mark.slow
def test_paired_p_of_all_systems_are_those_of_moses_and_multeval(shared_data: Path) -> None:
    figures, rows, resamples = expected(shared_data), wmt17(shared_data), 10_000
    moses = figures["moses paired bootstrap p-values against the baseline (sacrebleu test)"]
    multeval = figures["multeval approximate randomisation p-values [BLEU, TER]"]
    baseline = figures["baseline system (first of the file)"].removeprefix("newstest2017.")
    stats = {name: wmt17_stats(rows, name) for name in rows[0] if name not in {"i", "ref"}}
    assert len(moses) == len(multeval) == len(stats) - 1 == 15
    for system, of_moses in moses.items():
        found = paired_totals(
            stats[baseline],
            stats[system.removeprefix("newstest2017.")],
            lambda totals: Bleu().value_many(totals, 1),
            resamples=resamples,
            seed=12345,
        )
        assert found is not None
        assert found.p is not None
        assert found.p_bootstrap is not None
        for mine, theirs in ((found.p, multeval[system][0]), (found.p_bootstrap, of_moses)):
            # Both are shares of about 10,000 random draws (Moses: 6,000).
            chance = 4 * math.sqrt(2 * max(mine * (1 - mine), 1 / resamples) / 6000)
            assert mine == pytest.approx(theirs, abs=chance), system


def wmt17_stats(rows: Sequence[dict[str, str]], name: str) -> Sequence[Sequence[float]]:
    found = []
    for row in rows:
        stats = Bleu("none").stats(Sample("s", references=(row["ref"],)), Output("s", row[name]))
        assert not isinstance(stats, Skipped)
        found.append(stats)
    return found


def test_bleu_with_references_that_vary_in_number(shared_data: Path) -> None:
    outputs, references = e2e(shared_data)
    assert len({len(accepted) for accepted in references}) > 1
    figures = expected(shared_data)
    found = corpus(Bleu(), outputs, references)
    assert found == pytest.approx(figures["e2e 10 instances, sacrebleu 13a, variable references"], abs=1e-9)
    assert corpus(Bleu(lowercase=True), outputs, references) == pytest.approx(figures["e2e lowercase"], abs=1e-9)


def test_wmt_texts_through_thirteen_a_chrf_and_ter_equal_sacrebleu(shared_data: Path) -> None:
    rows = wmt17(shared_data)[::15]
    outputs, references = [row["LIUM-NMT.4900.en-de"] for row in rows], [row["ref"] for row in rows]
    for mine, theirs in ((Bleu(), BLEU()), (Chrf(), CHRF()), (Chrf(word_order=2), CHRF(word_order=2)), (Ter(), TER())):
        score = theirs.corpus_score(outputs, [references]).score
        assert corpus(mine, outputs, [[reference] for reference in references]) == score
        assert mine.signature_for(1) == str(theirs.get_signature())
