"""Fakes for tests of your own plug-ins: scripted and flaky providers, a fake clock."""
