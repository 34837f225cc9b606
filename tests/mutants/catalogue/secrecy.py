"""What nobody may see or run, and what a release may not do to a database."""

from tests.mutants.mutant import mutant

KEYS = "libs/common/idempotency.py"
MIGRATE = "libs/common/migrate.py"
ATTACHMENTS = "services/mail/web/attachments.py"
PUSH = "services/mail/web/push.py"

LOGS = "tests/unit/common/test_log.py"
TEXTS = "tests/unit/mail/test_mime_text.py"
REPEATED = "tests/integration/common/test_idempotency.py"
MIGRATED = "tests/integration/common/test_migrate.py"
DOWNLOADS = "tests/integration/mail/test_attachments.py"
WEBHOOK = "tests/integration/mail/test_webhook.py"

MUTANTS = (
    mutant(
        "log-not-masked",
        "What looks like a token, a password or an address is logged as it is.",
        f"{LOGS}::test_libraries_end_in_the_same_stream_masked_alike",
        edit=(
            "libs/common/log.py",
            "        render_exception,\n        mask,\n",
            "        render_exception,\n",
        ),
    ),
    mutant(
        "html-as-it-came",
        "The HTML of a message is given out with its scripts.",
        f"{TEXTS}::test_html_is_shown_without_what_acts",
        edit=(
            "services/mail/domain/mime/html.py",
            "cleaned: str = CLEANER.clean(source)",
            "cleaned: str = source",
        ),
    ),
    mutant(
        "attachment-shown-by-the-browser",
        "A browser shows, or runs, what it should save.",
        f"{DOWNLOADS}::test_an_attachment_is_downloaded_as_it_was_sent",
        edit=(ATTACHMENTS, """f"attachment; filename=""", """f"inline; filename="""),
    ),
    mutant(
        "attachment-of-any-type",
        "An attachment is served as the script that its sender says it is.",
        f"{DOWNLOADS}::test_what_a_browser_would_run_is_only_bytes",
        edit=(
            ATTACHMENTS,
            """return name if is_safe and not name.startswith("message/") else OCTETS""",
            """return name if is_safe or TYPE.fullmatch(name) else OCTETS""",
        ),
    ),
    mutant(
        "strangers-body-read",
        "The webhook reads the body before it knows who sent it.",
        f"{WEBHOOK}::test_without_a_token_the_body_is_not_read",
        edit=(
            PUSH,
            """\
    await app[VERIFIER].verify(request.headers.get("Authorization"), clock.now())
    body = await read_bytes(request)
""",
            """\
    body = await read_bytes(request)
    await app[VERIFIER].verify(request.headers.get("Authorization"), clock.now())
""",
        ),
    ),
    mutant(
        "repeated-answers-in-clear",
        "Who reads the table of idempotency keys reads the links in the answers.",
        f"{REPEATED}::test_the_table_alone_tells_neither_key_nor_answer",
        edit=(
            (
                KEYS,
                """return nonce + mine.seal.encrypt(nonce, head + b"\\n" + body, mine.scope)""",
                """return nonce + head + b"\\n" + body""",
            ),
            (
                KEYS,
                "mine.seal.decrypt(answer[:NONCE_BYTES], answer[NONCE_BYTES:], mine.scope)",
                "answer[NONCE_BYTES:]",
            ),
        ),
    ),
    mutant(
        "migrators-side-by-side",
        "Replicas that start at once migrate at once.",
        f"{MIGRATED}::test_migrators_at_once_apply_everything_once",
        edit=(
            MIGRATE,
            '"SELECT pg_try_advisory_lock($1)"',
            '"SELECT pg_try_advisory_lock_shared($1)"',
        ),
    ),
    mutant(
        "later-schema-touched",
        "An old release works on a database that a later one has migrated.",
        f"{MIGRATED}::test_a_database_of_a_later_release_is_left_alone",
        edit=(
            MIGRATE,
            '        if name.partition("/")[0] in parts and name not in ours:\n',
            '        if name.partition("/")[0] in parts and name in ():\n',
        ),
    ),
)
