"""Whatever is wrong with a config, an eval set or a folder: one sentence each, all at once, and nothing is done."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import KEY, bench, finish, llmkit, read_rows, rows, start, write_rows

GOOD = {"id": "a", "input": "in", "references": ["in"]}


def files(folder: Path) -> list[Path]:
    """Return what lies in a folder, the bytecode that Python may keep of imported files aside."""
    return sorted(path for path in folder.rglob("*") if "__pycache__" not in path.parts)


def refused(folder: Path, *words: object, code: int = 2, **more: Any) -> list[str]:
    """Run a command that must be refused before anything is done; return the lines it says."""
    before = files(folder)
    done = llmkit("eval", *words, folder=folder, **more)
    assert (done.code, done.out) == (code, ""), done.out + done.err
    assert files(folder) == before
    return done.err.splitlines()


def test_every_misspelt_word_of_a_config_is_named_at_once(tmp_path: Path) -> None:
    write_rows(tmp_path / "set.jsonl", rows(2))
    (tmp_path / "c.yaml").write_text(
        "name: t\ndatset: set.jsonl\ntarget: opnai\nmetrics: [exact_mach, {rogue: {variant: L}}]\n"
        "repeats: many\nengine: {max_concurency: 3}\n"
    )
    assert refused(tmp_path, "c.yaml") == [
        "error: c.yaml:2: datset: unknown key 'datset' (did you mean 'dataset'?)",
        "error: c.yaml:3: target: unknown provider 'opnai' (did you mean 'openai'?)",
        "error: c.yaml:4: metrics[0]: unknown metric 'exact_mach' (did you mean 'exact_match'?)",
        "error: c.yaml:4: metrics[1]: unknown metric 'rogue' (did you mean 'rouge'?)",
        "error: c.yaml:5: repeats: expected a whole number, got 'many'",
        "error: c.yaml:6: engine.max_concurency: unknown key 'max_concurency' in 'engine' (did you mean 'max_concurrency'?)",
    ]


def test_a_missing_key_hides_no_other_problem_and_names_its_variable(tmp_path: Path) -> None:
    bench(tmp_path, target={"openai": {"model": "m"}}, metrics=["exact_mach"])
    [line] = refused(tmp_path, "c.yaml", env={"OPENAI_API_KEY": ""})
    assert "unknown metric 'exact_mach'" in line
    [line] = refused(tmp_path, "c.yaml", "--set", "metrics=[exact_match]", env={"OPENAI_API_KEY": ""})
    assert "the API key for api.openai.com is missing: set the environment variable OPENAI_API_KEY" in line


def test_a_missing_config_names_those_that_are_there(tmp_path: Path) -> None:
    bench(tmp_path)
    assert refused(tmp_path, "d.yaml") == ["error: d.yaml: no such config (did you mean 'c.yaml'?)"]
    assert refused(tmp_path) == ["error: llmkit.yaml: no such config (known: c.yaml)"]
    assert refused(tmp_path, ".") == ["error: .: is a folder, not a config (name one of its files: c.yaml)"]


def test_a_template_without_quotes_is_explained(tmp_path: Path) -> None:
    bench(tmp_path)
    (tmp_path / "d.yaml").write_text("name: t\nprompt: {{ input }}\n")
    hint = "'{{' opens a mapping here (put quotes around a template: \"{{ input }}\")"
    assert refused(tmp_path, "d.yaml") == [f"error: d.yaml:2: {hint}"]
    said = refused(tmp_path, "c.yaml", "--set", "prompt={{ input }}")
    assert said == [f"error: --set prompt: the value cannot be read: {hint}"]


def test_a_yaml_bomb_and_a_config_that_is_not_utf8_are_refused(tmp_path: Path) -> None:
    lines = ["a: &a [x,x,x,x,x,x,x,x,x]"]
    lines += [f"{new}: &{new} [{','.join(['*' + old] * 9)}]" for old, new in zip("abcdefgh", "bcdefghi", strict=True)]
    (tmp_path / "bomb.yaml").write_text("\n".join([*lines, "metrics: *i"]))
    [line] = refused(tmp_path, "bomb.yaml")
    assert "the document expands to more than 100,000 values" in line
    (tmp_path / "latin.yaml").write_bytes("name: é\n".encode("latin-1"))
    assert refused(tmp_path, "latin.yaml") == ["error: latin.yaml:1: is not UTF-8: byte 6 is 0xE9 (save it as UTF-8)"]


def test_a_missing_and_an_empty_eval_set(tmp_path: Path) -> None:
    bench(tmp_path)
    (tmp_path / "empty.jsonl").write_text("")
    assert refused(tmp_path, "c.yaml", "--set", "dataset=sett.jsonl") == [
        "error: sett.jsonl: there is no such file (did you mean 'set.jsonl'?)"
    ]
    assert refused(tmp_path, "c.yaml", "--set", "dataset=empty.jsonl") == ["error: empty.jsonl: the file has no rows"]


def test_every_bad_row_is_named_by_file_line_and_reason(tmp_path: Path) -> None:
    bench(tmp_path)
    (tmp_path / "set.jsonl").write_bytes(
        b'{"id":"a","input":"x","references":["y"]}\n'
        b"not json\n"
        b"[1]\n"
        b'{"id":"d","input":3}\n'
        b'{"id":"a","input":"x"}\n'
        b'{"id":"q"}\n'
        b'{"id":"e","input":"\xff"}\n'
        b'{"id":"f","input":"x","input":"y"}\n'
    )
    said = refused(tmp_path, "c.yaml")
    said.sort()
    assert [line.split(": ", 2)[1] for line in said] == [f"set.jsonl:{n}" for n in range(2, 9)]
    for line, reason in zip(
        said,
        ["not JSON", "a list", "not a number", "'a'", "neither 'input' nor 'output'", "not UTF-8", "twice"],
        strict=True,
    ):
        assert reason in line


def test_bad_rows_can_be_left_out_and_are_counted(tmp_path: Path) -> None:
    bench(tmp_path)
    (tmp_path / "set.jsonl").write_text('{"id":"a","input":"x","references":["x"]}\nnot json\n')
    done = llmkit("eval", "c.yaml", "--skip-bad-rows", "--out", "run", "--format", "json", folder=tmp_path)
    assert (done.code, done.json["rows"]) == (0, 1)
    assert "1 bad rows skipped" in (tmp_path / "run" / "report.md").read_text()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("prompt='{{ question }}'", "the prompt needs the field 'question': no row has the field 'question'"),
        ("slices=[kat]", "slices needs the field 'kat': no row has the field 'kat' (did you mean 'cat'?)"),
        ("cluster=source", "cluster needs the field 'source': no row has the field 'source'"),
        ("dataset.where='kat == 1'", "dataset.where: no row has the field 'kat' (did you mean 'cat'?)"),
        ("target=recorded", "no row has 'output', and the target needs it"),
    ],
)
def test_a_field_that_rows_lack_is_named(tmp_path: Path, change: str, said: str) -> None:
    bench(tmp_path)
    [line] = refused(tmp_path, "c.yaml", "--set", change)
    assert line.startswith("error: set.jsonl: ")
    assert said in line


def test_a_template_is_told_how_many_rows_lack_its_field(tmp_path: Path) -> None:
    bench(tmp_path, prompt="{{ hint }}")
    write_rows(tmp_path / "set.jsonl", [{**GOOD, "hint": "h"}, {"id": "b", "input": "x", "references": ["x"]}])
    [line] = refused(tmp_path, "c.yaml")
    assert line.startswith("error: set.jsonl:2: the prompt needs the field 'hint': 1 of 2 rows lacks the field 'hint'")


def test_nothing_to_score_names_all_who_need_it(tmp_path: Path) -> None:
    bench(tmp_path)
    write_rows(tmp_path / "set.jsonl", [{"input": "x"}, {"input": "y"}])
    assert refused(tmp_path, "c.yaml") == [
        (
            "error: set.jsonl: no row has 'references', and exact_match, token_f1 need it "
            "(add 'references' to the rows, or map another field to it with dataset.fields)"
        )
    ]


def test_a_folder_that_holds_another_run_or_other_files_is_left_alone(tmp_path: Path) -> None:
    bench(tmp_path)
    assert llmkit("eval", "c.yaml", "--out", "run", "-q", folder=tmp_path).code == 0
    [line] = refused(tmp_path, "c.yaml", "--out", "run")
    assert line.startswith("error: run holds a complete run (t, ")
    assert line.endswith("pass --overwrite to replace it, or choose another folder with --out")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years")
    for more in ([], ["--overwrite"]):
        [line] = refused(tmp_path, "c.yaml", "--out", "mine", *more)
        assert line == "error: mine holds files that are not a run (thesis.tex); choose another folder with --out"
    [line] = refused(tmp_path, "c.yaml", "--out", "set.jsonl")
    assert line == "error: set.jsonl is a file, or lies below one; choose another folder with --out"


def test_overwrite_replaces_a_run(tmp_path: Path) -> None:
    bench(tmp_path)
    assert llmkit("eval", "c.yaml", "--out", "run", "-q", folder=tmp_path).code == 0
    done = llmkit("eval", "c.yaml", "--out", "run", "--overwrite", "--limit", "2", "-q", folder=tmp_path)
    assert done.code == 0
    assert len(read_rows(tmp_path / "run" / "outputs.jsonl")) == 2


@pytest.mark.skipif(os.name != "posix", reason="modes of folders")
def test_no_permission_to_write_is_said_with_the_folder(tmp_path: Path) -> None:
    bench(tmp_path, target={"command": "cat"})
    place = tmp_path / "closed"
    place.mkdir(mode=0o555)
    if os.geteuid() == 0:  # nothing is forbidden to root but what the system itself refuses
        place = Path("/sys/llmkit")
    done = llmkit("eval", "c.yaml", "--set", f"out={place}", folder=tmp_path)
    assert done.code == 3
    assert f"error: cannot write {place}" in done.err
    assert "there is no permission to write there; mend the permission, or choose another folder with --out" in done.err


@pytest.mark.skipif(os.name != "posix", reason="limits of files")
def test_a_full_disk_stops_the_run_in_a_sentence_and_space_lets_it_go_on(tmp_path: Path) -> None:
    bench(tmp_path, count=400)
    words = ["eval", "c.yaml", "--out", "run", "-q"]
    limited = finish(start(words, tmp_path, preexec_fn=_small_files))
    assert limited.code == 3
    assert limited.err.startswith("error: cannot write run/")
    assert "the disk is full or a size limit was reached; free some space and run the same command again" in limited.err
    assert llmkit(*words, folder=tmp_path).code == 0
    assert len(read_rows(tmp_path / "run" / "scores.jsonl")) == 800


def _small_files() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def test_paths_with_spaces_work_and_are_quoted_in_hints(tmp_path: Path) -> None:
    folder = tmp_path / "my evals"
    bench(folder)
    done = llmkit("eval", "my evals/c.yaml", "--out", "out put", folder=tmp_path)
    assert done.code == 0
    assert "llmkit eval 'my evals/c.yaml' --outputs 'out put' --set" in done.err


def test_a_config_beside_which_nothing_may_be_written_works(tmp_path: Path) -> None:
    folder = tmp_path / "given"
    bench(folder)
    for path in [*folder.iterdir(), folder]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        done = llmkit("eval", "given/c.yaml", "-q", folder=tmp_path)
    finally:
        folder.chmod(0o755)
    assert done.code == 0
    assert sorted(path.name for path in folder.iterdir()) == ["c.yaml", "set.jsonl"]


def test_a_row_of_a_megabyte_is_a_row(tmp_path: Path) -> None:
    bench(tmp_path)
    text = "wörd " * 200_000
    write_rows(tmp_path / "set.jsonl", [{"id": "big", "input": text, "references": [text]}, GOOD])
    done = llmkit("eval", "c.yaml", "--format", "json", "--out", "run", folder=tmp_path)
    assert (done.code, done.json["scores"]["exact_match"]["value"]) == (0, 1.0)
    assert len((tmp_path / "run" / "report.md").read_text()) < 20_000


def test_a_price_that_is_unknown_refuses_a_cost_stop(tmp_path: Path) -> None:
    bench(tmp_path, target={"openai": {"model": "my-own"}}, engine={"max_cost": 1.0})
    [line] = refused(tmp_path, "c.yaml")
    assert "engine.max_cost: the price of the model 'my-own' is unknown, so its cost could not be stopped" in line
    assert "add it to a price file" in line
    assert KEY not in line


def test_a_wrong_command_line_is_explained(tmp_path: Path) -> None:
    for words, said in (
        (["eval", "--limit", "0"], "'--limit'"),
        (["eval", "--frob"], "No such option: --frob"),
        (["evall"], "No such command 'evall'"),
        (["list", "metric"], "'metric' is not one of 'chunkers', 'embedders', 'judges', 'metrics'"),
        (["list", "metrics", "rogue"], "unknown metric 'rogue' (did you mean 'rouge'?)"),
    ):
        done = llmkit(*words, folder=tmp_path)
        assert (done.code, done.out) == (2, "")
        assert said in done.err
    assert llmkit("eval", folder=tmp_path, env={"LLMKIT_EVAL_LIMIT": "few"}).code == 2


def test_a_plug_in_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    bench(tmp_path, plugins=["mine.py"])
    assert "mine.py" in refused(tmp_path, "c.yaml")[0]
    (tmp_path / "mine.py").write_text("import nothing_of_that_name\n")
    [line] = refused(tmp_path, "c.yaml")
    assert "nothing_of_that_name" in line


def test_help_and_version_stand_on_stdout(tmp_path: Path) -> None:
    assert llmkit("--version", folder=tmp_path).out.startswith("llmkit ")
    assert llmkit("eval", "--help", folder=tmp_path).code == 0
