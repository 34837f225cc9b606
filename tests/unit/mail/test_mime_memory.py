"""What a message of 35 MB costs: measured in a process of its own, from the wire to the content."""

import subprocess
import sys

import pytest

LIMIT_MIB = 120
SCRIPT = r'''
import asyncio, base64, os, sys, tempfile
from pathlib import Path
from aiohttp import web
from libs.common.google.discovery import gmail
from libs.common.google.roots import GoogleRoots
from libs.common.google.transport import GoogleClient
from libs.common.google.wire import client_session
from services.mail.domain import mime

KINDS = {
    "base64": ("base64", "application/pdf", base64.encodebytes(os.urandom(57 * 1024))),
    "text": ("8bit", "text/plain", b"some words in a line, and more of them\n" * 2000),
    "one line": ("base64", "application/pdf", base64.b64encode(os.urandom(57 * 1024))),
}
encoding, kind, block = KINDS[sys.argv[1]]
head = (
    "Subject: large\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    "--b\r\n\r\nhello\r\n"
    f"--b\r\nContent-Type: {kind}; name=x\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
).encode()

def memory_kib(name):
    """Of this program alone: ru_maxrss would begin at what the parent had before exec."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))

def write(path):
    with open(path, "wb") as file:
        file.write(base64.urlsafe_b64encode(head + b" " * (-len(head) % 3)))
        for _ in range(35 * 1024 * 1024 // len(block)):
            file.write(base64.urlsafe_b64encode(block + b" " * (-len(block) % 3)))

async def serve(path):
    async def answer(request):
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"id": "m", "raw": "')
        with open(path, "rb") as file:
            while chunk := file.read(60_000):
                await response.write(chunk)
        await response.write(b'", "sizeEstimate": 1}')
        return response
    app = web.Application()
    app.router.add_get("/{rest:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"

async def main():
    with tempfile.TemporaryDirectory() as folder:
        write(f"{folder}/wire")
        runner, origin = await serve(f"{folder}/wire")
        session = client_session()
        request = gmail(GoogleRoots.at(origin)).messages.get(userId="me", id="m", format="raw")
        mime.parse(b"Content-Type: text/html\n\n<p>warm \xe4")
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins here
        before = memory_kib("VmRSS")
        with open(f"{folder}/raw", "w+b") as sink:
            await GoogleClient(session, timeout_s=9).execute_raw(
                request, access_token="t", key="raw", sink=sink, timeout_s=90
            )
        content = mime.parse_file(f"{folder}/raw")
        with open(f"{folder}/part", "wb") as sink:
            extracted = mime.extract(f"{folder}/raw", "2", sink)
        after = memory_kib("VmHWM")
        await session.close()
        await runner.cleanup()
        [attached] = content.attachments
        assert content.text == "hello", content.text[:80]
        assert extracted == attached.size == os.path.getsize(f"{folder}/part")
        print((after - before) // 1024, attached.size)

asyncio.run(main())
'''


@pytest.mark.parametrize("kind", ["base64", "text", "one line"])
def test_a_message_of_35_mb_grows_the_process_by_120_mib_at_most(kind: str) -> None:
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-c", SCRIPT, kind], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    grown_mib, size = map(int, done.stdout.split())
    assert size > 25_000_000
    assert grown_mib <= LIMIT_MIB
