"""Sending by hand: `python -m bench.sending.floor ORIGIN TOKEN COUNT ANSWER`.

A draft and its sending for each message, one after the other, over one connection; nothing is
remembered, and a lost answer would be a lost or a doubled message.
"""

import base64
import json
import sys
import time
from email.message import EmailMessage
from pathlib import Path

import aiohttp
import uvloop

TIMEOUT = aiohttp.ClientTimeout(total=30)


def letter(number: int) -> str:
    """Return a message as Gmail takes it."""
    message = EmailMessage()
    message["To"] = "bob@customer.example"
    message["Subject"] = f"Offer {number}"
    message.set_content("Hello Bob,\n\nhere is the offer.\n")
    return base64.urlsafe_b64encode(message.as_bytes()).decode()


async def _send(origin: str, token: str, count: int) -> None:
    drafts = f"{origin}/gmail/v1/users/me/drafts"
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(timeout=TIMEOUT, headers=headers) as session:
        for number in range(count):
            body = {"message": {"raw": letter(number)}}
            async with session.post(drafts, json=body) as answer:
                answer.raise_for_status()
                draft = await answer.json()
            async with session.post(f"{drafts}/send", json={"id": draft["id"]}) as answer:
                answer.raise_for_status()
                await answer.json()


def main(origin: str, token: str, count: str, answer: str) -> None:
    """Send, and write what it cost."""
    uvloop.run(_send(origin, token, 1))
    before = time.process_time()
    uvloop.run(_send(origin, token, int(count)))
    Path(answer).write_text(json.dumps({"cpu_s": time.process_time() - before}))


if __name__ == "__main__":
    main(*sys.argv[1:])
