"""The time at the emulated Google: the machine's, moved by an offset."""

import time
from datetime import UTC, datetime


class Clock:
    """A wall clock that tests may move; signatures keep the machine's time unless told otherwise.

    Verifiers of signed tokens (google-auth among them) read the machine's clock, so a watch can be
    made to lapse without every push being refused as "from the future".
    """

    def __init__(self) -> None:
        self.offset_s: float = 0.0
        self.moves_signatures = False

    def now_s(self) -> float:
        """Return seconds since 1970 at the emulated Google."""
        return time.time() + self.offset_s

    def now_ms(self) -> int:
        """Return milliseconds since 1970 at the emulated Google."""
        return int(self.now_s() * 1000)

    def signing_s(self) -> int:
        """Return the whole second that signed tokens carry as `iat`."""
        return int(self.now_s() if self.moves_signatures else time.time())


def rfc3339(seconds: float) -> str:
    """Return `seconds` since 1970 as Google prints times: UTC, milliseconds, `Z`."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
