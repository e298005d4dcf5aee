"""What the machine can do: a bare asyncio + aiohttp loop over the same questions, with no engine around it.

python benchmarks/_bare_loop.py QUESTIONS.jsonl BASE_URL CONCURRENCY
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import aiohttp


async def worker(session: aiohttp.ClientSession, url: str, rows: Iterator[dict[str, Any]], right: list[bool]) -> None:
    for row in rows:
        body = {"model": "fake", "messages": [{"role": "user", "content": row["input"]}]}
        async with session.post(url, json=body) as response:
            answer = await response.json()
        right.append(answer["choices"][0]["message"]["content"] == row["references"][0])


async def ask_all(lines: Iterable[str], base_url: str, concurrency: int) -> None:
    right: list[bool] = []
    rows = (json.loads(line) for line in lines)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        url = f"{base_url}/chat/completions"
        await asyncio.gather(*(worker(session, url, rows, right) for _ in range(concurrency)))
    print(f"accuracy {sum(right) / len(right):.4f} of {len(right)}")


if __name__ == "__main__":
    with Path(sys.argv[1]).open(encoding="utf-8") as file:
        asyncio.run(ask_all(file, sys.argv[2], int(sys.argv[3])))
