"""The product's processes: killed, stopped, and started by whoever supervises them."""

from tests.integration.mail.stand import AUDIENCE, PUSHER, SUBSCRIPTION
from tests.soak.stage import Stage
from tests.soak.steps import Step


async def kill(stage: Stage, step: Step) -> None:
    """A process is killed, and stays away until somebody starts it."""
    name = _named(stage, step)
    if name not in stage.dead:
        program = stage.house.programs[name]
        program.kill()
        await program.gone()
        stage.dead.add(name)
        stage.killed[name] += 1


async def crash(stage: Stage, step: Step) -> None:
    """A process is killed and started at once."""
    await kill(stage, step)
    await ensure(stage, _named(stage, step))


async def restart(stage: Stage, step: Step) -> None:
    """A process is stopped and started, as a deployment does."""
    name = _named(stage, step)
    if name not in stage.dead:
        await stage.house.programs[name].stop()
        stage.dead.add(name)
    await ensure(stage, name)


async def start(stage: Stage, step: Step) -> None:
    """A process that is not there is started."""
    await ensure(stage, _named(stage, step))


async def ensure(stage: Stage, *names: str) -> None:
    """Start those of the processes that are not there."""
    wanted = [name for name in names if name in stage.dead]
    for name in wanted:
        await stage.house.start(name)
        stage.dead.remove(name)


async def redeliver(stage: Stage) -> None:
    """Let Pub/Sub try again now what it would try again in up to a minute."""
    google = stage.house.google
    push = {
        "pushEndpoint": f"{stage.house.doors['web']}/webhooks/google/gmail",
        "oidcToken": {"serviceAccountEmail": PUSHER, "audience": AUDIENCE},
    }
    url = f"{google.origin}/v1/{SUBSCRIPTION}:modifyPushConfig"
    async with stage.house.session.post(url, json={"pushConfig": push}) as answer:
        assert answer.ok, await answer.text()


def _named(stage: Stage, step: Step) -> str:
    names = sorted(stage.house.programs)
    return names[step.which % len(names)]


RULES = {"kill": kill, "crash": crash, "restart": restart, "start": start}
