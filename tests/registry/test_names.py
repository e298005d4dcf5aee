from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from llmkit import registry
from llmkit.errors import ConfigError
from llmkit.registry import owners

PLUGIN = """
from dataclasses import dataclass
from llmkit.registry import metric

@metric({name!r})
@dataclass(frozen=True)
class Mine:
    '''Mine.'''
    size: int = 1
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    def make(name: str, text: str) -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    return make


@pytest.fixture
def installed(
    write: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., None]:
    """Installs tiny packages: module name -> (entry points, source)."""

    def install(**packages: tuple[str, str]) -> None:
        for name, (points, source) in packages.items():
            write(f"site/{name}.py", source)
            write(f"site/{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
            write(f"site/{name}-1.0.dist-info/entry_points.txt", points)
        monkeypatch.syspath_prepend(tmp_path / "site")
        owners.forget_installed()

    return install


def refusal(call: Callable[[], Any]) -> str:
    with pytest.raises(ConfigError) as refused:
        call()
    return str(refused.value)


def test_kinds_have_a_package_each() -> None:
    for kind, word in registry.KINDS.items():
        assert (Path(registry.__file__).parents[1] / kind / "__init__.py").is_file()
        assert word
        assert kind.startswith(word.split()[0])


def test_every_built_in_plugin_is_found_and_described() -> None:
    for kind in registry.KINDS:
        for name in registry.builtin_names(kind):
            assert registry.describe(kind, name).summary, f"{kind}/{name}.py has no docstring"


def test_unknown_names_suggest_near_ones() -> None:
    assert refusal(lambda: registry.lookup("providers", "ecko")) == "unknown provider 'ecko' (did you mean 'echo'?)"
    assert refusal(lambda: registry.lookup("providers", "Echo")) == "unknown provider 'Echo' (did you mean 'echo'?)"
    known = ", ".join(registry.names("providers"))
    assert refusal(lambda: registry.lookup("providers", "zzzzzz")) == f"unknown provider 'zzzzzz' (known: {known})"


def test_only_what_is_looked_up_is_imported(write: Callable[[str, str], Path]) -> None:
    import subprocess

    code = "import sys; from llmkit import registry; registry.lookup('providers', 'echo'); "
    code += (
        "print([m for m in sys.modules if m.startswith('llmkit.providers.') and not m.split('.')[-1].startswith('_')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['llmkit.providers.echo']"


def test_importing_the_registry_is_light() -> None:
    import subprocess

    code = "import sys, llmkit.registry; print({'pydantic', 'yaml', 'numpy', 'importlib.metadata'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_user_file_registers(write: Callable[[str, str], Path]) -> None:
    file = write("with space/mine.py", PLUGIN.format(name="mine"))
    registry.load_plugins([file, file])
    built = registry.build("metrics", "mine(size=3)")
    assert built.plugin.size == 3
    assert "mine" in registry.names("metrics")
    assert "mine" not in registry.published_names("metrics")


def test_two_user_files_claim_one_name(write: Callable[[str, str], Path]) -> None:
    one, two = write("one.py", PLUGIN.format(name="mine")), write("two.py", PLUGIN.format(name="mine"))
    assert refusal(lambda: registry.load_plugins([one, two])) == (
        f"{two}:5: two plug-ins claim the metric 'mine': {one} and {two} (rename one)"
    )


def test_a_user_file_claims_a_built_in_name(write: Callable[[str, str], Path]) -> None:
    file = write("mine.py", PLUGIN.format(name="echo").replace("metric", "provider"))
    for module in [m for m in sys.modules if m == "llmkit.providers.echo"]:
        del sys.modules[module]
    owners.registered.pop(("providers", "echo"), None)
    registry.load_plugins([file])
    assert refusal(lambda: registry.lookup("providers", "echo")) == (
        f"two plug-ins claim the provider 'echo': {file} and llmkit.providers.echo (rename one)"
    )


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1\ndef f(:\n", ":2: the plug-in is not valid Python: invalid syntax"),
        ("import nothing_of_this_name\n", ":1: the plug-in failed to import: ModuleNotFoundError: No module named "),
        ("\n\ndef f():\n    raise KeyError('k')\nf()\n", ":4: the plug-in failed to import: KeyError: 'k'"),
        ("raise SystemExit\n", ":1: the plug-in failed to import: SystemExit"),
        (
            PLUGIN.format(name="mine").replace("@dataclass(frozen=True)\n", ""),
            ":5: the metric 'mine' must be a dataclass: put @dataclass(frozen=True) under the decorator",
        ),
        (
            PLUGIN.format(name="mine").replace("(frozen=True)", ""),
            ":5: the metric 'mine' must be frozen: write @dataclass(frozen=True)",
        ),
        (
            PLUGIN.format(name="my metric"),
            ":5: 'my metric' cannot name a metric: use letters, digits, '_', '-' and '.', a letter first",
        ),
    ],
)
def test_broken_user_files(write: Callable[[str, str], Path], source: str, message: str) -> None:
    file = write("broken.py", source)
    assert refusal(lambda: registry.load_plugins([file])).startswith(f"{file}{message}")
    assert not [m for m in sys.modules if m.startswith("llmkit_plugin_")]


def test_a_half_loaded_file_leaves_nothing_behind(write: Callable[[str, str], Path]) -> None:
    file = write("half.py", PLUGIN.format(name="half") + "\nraise ValueError('too late')\n")
    assert "too late" in refusal(lambda: registry.load_plugins([file]))
    assert "half" not in registry.names("metrics")
    file.write_text(PLUGIN.format(name="half"), encoding="utf-8")
    registry.load_plugins([file])
    assert "half" in registry.names("metrics")


def test_missing_files_are_listed_together(write: Callable[[str, str], Path], tmp_path: Path) -> None:
    write("metrics.py", "")
    (tmp_path / "folder").mkdir()
    files = [tmp_path / "metric.py", tmp_path / "folder", tmp_path / "none" / "x.py"]
    assert refusal(lambda: registry.load_plugins(files)).splitlines() == [
        f"plugins: no such plug-in file: '{files[0]}' (did you mean 'metrics.py'?)",
        f"plugins: a plug-in is a Python file, and '{files[1]}' is a folder",
        f"plugins: no such plug-in file: '{files[2]}' (paths are relative to the config's folder)",
    ]


def test_a_file_that_is_not_python(write: Callable[[str, str], Path]) -> None:
    file = write("plugin.txt", "")
    assert refusal(lambda: registry.load_plugins([file])) == f"{file}: a plug-in is a Python file: its name ends in .py"


def test_an_installed_package_brings_a_plugin(installed: Callable[..., None]) -> None:
    source = PLUGIN.format(name="x").replace("@metric('x')\n", "")
    installed(tiny_pkg=("[llmkit.metrics]\ntiny = tiny_pkg:Mine\n", source))
    assert registry.build("metrics", "tiny(size=2)").name == "tiny(size=2)"
    assert registry.build("metrics", "tiny").plugin.size == 1
    assert "tiny" in registry.published_names("metrics")


def test_a_package_whose_class_is_decorated_too(installed: Callable[..., None]) -> None:
    installed(tiny_two=("[llmkit.metrics]\ntiny2 = tiny_two:Mine\n", PLUGIN.format(name="tiny2")))
    assert registry.lookup("metrics", "tiny2") is registry.lookup("metrics", "tiny2")


def test_two_packages_claim_one_name(installed: Callable[..., None]) -> None:
    installed(pkg_a=("[llmkit.metrics]\nsame = pkg_a:Mine\n", ""), pkg_b=("[llmkit.metrics]\nsame = pkg_b:Mine\n", ""))
    message = refusal(lambda: registry.lookup("metrics", "same"))
    assert message.startswith("two plug-ins claim the metric 'same': pkg_")
    assert message.endswith("(rename one)")


def test_a_package_claims_a_built_in_name(installed: Callable[..., None]) -> None:
    installed(pkg_c=("[llmkit.providers]\necho = pkg_c:Mine\n", ""))
    assert refusal(lambda: registry.lookup("providers", "echo")) == (
        "two plug-ins claim the provider 'echo': llmkit.providers.echo and pkg_c:Mine (rename one)"
    )


def test_a_package_and_a_user_file_claim_one_name(
    installed: Callable[..., None], write: Callable[[str, str], Path]
) -> None:
    source = PLUGIN.format(name="x").replace("@metric('x')\n", "")
    installed(tiny_three=("[llmkit.metrics]\ntiny3 = tiny_three:Mine\n", source))
    file = write("mine.py", PLUGIN.format(name="tiny3"))
    registry.load_plugins([file])
    assert refusal(lambda: registry.lookup("metrics", "tiny3")) == (
        f"two plug-ins claim the metric 'tiny3': {file} and tiny_three (rename one)"
    )


def test_broken_packages(installed: Callable[..., None]) -> None:
    installed(
        pkg_d=("[llmkit.metrics]\nbad_d = pkg_d:Mine\n", "1 / 0"),
        pkg_e=("[llmkit.metrics]\nbad_e = pkg_e:mine\n", "def mine(): ..."),
    )
    assert refusal(lambda: registry.lookup("metrics", "bad_d")) == (
        "the metric 'bad_d' (pkg_d:Mine) failed to import: ZeroDivisionError: division by zero "
        "(reinstall or remove the package that brings it)"
    )
    assert refusal(lambda: registry.lookup("metrics", "bad_e")) == (
        "the metric 'bad_e' (pkg_e:mine) is not a dataclass"
    )


def test_a_built_in_module_without_its_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owners, "builtin_names", lambda kind: ("_base",))
    assert refusal(lambda: registry.lookup("metrics", "_base")) == (
        "the module llmkit.metrics._base registers no metric '_base'"
    )


def test_a_class_can_be_defined_again() -> None:
    def define() -> type:
        @registry.metric("again")
        @dataclass(frozen=True)
        class Again:
            """Again."""

        return Again

    define()
    second = define()
    assert registry.lookup("metrics", "again") is second
