"""How hard to try: a little, always the same, in `make test`; long and at random in `make fuzz`."""

import os

from hypothesis import HealthCheck, settings

LONG = os.environ.get("CAUSEWAY_FUZZ") == "long"
TIMES = 20
"""As many examples are tried in a round of `make fuzz` as in `make test`."""

_HURDLES = (
    HealthCheck.too_slow,  # the machine may be busy
    HealthCheck.data_too_large,  # the inputs are meant to be large
    HealthCheck.filter_too_much,
    HealthCheck.function_scoped_fixture,  # a service serves all examples
)

settings.register_profile(
    "ci", derandomize=True, database=None, deadline=None, suppress_health_check=_HURDLES
)
settings.register_profile("long", deadline=None, suppress_health_check=_HURDLES)


def tries(examples: int) -> settings:
    """Return settings that try so many examples in `make test`, and many more in `make fuzz`."""
    profile = settings.get_profile("long" if LONG else "ci")
    return settings(profile, max_examples=examples * (TIMES if LONG else 1))
