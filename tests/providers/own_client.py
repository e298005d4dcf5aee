"""A user's own client, as ``client: tests.providers.own_client:make`` names it."""

from __future__ import annotations

import os

from openai import AsyncOpenAI


def make() -> AsyncOpenAI:
    return AsyncOpenAI(base_url=os.environ["FAKE_BASE"], api_key="own-key")
