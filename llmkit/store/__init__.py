"""What lies on disk: run folders, the journal, the response cache, locks."""
