"""The whole stack where Google cannot push: real processes, nothing but pulling."""

import pytest

from tests.cli.stacks import own_stack

pytestmark = pytest.mark.timeout(240)


def test_the_story_is_played_without_a_push_and_ends_cleanly() -> None:
    with own_stack(CAUSEWAY_GMAIL_SUBSCRIPTION="projects/local/subscriptions/pulled") as stack:
        told = stack.run("demo", "--once")

        assert told.returncode == 0, told.stdout + told.stderr
        log = (stack.home.logs / "mail-web.log").read_text()
        assert '"event":"stopped"' in log
        assert "task_crashed" not in log
        assert "/webhooks/google/gmail" not in log
        assert stack.processes() == []
