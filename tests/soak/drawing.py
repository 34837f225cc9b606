"""Drawing plans by a seed, and finding the shortest that fails."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.soak.steps import Step, plans


@dataclass(frozen=True)
class Stories:
    """Which plans are drawn."""

    rules: tuple[str, ...]
    always: tuple[str, ...]
    """Those of the rules that every plan may use."""
    examples: int
    least: int
    most: int
    """Steps of a plan."""


def draw(
    number: int, play: Callable[[Sequence[Step]], None], until: float, stories: Stories
) -> None:
    """Draw plans by a seed and run them, as long as there is time; shrink one that fails."""
    failed = False

    @seed(number)
    @settings(
        max_examples=stories.examples,
        deadline=None,
        database=None,
        print_blob=True,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(plans(stories.rules, always=stories.always, least=stories.least, most=stories.most))
    def run(plan: list[Step]) -> None:
        nonlocal failed
        if not plan or (time.monotonic() > until and not failed):
            return
        try:
            play(plan)
        except BaseException as exc:
            failed = True
            exc.add_note(f"CAUSEWAY_SEED={number}, {plan}")
            sys.stdout.write(f"failed with CAUSEWAY_SEED={number}: {plan}: {exc}\n")
            raise

    run()
