"""`python -m libs.common.probe URL`: ask a process how it is, without a shell or curl.

Exit status 0 for an answer below 400, 1 otherwise. It imports nothing of ours: it runs every few
seconds beside the process it asks.
"""

import sys
import urllib.error
import urllib.request

TIMEOUT_S = 4.0


def main() -> int:
    """Ask the address on the command line; say on stderr what was wrong."""
    url, *more = sys.argv[1:] or [""]
    if more or not url.startswith(("http://", "https://")):
        sys.stderr.write("usage: python -m libs.common.probe URL\n")
        return 2
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=TIMEOUT_S):
            return 0
    except urllib.error.HTTPError as exc:
        body = exc.read(1000).decode(errors="replace")
        sys.stderr.write(f"{exc.code} {body}\n")
    except OSError as exc:
        sys.stderr.write(f"{exc}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
