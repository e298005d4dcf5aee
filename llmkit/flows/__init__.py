"""Stories told top to bottom; the only place where rooms meet."""
