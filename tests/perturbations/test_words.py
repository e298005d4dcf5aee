"""What each perturbation makes of sentences, and what its lists hold."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from llmkit import registry
from llmkit.errors import ConfigError
from llmkit.perturbations._gender import PAIRS
from llmkit.perturbations._misspellings import _PAIRS, MISSPELLINGS
from llmkit.perturbations._synonyms import SYNONYMS
from llmkit.perturbations.contractions import LONG, SHORT
from llmkit.perturbations.dialect import AAVE
from llmkit.perturbations.names import BERTRAND_MULLAINATHAN


def perturbed(spec: str, text: str, seed: int = 0) -> str:
    return str(registry.build("perturbations", spec).plugin.perturb(text, random.Random(seed)))


@pytest.mark.parametrize(
    ("spec", "text", "wanted"),
    [
        ("contractions", "I am sure. Do not ask who he is.", "I'm sure. Don't ask who he is."),
        ("contractions", "They are as they are and stay so.", "They're as they are and stay so."),
        ("contractions", "CANNOT STOP. You will not  believe it.", "CAN'T STOP. You'll not  believe it."),
        (
            "contractions(direction='expand')",
            "I\u2019m here; she's not. Let's go!",
            "I am here; she is not. Let us go!",
        ),
        ("contractions(direction='expand')", "CAN'T you? The dog's tail.", "CANNOT you? The dog's tail."),
        ("misspellings(rate=1)", "Receive RECEIVE receives.", "Recieve RECIEVE receives."),
        ("synonyms(rate=1)", "A Big dog began to WALK.", "A Large dog started to WALK."),
        ("dialect", "Because he is not trying to go.", "Cuz he ain't tryna go."),
        ("gender_terms", "The King's brother, a MAN.", "The Queen's sister, a WOMAN."),
        ("gender_terms(to='male')", "Aunt Ada and the kingdom of a queen.", "Uncle Ada and the kingdom of a king."),
        ("gender_terms(to='swap')", "Mothers, fathers and sons.", "Fathers, mothers and daughters."),
        ("gender_pronouns", "He's his own man; it is his.", "She's her own man; it is hers."),
        ("gender_pronouns(to='male')", "Her dog saw her at noon; hers.", "His dog saw him at noon; his."),
        ("gender_pronouns(to='swap')", "She told him that he'd won.", "He told her that she'd won."),
        ("gender_pronouns", "Heinz, the 'he-man', shed hissing.", "Heinz, the 'he-man', shed hissing."),
        ("lowercase", "Ask NASA.", "ask nasa."),
        ("typos(rate=0)", "Stay.", "Stay."),
        ("spaces(least=2, most=2)", "  a b\n  c", "  a  b\n  c"),
        ("filler(rate=0)", "a b", "a b"),
    ],
)
def test_sentences(spec: str, text: str, wanted: str) -> None:
    assert perturbed(spec, text) == wanted


def test_mild_mix_is_its_four_steps_with_one_stream_of_draws() -> None:
    text = "I do not believe that the Government will receive it."
    rng = random.Random(3)
    for spec in ("lowercase", "contractions", "misspellings(rate=0.1)", "spaces(most=3)"):
        text = registry.build("perturbations", spec).plugin.perturb(text, rng)
    assert perturbed("mild_mix", "I do not believe that the Government will receive it.", 3) == text


def test_names_are_the_same_everywhere_in_a_row_and_different_for_different_people() -> None:
    names = registry.build("perturbations", "names").plugin
    question, answer = names.perturb_all(["Greg's dog bit Emily. EMILY ran; Todd did not.", "Emily"], random.Random(1))
    man, _, _, woman, again, _, other, *_ = question.replace(".", "").replace(";", "").replace("'s", "").split(" ")
    assert woman in BERTRAND_MULLAINATHAN["black"]["female"]
    assert {man, other} < set(BERTRAND_MULLAINATHAN["black"]["male"])
    assert man != other
    assert (again, answer) == (woman.upper(), woman)
    assert question.startswith(f"{man}'s dog")


def test_names_of_the_other_groups_small_letters_and_unknown_words_stay() -> None:
    assert perturbed("names", "Aisha and todd met Otto Neilson.") == "Aisha and todd met Otto Neilson."
    back = perturbed("names(source='black', target='white')", "Aisha met Jamal.")
    assert back.split(" ")[0] in BERTRAND_MULLAINATHAN["white"]["female"]


def test_more_people_than_names_share_them(tmp_path: Path) -> None:
    (tmp_path / "names.json").write_text('{"here": ["Ann", "Bob", "Cid"], "there": ["Xi"]}')
    built = registry.build(
        "perturbations", "names(file='names.json', source='here', target='there', keep_gender=true)", base=tmp_path
    )
    assert built.plugin.perturb("Ann, Bob and Cid", random.Random(0)) == "Xi, Xi and Xi"
    assert built.plugin.files == (tmp_path / "names.json",)


@pytest.mark.parametrize(
    ("spec", "content", "message"),
    [
        ("names(target='grey')", None, "there are no names of the group 'grey'; there are: white, black"),
        ("names(file='f.json', source='a', target='b')", {"a": {"female": ["Ann"]}, "b": {"male": ["Bo"]}},
         "the group 'b' has no female names; write keep_gender: false"),
        ("names(file='f.json')", [], "is no JSON object with groups of first names"),
        ("names(file='f.json')", {"a": {"female": "Ann"}}, "'a' is not so"),
        ("names(file='none.json')", None, "none.json cannot be read: No such file or directory"),
        ("synonyms(file='f.json')", {"big": []}, "'big' is not so"),
        ("dialect(file='f.json')", "{", "f.json is no JSON file with words and their replacements"),
        ("spaces(least=0)", None, "least must be 1 or more, and most no less: not 0 to 3"),
        ("contractions(direction='both')", None, "expected"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(spec: str, content: object, message: str, tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(ConfigError) as caught:
        registry.build("perturbations", spec, base=tmp_path)
    assert message in "\n".join(map(str, caught.value.problems))


def test_a_list_of_the_users_own_takes_the_place_of_ours(tmp_path: Path) -> None:
    (tmp_path / "words.json").write_text(json.dumps({"credit card": "card", "IPO": ["listing"]}))
    built = registry.build("perturbations", "synonyms(rate=1, file='words.json')", base=tmp_path)
    assert built.plugin.perturb("A big Credit  card, an ipo.", random.Random(0)) == "A big Card, an listing."


def test_lists_are_long_enough_lower_case_and_hold_no_word_twice() -> None:
    assert len(MISSPELLINGS) >= 150
    assert _PAIRS.count(";") == len(MISSPELLINGS) - 1
    assert all(word == word.lower() and word not in wrong and wrong for word, wrong in MISSPELLINGS.items())
    assert all(len(others) >= 1 and word not in others for word, others in SYNONYMS.items())
    assert len(SYNONYMS) >= 150
    assert len({male for male, _ in PAIRS}) >= 70
    assert not {male for male, _ in PAIRS} & {female for _, female in PAIRS}
    assert len(AAVE) >= 70
    assert len(SHORT) > 60
    assert set(LONG) == {*SHORT.values(), "let's"}
    names = [name for genders in BERTRAND_MULLAINATHAN.values() for listed in genders.values() for name in listed]
    assert len(names) == len(set(names)) == 35
