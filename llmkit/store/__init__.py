"""What lies on disk: run folders, the journal, the response cache, locks."""

from llmkit.store.baseline_file import baseline_text, kept_label, open_baseline, write_baseline
from llmkit.store.files import write_text
from llmkit.store.git_state import git_state
from llmkit.store.journal import Journal
from llmkit.store.lock import FolderLock
from llmkit.store.open_run import open_run
from llmkit.store.record_files import RecordFile, RecordWriter
from llmkit.store.response_cache import CacheSize, ResponseCache
from llmkit.store.run_folder import RunFolder, Status, at, new_or_resumed

__all__ = [
    "CacheSize",
    "FolderLock",
    "Journal",
    "RecordFile",
    "RecordWriter",
    "ResponseCache",
    "RunFolder",
    "Status",
    "at",
    "baseline_text",
    "git_state",
    "kept_label",
    "new_or_resumed",
    "open_baseline",
    "open_run",
    "write_baseline",
    "write_text",
]
