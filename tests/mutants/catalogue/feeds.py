"""Claims, leases, signals and what a comparison may remove: `libs/common/feeds`."""

from tests.mutants.mutant import mutant

LEASES = "libs/common/feeds/store/leases.py"
SIGNALS = "libs/common/feeds/store/signals.py"
ROWS = "libs/common/feeds/store/rows.py"
RUNNER = "libs/common/feeds/runner.py"
COMPARE = "libs/common/feeds/compare.py"
CLAIMS = "tests/integration/common/feeds/test_claims.py"
RUNS = "tests/integration/common/feeds/test_runner.py"
WISHES = "tests/integration/common/feeds/test_wishes.py"
ATTEMPTS = "tests/integration/common/feeds/test_attempts.py"
COMPARISONS = "tests/integration/common/feeds/test_compare.py"
COMPARING = "tests/integration/mail/test_comparing.py"
LIVE = "tests/integration/mail/test_live.py"

MUTANTS = (
    mutant(
        "no-fencing",
        "A commit does not check the lease's epoch: a worker that lost its lease still writes.",
        f"{CLAIMS}::test_a_commit_under_an_old_lease_is_refused",
        f"{CLAIMS}::test_stopping_a_feed_fences_out_the_worker_that_runs_it",
        edit=(
            LEASES,
            """\
UPDATE feeds SET cursor = $4, fingerprint = $5
 WHERE tenant_id = $1 AND id = $2 AND lease_epoch = $3
""",
            """\
UPDATE feeds SET cursor = $4, fingerprint = $5
 WHERE tenant_id = $1 AND id = $2 AND $3::bigint IS NOT NULL
""",
        ),
    ),
    mutant(
        "no-fencing-at-the-end",
        "A run that lost its lease still says how the feed is and when it runs next.",
        f"{CLAIMS}::test_a_finish_that_waited_for_a_stop_does_not_undo_it",
        edit=(
            LEASES,
            "f.id = l.feed_id AND f.lease_epoch = $3",
            "f.id = l.feed_id AND $3::bigint IS NOT NULL",
        ),
    ),
    mutant(
        "lost-lease-renewed",
        "A worker renews a lease that somebody else has by now.",
        f"{CLAIMS}::test_a_lost_lease_is_not_renewed",
        edit=(
            LEASES,
            "SET lease_until = $4 WHERE tenant_id = $1 AND id = $2 AND lease_epoch = $3",
            "SET lease_until = $4 WHERE tenant_id = $1 AND id = $2 AND $3::bigint IS NOT NULL",
        ),
    ),
    mutant(
        "lease-never-renewed",
        "A long run's lease runs out under it.",
        f"{RUNS}::test_a_long_run_keeps_its_lease",
        f"{RUNS}::test_a_worker_that_lost_its_lease_is_stopped",
        edit=(
            RUNNER,
            "asyncio.create_task(self._keep(lease, work))",
            "asyncio.create_task(asyncio.Event().wait())",
        ),
    ),
    mutant(
        "claim-leases-nothing",
        "A claimed feed stays due: every replica runs it.",
        f"{CLAIMS}::test_a_leased_feed_is_claimed_by_nobody_else",
        edit=(
            "libs/common/migrations/feeds/0003_pre_claim.sql",
            "UPDATE signals AS s SET running = true, due_at = lease_end\n",
            "UPDATE signals AS s SET running = true, due_at = LEAST(s.due_at, lease_end)\n",
        ),
    ),
    mutant(
        "forgotten-claim-repeated",
        "After a crash of Postgres that forgot a claim, the next one gets its epoch.",
        f"{CLAIMS}::test_a_claim_that_a_crash_of_the_database_forgot_may_commit_nothing",
        edit=(
            "libs/common/migrations/feeds/0003_pre_claim.sql",
            "f.lease_epoch + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint),",
            "f.lease_epoch + 1, 0),",
        ),
    ),
    mutant(
        "stop-does-not-fence",
        "Pausing or closing a feed leaves the worker that runs it its lease.",
        f"{CLAIMS}::test_stopping_a_feed_fences_out_the_worker_that_runs_it",
        edit=(
            ROWS,
            "SET state = $3, reason = $4, lease_epoch = lease_epoch + 1, lease_until = NULL\n",
            "SET state = $3, reason = $4, lease_until = NULL\n",
        ),
    ),
    mutant(
        "signal-lost-during-a-run",
        "The generation is not compared at the end: a push during a run is swallowed.",
        f"{CLAIMS}::test_a_signal_raised_during_a_run_makes_the_feed_due_again",
        f"{RUNS}::test_a_push_during_a_run_is_not_swallowed",
        edit=(LEASES, "WHEN generation <> $10 THEN", "WHEN generation <> $10 AND false THEN"),
    ),
    mutant(
        "signal-hurries-past-a-refusal",
        "A push makes a feed run although Google said to wait.",
        f"{CLAIMS}::test_a_push_does_not_hurry_a_feed_that_google_told_to_wait",
        edit=(
            SIGNALS,
            "ELSE LEAST(due_at, GREATEST($2::timestamptz, not_before)) END\n      FROM hit",
            "ELSE LEAST(due_at, $2::timestamptz) END\n      FROM hit",
        ),
    ),
    mutant(
        "quota-refusal-ignored-by-runs",
        "After a refusal of Google's the feed runs again at once.",
        f"{RUNS}::test_a_quota_refusal_is_obeyed_and_is_no_failure",
        edit=(
            RUNNER,
            """return _Outcome("rate_limited", lease.feed.state, lease.feed.reason, wait_s)""",
            """return _Outcome("rate_limited", lease.feed.state, lease.feed.reason, wait_s * 0)""",
        ),
    ),
    mutant(
        "poll-never-happens",
        "A quiet feed is not due again until a push comes.",
        f"{COMPARING}::test_a_dropped_push_is_repaired_within_the_poll_bound",
        f"{LIVE}::test_without_pushes_the_poll_finds_the_mail",
        edit=(
            RUNNER,
            "due_at=now + (timedelta(seconds=poll_s) if outcome.wait_s is None else wait),",
            "due_at=now + (timedelta(days=999) if outcome.wait_s is None else wait),",
        ),
    ),
    mutant(
        "wish-to-be-polled-ignored",
        "A run that asks to be polled sooner is not.",
        f"{WISHES}::test_a_run_may_ask_to_be_polled_sooner_but_not_later",
        edit=(
            RUNNER,
            "kind.poll_every_s if lease.poll_s is None else min(kind.poll_every_s, lease.poll_s)",
            "kind.poll_every_s",
        ),
    ),
    mutant(
        "void-cursor-kept",
        "A feed opened for another account or query goes on from the old cursor.",
        f"{CLAIMS}::test_a_cursor_of_another_account_or_query_is_dropped",
        edit=(
            ROWS,
            "OR feeds.fingerprint <> EXCLUDED.fingerprint THEN EXCLUDED.cursor",
            "AND feeds.fingerprint <> EXCLUDED.fingerprint THEN EXCLUDED.cursor",
        ),
    ),
    mutant(
        "attempts-without-end",
        "An item that kills its worker is tried for ever.",
        f"{ATTEMPTS}::test_an_item_that_had_three_attempts_is_to_be_parked",
        edit=(
            "libs/common/feeds/attempts.py",
            """if row["attempts"] > most}""",
            """if row["attempts"] > most * 1000}""",
        ),
    ),
    mutant(
        "hold-never-opened",
        "A wave of deletions waits for nobody.",
        f"{COMPARISONS}::test_a_wave_of_absences_waits_for_a_person",
        f"{COMPARING}::test_a_wave_of_deletions_waits_for_a_person",
        edit=(COMPARE, "if not holds.needs_hold(absent, held):", "if absent <= held:"),
    ),
    mutant(
        "hold-never-heeded",
        "A comparison removes what a person said no to.",
        f"{COMPARISONS}::test_a_wave_goes_as_the_person_says",
        f"{COMPARING}::test_a_wave_that_is_rejected_removes_nothing",
        edit=(
            COMPARE,
            """\
                    fresh or self._now() - asked.created_at < MUTED
                ):
                    return False
""",
            """\
                    fresh or self._now() - asked.created_at < MUTED
                ):
                    return True
""",
        ),
    ),
    mutant(
        "partial-list-taken-for-whole",
        "A comparison takes the first page of an enumeration for all of it.",
        f"{COMPARISONS}::test_what_a_later_page_lists_is_not_absent",
        edit=(
            COMPARE,
            """\
            if page.place is None:
                moved = moved.next(Phase.MARKS if standing.plan.whole else Phase.MISSING)
""",
            """\
            if page is not None:
                moved = moved.next(Phase.MARKS if standing.plan.whole else Phase.MISSING)
""",
        ),
    ),
    mutant(
        "comparison-moves-before-its-rows",
        "A comparison notes a page of the list as done before it is kept.",
        f"{COMPARISONS}::test_a_page_that_could_not_be_kept_is_listed_again",
        edit=(
            COMPARE,
            """\
        async with transaction(self._pool) as conn:
            if not standing.place:
                await snapshot.clear_items(conn, lease.feed)
""",
            """\
        async with transaction(self._pool) as conn:
            await self._advance(conn, lease, standing.at(page.place or ""))
        async with transaction(self._pool) as conn:
            if not standing.place:
                await snapshot.clear_items(conn, lease.feed)
""",
        ),
    ),
)
