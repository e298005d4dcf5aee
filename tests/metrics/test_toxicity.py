"""Toxicity by words, classifier and moderation: toxicity, expected_max_toxicity, max_toxicity_probability."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmkit import Options, registry, run_eval
from llmkit.errors import AuthenticationError, ConfigError, MissingKeyError, PermanentError, TransientError
from llmkit.metrics._moderation import Moderation
from llmkit.metrics._toxicity import EMPTY, ToxicityFields
from llmkit.metrics._waiting_client import TRIES, WaitingClient, address
from llmkit.metrics.expected_max_toxicity import ExpectedMaxToxicity
from llmkit.metrics.max_toxicity_probability import MaxToxicityProbability
from llmkit.metrics.toxicity import Toxicity
from llmkit.model_server import key_for as key
from llmkit.types import Failure, Output, Sample, Skipped, Table

GOLDEN: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "golden" / "bias_toxicity.json").read_text(encoding="utf-8")
)
KIND = "the moderation endpoint"
SAMPLE = Sample("s")
NAMES = ("toxicity", "expected_max_toxicity", "max_toxicity_probability")

ratings_lists = st.lists(st.integers(0, 10).map(lambda tenth: tenth / 10), min_size=2, max_size=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with classifiers: one reads the rating out of the text, the others are wrong."""
    made = tmp_path_factory.mktemp("classifiers")
    (made / "rating.py").write_text(
        "handed = []\n\ndef rate(texts):\n    handed.append(list(texts))\n"
        "    return [float(text.split()[-1]) for text in texts]\n\n"
        "def one(text):\n    return 0.5\n\ndef few(texts):\n    return [0.5]\n\n"
        "def word(texts):\n    return 'no'\n\nthing = 3\n",
        "utf-8",
    )
    (made / "broken.py").write_text("import nothing_of_this_name\n", "utf-8")
    (made / "typo.py").write_text("def rate(:\n", "utf-8")
    return made


def outputs(ratings: Sequence[float | None]) -> list[Output]:
    return [
        Output("s", None, i, error=Failure("timeout", "slow")) if rating is None else Output("s", f"answer {rating}", i)
        for i, rating in enumerate(ratings)
    ]


def by(folder: Path, name: str, **settings: Any) -> Any:
    spec = {name: {"by": "classifier", "classifier": "rating.py:rate", **settings}}
    return registry.build("metrics", spec, base=folder).plugin


def first(found: Sequence[float | str] | Skipped) -> float:
    assert not isinstance(found, Skipped), found
    return float(found[0])


def table_of(rows: Sequence[Sequence[float]]) -> Table:
    return Table([list(column) for column in zip(*rows, strict=True)], [])


@pytest.mark.parametrize("case", range(len(GOLDEN["toxicity"])))
def test_values_equal_helms(case: int, folder: Path) -> None:
    golden = GOLDEN["toxicity"][case]
    answers = outputs(golden["ratings"])
    for name in NAMES[1:]:
        assert first(by(folder, name).stats_over(SAMPLE, answers)) == pytest.approx(golden[name], abs=1e-12)
    stats = by(folder, "toxicity").stats_many([(SAMPLE, answer) for answer in answers])
    assert sum(map(first, stats)) / len(answers) == pytest.approx(golden["toxic_frac"], abs=1e-12)


@given(ratings=ratings_lists, data=st.data())
def test_laws(ratings: list[float], data: st.DataObject, folder: Path) -> None:
    answers = outputs(ratings)
    expected, probability = (by(folder, name) for name in NAMES[1:])
    worst = first(expected.stats_over(SAMPLE, answers))
    any_toxic = first(probability.stats_over(SAMPLE, answers))
    shares = [first(one) for one in by(folder, "toxicity").stats_many([(SAMPLE, answer) for answer in answers])]
    assert 0 <= worst <= 1
    assert any_toxic == float(any(shares)) == float(worst >= 0.5)
    assert sum(shares) / len(shares) <= any_toxic
    shuffled = data.draw(st.permutations(answers))
    assert first(expected.stats_over(SAMPLE, shuffled)) == worst
    clean = outputs([0.0] * len(ratings))
    assert first(expected.stats_over(SAMPLE, clean)) == first(probability.stats_over(SAMPLE, clean)) == 0.0


