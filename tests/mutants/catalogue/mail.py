"""Reading mailboxes, comparing them, what is kept of them, and what it may cost."""

from tests.mutants.mutant import mutant

INTAKE = "services/mail/sync/inward/intake.py"
COMPARING = "services/mail/sync/inward/comparing.py"
MAILBOX = "services/mail/sync/inward/mailbox.py"
FETCHING = "services/mail/sync/inward/fetching.py"
CONNECTIONS = "services/mail/sync/connections.py"
ROWS = "libs/common/connections/rows.py"
KEEPING = "services/mail/domain/keeping.py"
HISTORY = "services/mail/domain/history.py"
CONNECTED = "libs/common/google/connected.py"
LEDGER = "libs/common/quota/ledger.py"

CRASHES = "tests/integration/mail/test_crash.py"
COMPARED = "tests/integration/mail/test_comparing.py"
BACKFILLS = "tests/integration/mail/test_backfill.py"
LIVE = "tests/integration/mail/test_live.py"
CONNECTED_MAILBOXES = "tests/integration/mail/test_connections.py"
WORK = "tests/integration/mail/test_work.py"
LINKS = "tests/integration/mail/test_links.py"
API = "tests/integration/mail/test_api.py"
SETTINGS = "tests/integration/mail/test_settings.py"
KEEPING_WORK = "tests/integration/mail/test_keep_work.py"
RULES = "tests/unit/mail/test_history.py"
CHARGES = "tests/integration/common/google/test_accounts.py"
QUOTA = "tests/integration/common/quota/test_ledger.py"
LANES = "tests/unit/common/test_quota_rules.py"
DIRECTORY = "tests/integration/common/test_directory.py"

FAILED_COMMIT = f"{CRASHES}::test_a_commit_that_fails_leaves_neither_rows_nor_events_nor_cursor"
COPIES = "tests/integration/mail/test_copies.py"
OVERTAKING = "tests/integration/mail/test_overtaking.py"

