"""Steps: what may happen, as plain values that Hypothesis draws, shrinks and prints."""

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

NOTHING = "nothing"
MOST = 15
RULES_AT_ONCE = (4, 12)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens; the numbers choose among what is there when it does."""

    rule: str
    who: int = 0
    which: int = 0
    how: int = 0

    def __repr__(self) -> str:
        """Return it as it is written in a plan that is run again."""
        return f"Step({self.rule!r}, {self.who}, {self.which}, {self.how})"


@st.composite
def plans(
    draw: st.DrawFn, rules: Sequence[str], *, always: Sequence[str], least: int, most: int
) -> list[Step]:
    """Return a plan of steps by some of the rules.

    Few rules at a time make longer stories than all of them at once. What is shrunk away
    becomes nothing, so that a plan that was drawn is never too short to begin with.
    """
    few, many = RULES_AT_ONCE
    chosen = draw(st.lists(st.sampled_from(rules), min_size=few, max_size=many, unique=True))
    number = st.integers(0, MOST)
    step = st.builds(
        Step,
        st.sampled_from([NOTHING, *dict.fromkeys([*always, *chosen])]),
        st.integers(0, 1),
        number,
        number,
    )
    drawn = draw(st.lists(step, min_size=least, max_size=most))
    return [one for one in drawn if one.rule != NOTHING]
