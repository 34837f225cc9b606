"""Outbox, relay, consumers and inbox: nothing lost, nothing done twice."""

from tests.mutants.mutant import mutant

RELAY = "libs/common/relay.py"
CONSUMER = "libs/common/bus/consumer.py"
OUTBOX = "libs/common/outbox.py"
RELAYING = "tests/integration/common/test_relay.py"
CONSUMING = "tests/integration/common/test_consumer.py"
APPENDING = "tests/integration/common/test_outbox.py"
RESTORED = "tests/faults/test_restore.py"
A_RESTORE = "test_an_older_backup_is_made_up_for_by_the_feeds_and_no_number_is_given_twice"

MUTANTS = (
    mutant(
        "relay-deletes-before-the-confirm",
        "The relay forgets events before the broker has taken them.",
        f"{RELAYING}::test_an_event_the_broker_refuses_for_now_is_kept_until_it_is_taken",
        f"{RELAYING}::test_connections_that_die_while_publishing_lose_nothing",
        edit=(
            RELAY,
            """\
        outcome = await publish_batch(channel, rows, window=self._window)
        await self._settle(conn, outcome)
""",
            """\
        await outbox.delete(conn, [row.id for row in rows])
        outcome = await publish_batch(channel, rows, window=self._window)
        await self._settle(conn, outcome)
""",
        ),
    ),
    mutant(
        "two-relays-at-once",
        "The lock is not asked for: every replica relays, and order is lost.",
        f"{RELAYING}::test_of_two_relays_one_works",
        edit=(
            RELAY,
            '"SELECT pg_try_advisory_lock($1)"',
            '"SELECT pg_try_advisory_lock_shared($1)"',
        ),
    ),
    mutant(
        "unroutable-event-lost",
        "An event that no queue takes is deleted as if it had arrived.",
        f"{RELAYING}::test_an_unroutable_event_goes_aside_and_others_flow_on",
        edit=(
            RELAY,
            "        except PublishError:\n            outcome.returned.append(row)\n",
            "        except PublishError:\n            outcome.confirmed.append(row)\n",
        ),
    ),
    mutant(
        "refused-event-lost",
        "An event that the broker could not take now is deleted.",
        f"{RELAYING}::test_an_event_the_broker_refuses_for_now_is_kept_until_it_is_taken",
        edit=(
            RELAY,
            "            outcome.refused += 1\n",
            "            outcome.confirmed.append(row)\n",
        ),
    ),
    mutant(
        "lost-notification-loses-the-event",
        "An idle relay looks only when it is told to.",
        f"{RELAYING}::test_an_event_whose_notification_got_lost_is_found",
        edit=(RELAY, "asyncio.timeout(self._poll_s):", "asyncio.timeout(None):"),
    ),
    mutant(
        "newest-event-first",
        "Events of one aggregate overtake each other.",
        f"{RELAYING}::test_events_are_published_in_the_order_of_their_ids",
        edit=(
            OUTBOX,
            "  FROM outbox\n ORDER BY id\n LIMIT $1",
            "  FROM outbox\n LIMIT $1 OFFSET 1",
        ),
    ),
    mutant(
        "consumer-acks-before-its-effect",
        "A message is acknowledged, then handled: a crash between the two loses it.",
        f"{CONSUMING}::test_an_event_nobody_finished_comes_again",
        edit=(
            CONSUMER,
            """\
            failure = await self._handle(message)
            with link.broker_errors():
                if failure is not None:
                    await self._postpone(channel, message, failure)
                await message.ack()
""",
            """\
            with link.broker_errors():
                await message.ack()
            failure = await self._handle(message)
            with link.broker_errors():
                if failure is not None:
                    await self._postpone(channel, message, failure)
""",
        ),
    ),
    mutant(
        "failed-event-dropped",
        "What a handler could not do is acknowledged and gone.",
        f"{CONSUMING}::test_an_event_that_works_at_last_is_handled_once",
        edit=(
            CONSUMER,
            "                if failure is not None:\n                    await self._postpone(",
            "                if message is None:\n                    await self._postpone(",
        ),
    ),
    mutant(
        "attempts-not-counted",
        "A poisoned message is retried for ever.",
        f"{CONSUMING}::test_a_failing_event_is_retried_then_given_up_while_others_flow_on",
        edit=(CONSUMER, "    headers[ATTEMPTS] = attempts\n", "    headers[ATTEMPTS] = 1\n"),
    ),
    mutant(
        "inbox-off",
        "An event delivered twice has its effect twice.",
        f"{APPENDING}::test_an_event_is_new_to_a_consumer_once",
        f"{CONSUMING}::test_an_event_delivered_twice_has_one_effect",
        edit=(
            "libs/common/inbox.py",
            "ON CONFLICT DO NOTHING",
            "ON CONFLICT (consumer, event_id) DO UPDATE SET consumer = excluded.consumer",
        ),
    ),
    mutant(
        "numbers-given-twice-after-a-restore",
        "An event after a restore has the number of one that was told before it.",
        f"{RESTORED}::{A_RESTORE}",
        edit=("libs/common/restored.py", "JUMP = 1_000_000_000\n", "JUMP = 0\n"),
    ),
    mutant(
        "log-not-read-after-a-restore",
        "What others told between a backup and its restore is lost.",
        f"{RESTORED}::{A_RESTORE}",
        edit=(
            "libs/common/restored.py",
            "    for queue, types in restorable.queues.items():\n",
            "    for queue, types in list(restorable.queues.items())[:0]:\n",
        ),
    ),
)
