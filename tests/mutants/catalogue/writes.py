"""What goes out: the write ledger, sending, and our own changes coming back."""

from tests.mutants.mutant import mutant

LEDGER = "libs/common/writes/store/ledger.py"
CLAIMS = "libs/common/writes/store/claims.py"
SENDING = "services/mail/sync/outward/sending.py"
WRITES = "services/mail/sync/inward/writes.py"
ECHOES = "services/mail/sync/inward/echoes.py"
HISTORY = "services/mail/domain/history.py"
RETURNS = "services/mail/store/returns.py"
LETTER = "services/mail/domain/sending/letter.py"
ANYBODY = """AND (google_id IS NULL OR google_id = $4)
   AND NOT EXISTS (SELECT FROM messages m WHERE m.tenant_id = $1 AND m.id = $3)
"""

SENDS = "tests/integration/mail/test_sending.py"
LABELS = "tests/integration/mail/test_label_writes.py"
ROWS = "tests/integration/common/test_writes.py"
RULES = "tests/unit/mail/test_history.py"
LETTERS = "tests/unit/mail/test_letter.py"

MUTANTS = (
    mutant(
        "blind-resend",
        "A message whose answer was lost is put and sent again without a look.",
        f"{SENDS}::test_a_lost_answer_is_settled_and_nothing_goes_out_twice",
        edit=(
            (SENDING, "await (one.settle() if settle else one.go())", "await one.again()"),
            (
                SENDING,
                "    def _draft_id(self) -> str | None:\n",
                """\
    async def again(self) -> None:
        await self._send_draft(await self._put_draft())

    def _draft_id(self) -> str | None:
""",
            ),
        ),
    ),
    mutant(
        "ledger-row-sent-twice",
        "A write that is being sent is claimed once more.",
        f"{ROWS}::test_a_write_that_is_being_sent_is_nobody_elses_before_its_deadline",
        f"{ROWS}::test_writes_of_one_item_go_out_one_after_the_other",
        edit=(
            CLAIMS,
            "w.state = 'queued' AND w.due_at <= $5",
            "w.state IN ('queued', 'sending') AND w.due_at <= $5",
        ),
    ),
    mutant(
        "ledger-without-order",
        "Two writes of one item are on their way at once.",
        f"{ROWS}::test_writes_of_one_item_go_out_one_after_the_other",
        edit=(
            CLAIMS,
            """\
                          AND e.item = w.item AND e.position < w.position
                          AND e.finished_at IS NULL)
     ORDER BY w.position
     LIMIT $4
""",
            """\
                          AND e.item = w.item AND e.position < w.position
                          AND e.finished_at IS NULL AND e.id <> e.id)
     ORDER BY w.position
     LIMIT $4
""",
        ),
    ),
    mutant(
        "taken-over-before-the-deadline",
        "A new owner does not wait until Google cannot act on the old one's request any more.",
        f"{ROWS}::test_a_write_that_is_being_sent_is_nobody_elses_before_its_deadline",
        edit=(
            CLAIMS,
            "state = 'sending' AND deadline <= $5",
            "state = 'sending' AND $5::timestamptz IS NOT NULL",
        ),
    ),
    mutant(
        "finished-by-whoever-lost-it",
        "A worker whose write was taken over finishes it all the same.",
        f"{ROWS}::test_whoever_lost_a_write_can_neither_note_nor_finish_it",
        edit=(
            LEDGER,
            """\
       deadline = NULL
 WHERE tenant_id = $1 AND id = $2 AND state = 'sending' AND epoch = $3
""",
            """\
       deadline = NULL
 WHERE tenant_id = $1 AND id = $2 AND state = 'sending' AND $3::bigint IS NOT NULL
""",
        ),
    ),
    mutant(
        "echo-logged-as-edit",
        "Our own change, seen in the history before its answer, is told as the person's.",
        f"{LABELS}::test_a_lost_answer_leaves_one_change_and_one_event",
        edit=(
            WRITES,
            "origin = Origin.CRM if new.is_echo_of(change.echoes) else self._origin",
            "origin = self._origin",
        ),
    ),
    mutant(
        "sent-mail-logged-as-live",
        "What the CRM sent is told as if the person had sent it in Gmail.",
        f"{SENDS}::test_a_message_is_sent_and_logged_once",
        edit=(WRITES, "is_ours = one.message.google_id in ours", "is_ours = not ours"),
    ),
    mutant(
        "older-edits-undo-ours",
        "A record from before our change takes it back here.",
        f"{RULES}::test_steps_from_before_a_write_of_ours_are_overruled",
        edit=(
            HISTORY,
            "        if one.record_id <= mark\n",
            "        if one.record_id < 0 * mark\n",
        ),
    ),
    mutant(
        "unknown-is-sent-again",
        "A message whose fate cannot be found out is queued once more.",
        f"{SENDS}::test_a_send_whose_draft_vanished_is_unknown_and_never_sent_again",
        edit=(
            SENDING,
            "  # what is there was not sent\n        else:\n            await self._look()\n",
            "\n        else:\n            await self._send_draft(await self._put_draft())\n",
        ),
    ),
    mutant(
        "return-of-anybody",
        "Whoever writes our header into a message takes the place of a send.",
        f"{SENDS}::test_a_header_that_somebody_copied_is_nothing_to_us",
        edit=(RETURNS, ANYBODY, "AND $4 <> ''\n"),
    ),
    mutant(
        "injected-headers",
        "A line break in a subject becomes a header.",
        f"{SENDS}::test_what_cannot_be_sent_is_refused_whole",
        edit=(
            "services/mail/web/sending_models.py",
            "    if not value.isprintable():\n",
            "    if value is None:\n",
        ),
    ),
    mutant(
        "scripts-are-sent",
        "HTML is sent whatever it would run.",
        f"{LETTERS}::test_html_that_would_run_something_is_refused",
        edit=(LETTER, "        if reason is not None:\n", "        if reason == '':\n"),
    ),
    mutant(
        "part-proves-the-whole",
        "A label change whose answer was lost ends when the history shows a part of it.",
        f"{LABELS}::test_a_part_that_a_person_did_too_is_no_proof_of_the_whole",
        edit=(
            ECHOES,
            "    if _is_whole(own, change.steps, known):\n",
            "    if _is_whole(own, change.steps, known) or True:\n",
        ),
    ),
    mutant(
        "done-and-asked-again",
        "Label changes that were made before Google had enough are queued again.",
        f"{LABELS}::test_what_was_done_before_google_had_enough_is_done",
        edit=(
            "services/mail/sync/outward/label_writes.py",
            """\
                # What was done before Google had enough is done.
                await self._commit(connection, labels, asked, mark=mark)
""",
            "                asked = _Asked()\n",
        ),
    ),
    mutant(
        "refused-while-settling",
        "A write that is to be settled is queued as new when Google has enough.",
        f"{SENDS}::test_a_lost_draft_is_looked_for_although_google_has_enough_in_between",
        edit=(LEDGER, "    if settle:\n", "    if settle and reason == '':\n"),
    ),
    mutant(
        "attachments-outlive-their-mailbox",
        "What waits to be sent when a mailbox is disconnected keeps its attachments.",
        f"{SENDS}::test_what_waits_when_a_person_disconnects_is_taken_back",
        edit=(
            "services/mail/store/outgoing.py",
            '    await enclosures.drop_chunks(conn, tenant_id, [row["id"] for row in rows])\n',
            '    await enclosures.drop_chunks(conn, tenant_id, [row["id"] for row in rows[:0]])\n',
        ),
    ),
    mutant(
        "refused-look-is-no-send",
        "A message counts as not sent when Google does not let us look for it.",
        f"{SENDS}::test_a_refusal_to_look_is_no_proof_that_nothing_was_sent",
        edit=(
            SENDING,
            "            await one.refused(exc.slug)\n",
            "            await one.fail(exc.slug)\n",
        ),
    ),
)