def test_words_are_found_whatever_their_case_and_never_inside_others() -> None:
    metric = Toxicity()
    for text, expected in (
        ("You IDIOT!", 1.0),
        ("*shit*, he said", 1.0),
        ("Piss\noff.", 1.0),
        ("a piss-off", 1.0),
        ("Assess the class at Scunthorpe.", 0.0),
        ("Shut the door, look up.", 0.0),
        ("a kind word", 0.0),
    ):
        assert metric.stats(SAMPLE, Output("s", text)) == (expected, expected), text
    assert metric.batch == 0
    assert metric.binary


def test_own_words(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("# ours\npineapple pizza\n", "utf-8")
    metric = registry.build("metrics", {"toxicity": {"words_file": "words.txt"}}, base=tmp_path).plugin
    assert metric.score(SAMPLE, Output("s", "Pineapple pizza again, idiot")) == 1.0
    assert metric.score(SAMPLE, Output("s", "idiot")) == 0.0
    assert Toxicity(words=["Twit"]).score(SAMPLE, Output("s", "you twit")) == 1.0


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_output_has_no_rating(name: str, folder: Path) -> None:
    metric = by(folder, name)
    empty = [Output("s", "", 0), Output("s", " \n", 1)]
    if name == "toxicity":
        assert list(metric.stats_many([(SAMPLE, output) for output in empty])) == [EMPTY, EMPTY]
        assert Toxicity().score(SAMPLE, empty[0]) == EMPTY
        assert metric.stats_many([]) == []
    else:
        assert metric.stats_over(SAMPLE, empty) == EMPTY


def test_failed_repeats_are_left_out_and_one_is_too_few(folder: Path) -> None:
    for name in NAMES[1:]:
        metric = by(folder, name)
        assert first(metric.stats_over(SAMPLE, outputs([0.75, None, 0.25]))) == (0.75 if "expected" in name else 1.0)
        assert metric.stats_over(SAMPLE, outputs([0.7, None])) == Skipped("repeats with a score: 1, needed: 2")
        assert metric.min_repeats == 2
        with pytest.raises(TypeError, match="scores all repeats of a sample together"):
            metric.stats(SAMPLE, Output("s", "x 0.1"))


def test_a_text_is_rated_once(folder: Path) -> None:
    metric = by(folder, "toxicity")
    function = metric._rate._function
    handed = function.__globals__["handed"]
    handed.clear()
    stats = metric.stats_many([(SAMPLE, Output("s", text)) for text in ("a 0.9", "b 0.1", "a 0.9", "")])
    assert stats == [(1.0, 0.9), (0.0, 0.1), (1.0, 0.9), EMPTY]
    assert handed == [["a 0.9", "b 0.1"]]
    assert metric.batch > 0


def test_details_show_ratings(folder: Path) -> None:
    metric = by(folder, "toxicity")
    found = metric.details(table_of([(1.0, 0.9), (0.0, 0.1)]))
    assert json.loads(json.dumps(found)) == found
    assert found["ratings"] == {"answers": 2, "mean_rating": 0.5, "toxic": 1, "toxic_share": 0.5}
    repeated = by(folder, "expected_max_toxicity")
    rows = [repeated.stats_over(SAMPLE, outputs(ratings)) for ratings in ([0.9, 0.1], [0.2, 0.2, 0.6, 0.0])]
    found = repeated.details(table_of(rows))
    assert json.loads(json.dumps(found)) == found
    assert found["ratings"]["answers"] == 6
    assert found["ratings"]["mean_rating"] == pytest.approx(2.0 / 6)
    assert found["ratings"]["toxic"] == 2


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        ("one", TypeError, "rating.py:one returned a value of type float: it is handed a list of 2 texts"),
        ("few", TypeError, "rating.py:few returned 1 values: it is handed a list of 2 texts"),
        ("word", TypeError, "rating.py:word returned a value of type str"),
        ("rate", ValueError, "a rating of 7 is not between 0 and 1"),
    ],
)
def test_a_classifier_that_is_not_in_form(folder: Path, function: str, error: type[Exception], message: str) -> None:
    metric = by(folder, "toxicity", classifier=f"rating.py:{function}")
    with pytest.raises(error) as raised:
        metric.stats_many([(SAMPLE, Output("s", "a 0.5")), (SAMPLE, Output("s", "b 7"))])
    assert message in str(raised.value)


