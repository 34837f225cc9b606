"""What goes wrong at Google and on the way from there."""

from typing import Any

from tests.soak.stage import Stage
from tests.soak.steps import Step

GMAIL, TOKENS = "/gmail/v1/", "/token"
WAIT = {"Retry-After": "1"}
FAULTS: tuple[dict[str, Any], ...] = (
    {"path_prefix": GMAIL, "status": 503},
    {"path_prefix": GMAIL, "status": 500, "reason": "backendError"},
    {"path_prefix": GMAIL, "status": 403, "reason": "rateLimitExceeded", "headers": WAIT},
    {"path_prefix": GMAIL, "status": 429, "reason": "rateLimitExceeded", "headers": WAIT},
    {"path_prefix": GMAIL, "status": 401, "reason": "authError"},
    {"path_prefix": GMAIL, "path_contains": "history", "garbage": True},
    {"path_prefix": GMAIL, "path_contains": "messages/", "garbage": True},
    {"path_prefix": GMAIL, "truncate": 40},
    {"path_prefix": GMAIL, "lose_answer": True},
    {"path_prefix": GMAIL, "drop": True},
    {"path_prefix": GMAIL, "delay_s": 0.3},
    {"path_prefix": TOKENS, "status": 503},
    {"path_prefix": TOKENS, "garbage": True},
    {"path_prefix": TOKENS, "lose_answer": True},
)
WRITES: tuple[dict[str, Any], ...] = (
    {"path_prefix": "/upload/gmail/v1/users/me/drafts"},
    {"path_prefix": "/gmail/v1/users/me/drafts/send"},
    {"path_contains": "/modify"},
    {"path_contains": "/batchModify"},
)
WRITE_FAULTS: tuple[dict[str, Any], ...] = (
    {"lose_answer": True},
    {"drop": True},
    {"status": 503},
    {"status": 429, "reason": "rateLimitExceeded", "headers": WAIT},
)
LOW_UNITS = 100
"""A minute: a history and a few messages."""
PLENTY = 1_000_000


async def fault(stage: Stage, step: Step) -> None:
    """Google fails a few times in some way."""
    chosen = FAULTS[step.how % len(FAULTS)]
    stage.faults.append({**chosen, "times": 1 + step.which % 3, "after": step.who})
    await stage.house.google.control("PUT", "faults", {"rules": stage.faults})


async def write_fault(stage: Stage, step: Step) -> None:
    """Google fails a few times when something is to be changed."""
    where, how = WRITES[step.how % len(WRITES)], WRITE_FAULTS[step.how // len(WRITES)]
    rule = {**where, **how, "method": "POST", "times": 1 + step.which % 4, "after": step.who}
    stage.faults.append(rule)
    await stage.house.google.control("PUT", "faults", {"rules": stage.faults})


async def quota(stage: Stage, step: Step) -> None:
    """Google gives everybody little, and says so."""
    status = 429 if step.how % 2 else 403
    await set_quota(stage, LOW_UNITS, status)
    stage.quota_is_short = True


async def set_quota(stage: Stage, units: int, status: int = 403) -> None:
    """Say how much everybody may use in a minute."""
    settings = {"units_per_minute": units, "quota_status": status}
    await stage.house.google.control("PUT", "settings", settings)


async def lose_pushes(stage: Stage, step: Step) -> None:
    """The next pushes get lost on the way."""
    await _pushes(stage, drop=1 + step.how % 3)


async def double_pushes(stage: Stage, step: Step) -> None:
    """The next pushes come twice."""
    await _pushes(stage, duplicate=1 + step.how % 3)


async def turn_pushes(stage: Stage, step: Step) -> None:
    """The next pushes come in the wrong order."""
    await _pushes(stage, reorder=2 + step.how % 3)


async def slow_pushes(stage: Stage, step: Step) -> None:
    """Pushes take their time."""
    await _pushes(stage, delay_s=0.1 * (1 + step.how % 5))


async def hold_pushes(stage: Stage, _step: Step) -> None:
    """Pushes wait."""
    await _pushes(stage, paused=True)


async def let_pushes(stage: Stage, _step: Step) -> None:
    """Pushes flow again."""
    await _pushes(stage)


async def forget(stage: Stage, step: Step) -> None:
    """Gmail forgets the history of a mailbox."""
    person = stage.person(step.who)
    await stage.house.google.control("POST", f"people/{person.email}/history", {"action": "expire"})
    person.forgotten = True


async def expire(stage: Stage, step: Step) -> None:
    """A person's access tokens are not good any more."""
    await _grants(stage, step, "expire_access")


async def revoke(stage: Stage, step: Step) -> None:
    """A person takes our access away, in their Google account."""
    person = stage.person(step.who)
    if any(one.person is person for one in stage.mailboxes):
        await _grants(stage, step, "revoke")
        person.revoked = True


async def _grants(stage: Stage, step: Step, action: str) -> None:
    path = f"people/{stage.person(step.who).email}/grants"
    await stage.house.google.control("POST", path, {"action": action})


async def _pushes(stage: Stage, **switches: Any) -> None:
    await stage.house.google.control("PUT", "pushes", switches)


RULES = {
    "fault": fault,
    "write_fault": write_fault,
    "quota": quota,
    "lose_pushes": lose_pushes,
    "double_pushes": double_pushes,
    "turn_pushes": turn_pushes,
    "slow_pushes": slow_pushes,
    "hold_pushes": hold_pushes,
    "let_pushes": let_pushes,
    "forget": forget,
    "expire": expire,
    "revoke": revoke,
}
