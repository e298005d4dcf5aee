"""What makes an endpoint answer as it does is part of the key that its answers are cached by."""

from __future__ import annotations

from llmkit import registry


def test_headers_are_part_of_the_identity_and_are_not_shown_in_it() -> None:
    one = registry.build("providers", {"openai": {"model": "m", "headers": {"X-Route": "a"}}}).plugin
    two = registry.build("providers", {"openai": {"model": "m", "headers": {"X-Route": "b"}}}).plugin
    keyed = registry.build("providers", {"openai": {"model": "m", "headers": {"X-Key": "${SECRET}"}}}).plugin
    assert one.identity != two.identity
    assert "SECRET" not in keyed.identity