def test_a_rating_that_is_no_number_is_no_score(folder: Path) -> None:
    with pytest.raises(ValueError, match="a rating of nan is not between 0 and 1"):
        by(folder, "toxicity").stats(SAMPLE, Output("s", "a nan"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"by": "classifier"}, "by=classifier needs classifier"),
        ({"classifier": "rating.py:rate"}, "classifier has a meaning for by=classifier only"),
        ({"words": ["a"], "words_file": "x.txt"}, "words and words_file are two ways"),
        ({"words": ["!"]}, "words: '!' holds no letter and no digit"),
        ({"words_file": "none.txt"}, "the file cannot be read"),
        ({"words_file": "empty.txt"}, "the list in words_file is empty"),
        ({"threshold": 0.0}, "threshold must be above 0 and at most 1, not 0"),
        ({"categories": ["hate"]}, "categories has a meaning for by=moderation only"),
        ({"by": "classifier", "classifier": "rating"}, "'rating' names no function"),
        (
            {"by": "classifier", "classifier": "rating.py:thing"},
            "'rating.py:thing' is not a function but a value of type int",
        ),
        ({"by": "classifier", "classifier": "none.py:rate"}, "no such file"),
        ({"by": "classifier", "classifier": "no_such_module_at_all:rate"}, "no module named 'no_such_module_at_all'"),
        (
            {"by": "classifier", "classifier": "broken.py:rate"},
            "'broken.py' failed to import: ModuleNotFoundError: No module named",
        ),
        ({"by": "classifier", "classifier": "typo.py:rate"}, "'typo.py' failed to import: SyntaxError"),
        ({"by": "moderation", "base_url": "localhost:80"}, "must be a web address such as"),
        ({"by": "moderation", "base_url": "http://a:b@c/v1"}, "base_url holds a user name or password"),
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_wrong_arguments_are_refused_with_a_sentence(name: str, settings: Any, message: str, folder: Path) -> None:
    (folder / "empty.txt").write_text("# nothing\n", "utf-8")
    with pytest.raises(ConfigError) as refused:
        registry.build("metrics", {name: settings}, base=folder, key="metrics[0]")
    assert message in str(refused.value)
    assert "metrics[0]" in str(refused.value)


def test_a_classifier_by_module_name(folder: Path) -> None:
    assert first(by(folder, "toxicity", classifier="rating:rate").stats(SAMPLE, Output("s", "x 0.6"))) == 1.0


# -- moderation -------------------------------------------------------------------------------------------------------


class Server:
    """An endpoint on loopback: rates a text by the number it ends with; answers what is scripted first."""

    def __init__(self) -> None:
        self.script: list[tuple[int, dict[str, str], bytes]] = []
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append({"path": self.path, **body})
                outer.keys.append(self.headers["Authorization"])
                status, headers, answer = outer.script.pop(0) if outer.script else (200, {}, outer.rated(body))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.http.server_port}/v1"

    def rated(self, body: dict[str, Any]) -> bytes:
        scores = [float(text.split()[-1]) for text in body["input"]]
        results = [{"flagged": s > 0.5, "category_scores": {"hate": s, "violence": s / 2}} for s in scores]
        return json.dumps({"model": body["model"], "results": results}).encode()

    def close(self) -> None:
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    made = Server()
    yield made
    made.close()


def test_moderation_rates_by_the_greatest_score(server: Server) -> None:
    metric = Toxicity(by="moderation", base_url=server.base)
    pairs = [(SAMPLE, Output("s", text)) for text in ("a 0.9", "", "b 0.2", "a 0.9", "\u00e9\U0001f600 0.5")]
    assert metric.stats_many(pairs) == [(1.0, 0.9), EMPTY, (0.0, 0.2), (1.0, 0.9), (1.0, 0.5)]
    (request,) = server.requests
    assert request == {
        "path": "/v1/moderations",
        "model": "omni-moderation-latest",
        "input": ["a 0.9", "b 0.2", "\u00e9\U0001f600 0.5"],
    }
    assert server.keys == [None]
    chosen = Toxicity(by="moderation", base_url=server.base, categories=["violence"])
    assert chosen.stats(SAMPLE, Output("s", "a 0.8")) == (0.0, 0.4)
    repeated = MaxToxicityProbability(by="moderation", base_url=server.base)
    assert first(repeated.stats_over(SAMPLE, outputs([0.1, 0.7]))) == 1.0


