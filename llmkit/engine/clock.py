"""Real time, as `llmkit.protocols.Clock`."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """The machine's monotonic clock and asyncio's sleep."""

    monotonic = staticmethod(time.monotonic)

    async def sleep(self, seconds: float) -> None:
        """Return after ``seconds``."""
        await asyncio.sleep(seconds)
