"""Reading a run back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmkit.errors import UsageError
from llmkit.store.record_files import RecordFile
from llmkit.store.records import output_from_dict, sample_from_dict, score_from_dict, transcript_from_dict
from llmkit.store.run_folder import (
    FORMAT,
    JUDGMENTS,
    LATEST,
    MANIFEST,
    OUTPUTS,
    SAMPLES,
    SCORES,
    SUMMARY,
    read_manifest,
)
from llmkit.types import Run


def open_run(path: Path | str, *, allow_unfinished: bool = False) -> Run:
    """Return the run in a run folder, or the latest one in a folder of runs (``runs/name``).

    Its records read their files anew each time they are iterated. With ``allow_unfinished`` the summary
    may be empty and the files may end early. Raises UsageError where there is no such run.
    """
    folder = _find(Path(path), allow_unfinished=allow_unfinished)
    manifest = read_manifest(folder)
    if manifest is None:
        raise UsageError(f"{folder} is not a run: its {MANIFEST} is missing or damaged")
    version = manifest.get("format", FORMAT)
    if not isinstance(version, int) or version > FORMAT:
        raise UsageError(f"{folder} was written by a newer llmkit (format {version}); update llmkit to read it")
    if manifest["status"] != "complete" and not allow_unfinished:
        raise UsageError(
            f"{folder} is not finished (status {manifest['status']}); run its evaluation again to complete it"
        )
    return Run(
        path=str(folder),
        manifest=manifest,
        summary=_summary(folder, complete=manifest["status"] == "complete"),
        outputs=RecordFile(folder / OUTPUTS, output_from_dict),
        scores=RecordFile(folder / SCORES, score_from_dict),
        samples=RecordFile(folder / SAMPLES, sample_from_dict),
        transcripts=RecordFile(folder / JUDGMENTS, transcript_from_dict),
    )


def _find(path: Path, *, allow_unfinished: bool) -> Path:
    if not path.is_dir():
        problem = "is a file, not a run folder" if path.exists() else "does not exist"
        raise UsageError(f"{path} {problem}; give the folder of a run, or runs/NAME for its latest")
    if (path / MANIFEST).exists():
        return path
    latest = path / LATEST
    if latest.is_file():
        latest = path / latest.read_text(encoding="utf-8").strip()
    if (latest / MANIFEST).exists():
        return latest.resolve()
    unfinished = sorted(item.parent for item in path.glob(f"*/{MANIFEST}"))
    if unfinished and allow_unfinished:
        return unfinished[-1]
    if unfinished:
        raise UsageError(f"{path} has no complete run yet; the newest is {unfinished[-1].name}, unfinished")
    raise UsageError(f"{path} is not a run folder and holds none: there is no {MANIFEST}")


def _summary(folder: Path, *, complete: bool) -> Mapping[str, Any]:
    try:
        summary = json.loads((folder / SUMMARY).read_bytes())
    except FileNotFoundError:
        if complete:
            raise UsageError(f"{folder} is damaged: its {SUMMARY} is missing; run its evaluation again") from None
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder} is damaged: its {SUMMARY} cannot be read ({error})") from error
    if not isinstance(summary, dict):
        raise UsageError(f"{folder} is damaged: its {SUMMARY} is not an object; run its evaluation again")
    return summary