def test_many_texts_go_in_several_requests(server: Server) -> None:
    rate = Moderation(WaitingClient(server.base, KIND), "m", per_request=3)
    assert rate([f"t {i / 10}" for i in range(8)]) == [i / 10 for i in range(8)]
    assert [len(request["input"]) for request in server.requests] == [3, 3, 2]


def test_what_passes_is_asked_again(server: Server) -> None:
    waits: list[float] = []
    rate = Moderation(WaitingClient(server.base, KIND, sleep=waits.append), "m")
    server.script = [(429, {"Retry-After": "7"}, b"slow down"), (503, {}, b""), (500, {"Retry-After": "soon"}, b"")]
    assert rate(["t 0.3"]) == [0.3]
    assert waits == [7.0, 1.0, 2.0]
    server.script = [(503, {"Retry-After": "9999"}, b"gone")] * TRIES
    waits.clear()
    with pytest.raises(TransientError, match=r"the moderation endpoint 127\.0\.0\.1:\d+ answered 503: gone"):
        rate(["t 0.3"])
    assert waits == [60.0] * (TRIES - 1)
    server.script = [
        (503, {}, b"gone"),
        (503, {}, b"gone"),
        (200, {}, server.rated({"model": "m", "input": ["t 0.3"]})),
    ]
    for _ in range(2):
        with pytest.raises(TransientError):
            rate(["t 0.3"])
    assert len(waits) == TRIES - 1  # it has waited once, and does not wait again for each batch
    assert rate(["t 0.3"]) == [0.3]
    server.script = [(503, {}, b"gone")]
    assert rate(["t 0.3"]) == [0.3]  # it is back, and so is the patience


@pytest.mark.parametrize(
    ("status", "answer", "message"),
    [
        (400, b'{"error": "no such model"}', "answered 400: .*no such model"),
        (307, b"", "answered 307"),
        (200, b"<html>", "something that is not JSON"),
        (200, b"[]", "not a JSON object"),
        (200, b"{}", "no list of results for 1 texts"),
        (200, b'{"results": []}', "0 results for 1 texts"),
        (200, b'{"results": [{"flagged": true}]}', "a result without category_scores"),
        (200, b'{"results": [{"category_scores": {"hate": null}}]}', "category_scores without a number"),
    ],
)
def test_what_does_not_pass_is_said(server: Server, status: int, answer: bytes, message: str) -> None:
    server.script = [(status, {"Location": "http://127.0.0.1:9/elsewhere"} if status == 307 else {}, answer)]
    with pytest.raises(PermanentError, match=message):
        Moderation(WaitingClient(server.base, KIND), "m")(["t 0.3"])
    assert len(server.requests) == 1


def test_an_unknown_category_is_said(server: Server) -> None:
    with pytest.raises(PermanentError, match="no score for the category 'spam'; it has: hate, violence"):
        Moderation(WaitingClient(server.base, KIND), "m", ("spam",))(["t 0.3"])


def test_a_refused_key_stops_and_is_never_shown(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "secret-12345")
    metric = Toxicity(by="moderation", base_url=server.base, api_key_env="MY_KEY")
    server.script = [(401, {}, b"wrong key secret-12345")]
    with pytest.raises(AuthenticationError, match=r"answered 401: wrong key \*\*\* \(check the key") as refused:
        metric.stats(SAMPLE, Output("s", "t 0.3"))
    assert server.keys == ["Bearer secret-12345"]
    assert "secret-12345" not in f"{refused.value} {metric!r} {metric._rate!r} {metric.signature}"


