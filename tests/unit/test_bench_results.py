"""The results of the benches: what a partial run replaces, and how they are shown."""

from bench import results
from bench.__main__ import NAMES
from bench.results import Results
from bench.rows import Row

OLD = {"CPU": "a 6502", "measured": "yesterday", "commit": "aaa"}
NEW = {"CPU": "a Z80", "measured": "today", "commit": "bbb"}
ORDER = ("intake", "relay", "memory")
FAST = Row("intake", "requests", 3000.0, "req/s", floor=1500.0, bound=1.5, direction="at least")
SLOW = Row("relay", "events", 700.0, "events/s", floor=1000.0, bound=0.8, direction="at least")
SHOWN = Row("memory", "growth", 0.25, "MiB", note="after a day")


def both() -> Results:
    first = results.merge(Results(), "relay", [SLOW], OLD, order=ORDER)
    return results.merge(first, "intake", [FAST], OLD, order=ORDER)


def test_benches_stand_in_their_order_whichever_ran_first() -> None:
    assert [one.row for one in both().rows] == [FAST, SLOW]


def test_a_partial_run_replaces_its_own_rows_and_no_others() -> None:
    better = Row("relay", "other events", 900.0, "events/s", floor=1000.0)

    merged = results.merge(both(), "relay", [better], NEW, order=ORDER)

    assert [(one.row, one.commit) for one in merged.rows] == [(FAST, "aaa"), (better, "bbb")]
    assert merged.facts == NEW


def test_what_is_written_is_read_again() -> None:
    assert results.from_json(results.to_json(both())) == both()


def test_the_page_says_what_is_met_and_what_is_not() -> None:
    page = results.to_markdown(results.merge(both(), "memory", [SHOWN], NEW, order=ORDER))

    assert "- CPU: a Z80\n" in page
    assert "## intake\n\nyesterday, commit aaa\n" in page
    assert "| requests | 3,000 | req/s | 1,500 | 2.00 | at least 1.5 | yes |\n" in page
    assert "| events | 700 | events/s | 1,000 | 0.70 | at least 0.8 | NO |\n" in page
    assert "| growth (after a day) | 0.25 | MiB |  |  |  |  |\n" in page


def test_the_terminal_shows_only_what_ran() -> None:
    assert results.table(both().rows, only=["relay"]).row_count == 1


def test_every_bench_has_one_name() -> None:
    assert len(set(NAMES)) == len(NAMES)