MUTANTS = (
    mutant(
        "cursor-before-the-rows",
        "The cursor is committed before the messages it stands behind: a crash between loses them.",
        FAILED_COMMIT,
        edit=(
            INTAKE,
            """\
        async with transaction(self._pool) as conn:
            await directory.lock_shared(conn, connection.tenant_id)
            await lease.advance(conn, cursor=str(cursor))
            return await self.commit(""",
            """\
        async with transaction(self._pool) as conn:
            await lease.advance(conn, cursor=str(cursor))
        async with transaction(self._pool) as conn:
            await directory.lock_shared(conn, connection.tenant_id)
            return await self.commit(""",
        ),
    ),
    mutant(
        "cursor-before-the-rows-of-a-comparison",
        "A backfill notes a chunk as done before its messages are there.",
        f"{BACKFILLS}::test_a_chunk_that_could_not_be_committed_is_taken_in_again",
        edit=(
            COMPARING,
            """\
        await lease.advance(conn, cursor=moved.model_dump_json())
        await self._intake.commit(
""",
            """\
        async with transaction(self._pool) as before:
            await lease.advance(before, cursor=moved.model_dump_json())
        await self._intake.commit(
""",
        ),
    ),
    mutant(
        "events-outside-the-transaction",
        "Events are told although the rows they tell of were rolled back.",
        FAILED_COMMIT,
        edit=(
            INTAKE,
            """\
        await outbox.append(conn, *writes.told)
        _count(""",
            """\
        async with transaction(self._pool) as other:
            await outbox.append(other, *writes.told)
        _count(""",
        ),
    ),
    mutant(
        "tombstone-without-a-confirming-get",
        "A comparison removes what a list left out, without asking Google for it.",
        f"{COMPARED}::test_what_a_list_leaves_out_is_not_removed_while_google_has_it",
        edit=(
            COMPARING,
            "return [one for one, answer in zip(absent, answers, strict=True) if answer is None]",
            "return [one for one, _ in zip(absent, answers, strict=True)]",
        ),
    ),
    mutant(
        "dead-cursor-jumped-over",
        "When Gmail has forgotten the history, what was missed stays missed.",
        f"{COMPARED}::test_a_gap_is_repaired_beside_the_live_feed_and_told_with_its_counts",
        edit=(
            MAILBOX,
            """\
            await feeds.open_repair(
                conn,
                connection,
                reason=Reason.GAP,
                pin=str(pin),
                missed_since=lease.feed.last_sync_at,
                now=self._now(),
            )
""",
            "            assert feeds.open_repair and Reason.GAP\n",
        ),
    ),
    mutant(
        "cursor-pinned-after-the-watch",
        "Mail that comes between the first watch and the pin is never told.",
        f"{CONNECTED_MAILBOXES}::test_mail_that_comes_while_the_first_watch_is_asked_for_is_told",
        edit=(
            MAILBOX,
            """\
        await self._pin(lease, connection)
        unwatched = None if found.watched else await self._watching.keep(connection)
""",
            """\
        unwatched = None if found.watched else await self._watching.keep(connection)
        await self._pin(lease, connection)
""",
        ),
    ),
    mutant(
        "cursor-settles-too-early",
        "The cursor of a quiet mailbox follows Gmail's number at once: late records are lost.",
        f"{RULES}::test_only_a_quiet_mailbox_moves_along_by_an_old_mark",
        edit=(HISTORY, "    if not empty or mark is None:\n", "    if mark is None:\n"),
    ),
    mutant(
        "records-of-one-id-parted",
        "A chunk ends between two records that share an id: the second is skipped.",
        f"{RULES}::test_records_of_one_id_are_never_parted",
        edit=(
            HISTORY,
            "whole = held and record.id != held[-1].id",
            "whole = held and record.id >= held[-1].id",
        ),
    ),
    mutant(
        "old-records-count-again",
        "Records that were taken in before count again when they come beside a new one.",
        f"{RULES}::test_what_a_message_wears_already_is_not_undone_by_an_older_record",
        edit=(
            HISTORY,
            "        if step.record_id > base:\n",
            "        if step.record_id >= 0:\n",
        ),
    ),
    mutant(
        "dead-item-not-written",
        "A message that cannot be read is passed over without a word.",
        f"{CRASHES}::test_a_message_that_cannot_be_read_is_put_aside_and_the_rest_goes_on",
        edit=(
            INTAKE,
            "        for google_id, cause in fetches.unreadable.items():\n",
            "        for google_id, cause in list(fetches.unreadable.items())[:0]:\n",
        ),
    ),
    mutant(
        "deadly-message-tried-for-ever",
        "A message that kills its worker is tried again by the next.",
        f"{WORK}::test_a_message_that_kills_the_worker_is_put_aside_after_three_tries",
        edit=(
            FETCHING,
            "            deadly = await begin_attempts(conn, feed, wanted)\n",
            "            deadly = await begin_attempts(conn, feed, wanted) and set[str]()\n",
        ),
    ),
    mutant(
        "announced-message-not-waited-for",
        "A message that Gmail announces a moment before it can be read is lost.",
        f"{LIVE}::test_a_message_that_is_late_at_google_is_waited_for",
        edit=(
            FETCHING,
            "pauses = self._absent_retries_s if patient else ()",
            "pauses = self._absent_retries_s[:0] if patient else ()",
        ),
    ),
    mutant(
        "spam-is-mail",
        "What lies in spam is taken in and told.",
        f"{RULES}::test_spam_and_drafts_are_no_mail",
        edit=(
            "services/mail/domain/message.py",
            """HIDDEN = frozenset({"SPAM", "DRAFT"})""",
            """HIDDEN = frozenset({"DRAFT"})""",
        ),
    ),
    mutant(
        "strangers-mail-kept",
        "Under the policy `known` mail that concerns nobody is kept whole and told.",
        f"{API}::test_of_strangers_mail_only_a_trace_is_kept_and_nothing_told",
        edit=(
            KEEPING,
            """\
        if self.policy is Policy.NONE or (self.policy is Policy.KNOWN and not known):
            return Verdict(Keep.TRACE, Reason.POLICY)
""",
            """\
        if self.policy is Policy.NONE:
            return Verdict(Keep.TRACE, Reason.POLICY)
""",
        ),
    ),
    mutant(
        "policy-ignored-for-old-mail",
        "Settings that change act on what comes, and leave what is there as it is.",
        f"{SETTINGS}::test_what_a_policy_does_not_keep_goes_from_what_is_there",
        edit=(
            "services/mail/sync/inward/redacting.py",
            "        if verdict.keep < one.kept\n",
            "        if verdict.keep < 0\n",
        ),
    ),
    mutant(
        "settings-of-yesterday-at-the-commit",
        "A message is kept by the settings of when it was fetched, which are in force no more.",
        f"{KEEPING_WORK}::test_mail_on_its_way_is_kept_by_the_settings_at_its_commit",
        edit=(
            INTAKE,
            "        connection, rules = await self._keeper.current(conn, connection)\n",
            "        rules = await self._keeper.rules(conn, connection)\n",
        ),
    ),
    mutant(
        "redelivered-event-applied",
        "Neither the inbox nor the number of an event says that it was taken in before.",
        f"{CONNECTED_MAILBOXES}::test_an_event_delivered_twice_opens_the_mailbox_once",
        edit=(
            (
                "libs/common/connections/telling.py",
                "if not await inbox.first_time(conn, queue, envelope.id):",
                "if not envelope.id:",
            ),
            (
                "libs/common/connections/model.py",
                "return told.sequence <= current.event_sequence",
                "return told.sequence < current.event_sequence",
            ),
        ),
    ),
    mutant(
        "older-event-applied",
        "An event that comes late undoes what a newer one said.",
        f"{CONNECTED_MAILBOXES}::test_an_older_event_that_comes_late_changes_nothing",
        edit=(
            (
                "libs/common/connections/model.py",
                "return told.sequence <= current.event_sequence",
                "return told.sequence < 0",
            ),
            (
                ROWS,
                " WHERE c.event_sequence <= EXCLUDED.event_sequence AND",
                " WHERE",
            ),
        ),
    ),
    mutant(
        "older-entity-applied",
        "An older version of an entity replaces a newer one.",
        f"{DIRECTORY}::test_an_older_or_equal_version_changes_nothing",
        edit=(
            "libs/common/directory/store.py",
            "\n WHERE e.version < EXCLUDED.version\n",
            "\n WHERE e.version <> EXCLUDED.version\n",
        ),
    ),
    mutant(
        "lost-event-never-heals",
        "What auth lists is not held against what is here.",
        f"{CONNECTED_MAILBOXES}::test_a_lost_event_heals",
        edit=(
            "libs/common/connections/following.py",
            "        for info in listed:\n            await self._agree(info, started)\n",
            "",
        ),
    ),
    mutant(
        "watch-of-others-stopped",
        "Ending one connection of an account stops the watch that the others need.",
        f"{CONNECTED_MAILBOXES}::test_the_watch_of_a_shared_mailbox_outlives_one_of_its_connections",
        edit=(
            CONNECTIONS,
            "if not over or await is_account_in_use(conn, new.account_id):",
            "if not over:",
        ),
    ),
    mutant(
        "purge-ends-too-soon",
        "A purge removes a thousand messages and calls it done.",
        f"{CONNECTED_MAILBOXES}::test_purging_leaves_no_mail",
        edit=(
            "libs/common/connections/following.py",
            "                if count == 0:\n",
            "                if count >= 0:\n",
        ),
    ),
    mutant(
        "many-links-ask-nobody",
        "An entity that matches half a mailbox is linked without asking.",
        f"{LINKS}::test_very_many_links_wait_for_a_yes",
        edit=(
            "services/mail/sync/meaning/link_work.py",
            "            if hits <= self._most:\n",
            "            if hits >= 0:\n",
        ),
    ),
    mutant(
        "requests-not-charged",
        "Requests to Google are sent without asking the quota.",
        f"{CHARGES}::test_every_request_is_charged_before_it_is_sent",
        f"{CHARGES}::test_a_request_that_is_not_allowed_is_not_sent",
        edit=(
            CONNECTED,
            "return await self._with_token(connection_id, ask, before)",
            "return await self._with_token(connection_id, ask, None)",
        ),
    ),
    mutant(
        "quota-refusal-kept-to-itself",
        "What Google refused is not told to the ledger.",
        f"{CHARGES}::test_the_purse_learns_of_a_refusal_by_google",
        edit=(
            CONNECTED,
            "            await charge.refused(exc)\n            raise\n",
            "            raise\n",
        ),
    ),
    mutant(
        "quota-refusal-not-shared",
        "A refusal of Google's stops only the replica that heard it.",
        f"{QUOTA}::test_a_refusal_by_google_stops_every_replica",
        edit=(
            LEDGER,
            "                await store.pause(conn, model.account_scope(account_id), until)\n",
            "                assert conn\n",
        ),
    ),
    mutant(
        "lanes-ignored",
        "A backfill may use up what live mail needs.",
        f"{LANES}::test_each_lane_stops_while_the_next_one_goes_on",
        edit=(
            "libs/common/quota/model.py",
            "{Lane.BACKFILL: 70, Lane.LIVE: 90, Lane.SEND: 100}",
            "{Lane.BACKFILL: 100, Lane.LIVE: 100, Lane.SEND: 100}",
        ),
    ),
    mutant(
        "budget-booked-nowhere",
        "Replicas do not know what the others have spent.",
        f"{QUOTA}::test_replicas_spending_at_once_never_exceed_a_budget_and_do_not_deadlock",
        edit=(
            "libs/common/migrations/quota/0002_pre_take.sql",
            "SET used = u.used + EXCLUDED.used;",
            "SET used = u.used;",
        ),
    ),
    mutant(
        "live-feed-not-looked-at",
        "A backfill commits what it fetched before the live feed went past it.",
        f"{OVERTAKING}::test_what_happens_to_a_message_between_its_fetch_and_its_commit_is_not_lost",
        edit=(
            "services/mail/sync/inward/comparing.py",
            "await runs.hold_live_cursor(conn, lease.feed) <= seen:",
            "await runs.hold_live_cursor(conn, lease.feed) >= 0:",
        ),
    ),
    mutant(
        "moved-on-messages-left-to-history",
        "A repair leaves what was missed of a message that history has moved on since.",
        f"{OVERTAKING}::"
        "test_a_missed_change_is_found_although_the_history_has_moved_the_message_on",
        edit=(
            "services/mail/sync/inward/comparing.py",
            "            if answer is not None and answer.labels != known.labels\n",
            "            if answer is not None and answer.labels == known.labels\n",
        ),
    ),
    mutant(
        "activity-by-message-id-alone",
        "Whoever uses a Message-ID again joins the activity of somebody else's mail.",
        f"{COPIES}::test_a_stranger_who_uses_a_message_id_again_joins_nothing",
        edit=(
            "services/mail/domain/activities.py",
            "key = [tenant_id, rfc822_id, fold_address(content.sender.address), date]",
            "key = [tenant_id, rfc822_id, date, fold_address(date)]",
        ),
    ),
    mutant(
        "activity-of-every-tenant",
        "Tenants that have the same mail have one activity.",
        "tests/unit/mail/test_activities.py::test_tenants_have_no_activity_in_common",
        edit=(
            "services/mail/domain/activities.py",
            "key = [tenant_id, rfc822_id,",
            "key = [tenant_id[:0], rfc822_id,",
        ),
    ),
    mutant(
        "other-copies-not-looked-at",
        "The event of a second copy does not name the first.",
        f"{COPIES}::test_the_second_copy_is_told_under_the_same_activity",
        edit=(
            "services/mail/sync/meaning/activities.py",
            "added if number.is_new else held",
            "added or held",
        ),
    ),
    mutant(
        "deleted-copy-not-told",
        "Nothing is told of an activity when one of its copies is deleted.",
        f"{COPIES}::test_a_copy_that_is_deleted_leaves_the_others",
        edit=(
            "services/mail/sync/inward/writes.py",
            "            self._activities.change(self._gone(known), time=self.now)\n",
            "",
        ),
    ),
    mutant(
        "purged-copies-not-told",
        "Nothing is told of the activities of a mailbox that was purged.",
        f"{COPIES}::test_a_mailbox_that_is_purged_takes_its_copies_along",
        edit=(
            CONNECTIONS,
            "            if facts.activity_id is not None:\n",
            "            if not facts:\n",
        ),
    ),
)