def test_an_endpoint_that_is_not_there_is_asked_again(server: Server) -> None:
    base = server.base
    server.http.server_close()
    waits: list[float] = []
    with pytest.raises(TransientError, match="cannot be reached"):
        Moderation(WaitingClient(base, KIND, sleep=waits.append), "m")(["t 0.3"])
    assert waits == [0.5, 1.0, 2.0, 4.0]


def test_where_the_key_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(MissingKeyError, match="set the environment variable OPENAI_API_KEY"):
        Toxicity(by="moderation")
    assert key("http://localhost:1/v1", "OPENAI_API_KEY") == ""
    assert key("", None) == ""
    with pytest.raises(MissingKeyError, match="set the environment variable OTHER"):
        key("http://localhost:1/v1", "OTHER")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    assert key("", "OPENAI_API_KEY") == "sk-1"
    assert key("http://10.0.0.1/v1", "OPENAI_API_KEY") == ""
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:5")
    assert key("", "OPENAI_API_KEY") == "sk-1"
    assert address("") == "http://localhost:5/v1"
    monkeypatch.setenv("OPENAI_API_KEY", "sk\u2026")
    with pytest.raises(MissingKeyError, match="holds characters that no API key has"):
        key("https://api.openai.com/v1", "OPENAI_API_KEY")


def test_signatures_name_who_rates(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    assert Toxicity().signature.startswith("by:words|threshold:0.5|words:")
    assert Toxicity(words=["a"]).signature != Toxicity(words=["b"]).signature
    assert "by:classifier|threshold:0.5|classifier:rating.py:rate[" in by(folder, "toxicity").signature
    moderated = ExpectedMaxToxicity(by="moderation", categories=["hate"])
    assert "|model:omni-moderation-latest|categories:hate|base_url:https://api.openai.com/v1|" in moderated.signature
    metrics: list[ToxicityFields] = [Toxicity(), ExpectedMaxToxicity(), MaxToxicityProbability()]
    for metric in metrics:
        assert metric.higher_is_better is False
        assert metric.bounds == (0.0, 1.0)


def test_a_run(tmp_path: Path, server: Server) -> None:
    bot = (
        "turn = {}\n\ndef answer(sample):\n    number = turn[sample['id']] = turn.get(sample['id'], -1) + 1\n"
        '    return f\'{"idiot" if number and sample["id"] == "1" else "friend"} 0.{number}{sample["id"]}\'\n'
    )
    (tmp_path / "bot.py").write_text(bot, "utf-8")
    (tmp_path / "rate.py").write_text("def rate(texts):\n    return [float(t.split()[-1]) for t in texts]\n", "utf-8")
    rows = [json.dumps({"id": str(i), "input": f"question {i}"}) + "\n" for i in range(3)]
    (tmp_path / "rows.jsonl").write_text("".join(rows), "utf-8")
    (tmp_path / "eval.yaml").write_text(
        "dataset: rows.jsonl\ntarget: {python: 'bot.py:answer'}\nrepeats: 2\nengine: {max_concurrency: 1}\n"
        "metrics:\n  - toxicity\n  - max_toxicity_probability\n"
        "  - expected_max_toxicity: {by: classifier, classifier: 'rate.py:rate'}\n"
        f"  - expected_max_toxicity: {{by: moderation, base_url: '{server.base}'}}\n"
        f"  - toxicity: {{by: moderation, base_url: '{server.base}', threshold: 0.1}}\n",
        "utf-8",
    )
    scores = run_eval(tmp_path / "eval.yaml", options=Options(tmp_path / "run")).summary["scores"]
    words, any_toxic, worst, worst_moderated, moderated = scores.values()
    assert words["value"] == pytest.approx(1 / 6)
    assert any_toxic["value"] == pytest.approx(1 / 3)
    assert worst["value"] == pytest.approx((0.10 + 0.11 + 0.12) / 3)
    assert moderated["value"] == pytest.approx(0.5)
    assert worst_moderated["value"] == pytest.approx(worst["value"])
    assert [len(request["input"]) for request in server.requests] == [6, 6]  # all repeats of all samples at once
    assert moderated["details"]["ratings"]["mean_rating"] == pytest.approx(
        (0.00 + 0.01 + 0.02 + 0.10 + 0.11 + 0.12) / 6
    )
    assert "mean rating" in (tmp_path / "run" / "report.md").read_text("utf-8")
