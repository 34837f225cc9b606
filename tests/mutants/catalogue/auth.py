"""Consents, grants, the vault and refreshes: `services/auth`."""

from tests.mutants.mutant import mutant

CONSENTS = "services/auth/store/consents.py"
ACCOUNTS = "services/auth/store/accounts.py"
STORE = "services/auth/store/connections.py"
SEALING = "services/auth/domain/sealing.py"
RULES = "services/auth/domain/rules.py"
GOOGLE = "services/auth/google.py"
OUTCOME = "services/auth/sync/outcome.py"
REFRESH = "services/auth/sync/refresh.py"
DISCONNECT = "services/auth/sync/disconnect.py"
WEB = "services/auth/web/connections.py"

BROWSERS = "tests/integration/auth/test_bad_browsers.py"
API = "tests/integration/auth/test_connections_api.py"
IDENTITY = "tests/integration/auth/test_identity.py"
TOKENS = "tests/integration/auth/test_tokens.py"
ENDINGS = "tests/integration/auth/test_disconnecting.py"
VAULT = "tests/integration/auth/test_vault.py"
SEALED = "tests/unit/auth/test_sealing.py"

MUTANTS = (
    mutant(
        "oauth-state-reusable",
        "A callback can be opened again and again.",
        f"{BROWSERS}::test_a_state_is_used_once",
        edit=(
            CONSENTS,
            """\
DELETE FROM consents WHERE digest = $1 AND browser_digest = $2
RETURNING tenant_id, connection_id, return_url, wishes, login_hint, expires_at > $3 AS valid
""",
            """\
SELECT tenant_id, connection_id, return_url, wishes, login_hint, expires_at > $3 AS valid
  FROM consents WHERE digest = $1 AND browser_digest = $2
""",
        ),
    ),
    mutant(
        "oauth-state-of-any-browser",
        "The callback is taken from a browser that did not start it.",
        f"{BROWSERS}::test_the_callback_of_a_foreign_browser_is_refused",
        edit=(
            CONSENTS,
            "DELETE FROM consents WHERE digest = $1 AND browser_digest = $2\n",
            "DELETE FROM consents WHERE digest = $1 AND $2::bytea IS NOT NULL\n",
        ),
    ),
    mutant(
        "oauth-state-without-end",
        "A consent may be finished whenever somebody likes.",
        f"{BROWSERS}::test_a_state_is_over_after_ten_minutes",
        edit=(CONSENTS, "expires_at > $3 AS valid", "$3::timestamptz IS NOT NULL AS valid"),
    ),
    mutant(
        "ticket-reusable",
        "A start link opens as often as somebody likes.",
        f"{BROWSERS}::test_a_ticket_opens_once",
        edit=(
            CONSENTS,
            """\
DELETE FROM tickets WHERE digest = $1
RETURNING tenant_id, connection_id, return_url, wishes, login_hint, expires_at > $2 AS valid
""",
            """\
SELECT tenant_id, connection_id, return_url, wishes, login_hint, expires_at > $2 AS valid
  FROM tickets WHERE digest = $1
""",
        ),
    ),
    mutant(
        "ticket-without-end",
        "A start link is good for ever.",
        f"{BROWSERS}::test_a_ticket_is_over_after_five_minutes",
        edit=(CONSENTS, "expires_at > $2 AS valid", "$2::timestamptz IS NOT NULL AS valid"),
    ),
    mutant(
        "ticket-stored-in-clear",
        "Who reads the database can open the links in it.",
        f"{BROWSERS}::test_the_ticket_is_stored_as_a_digest_only",
        edit=(
            "services/auth/domain/secrets.py",
            """return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()""",
            """return secret.encode("utf-8", "surrogatepass")""",
        ),
    ),
    mutant(
        "no-pkce",
        "A stolen code can be exchanged by whoever has it.",
        f"{BROWSERS}::test_google_is_asked_with_pkce_offline_and_a_nonce",
        edit=(
            (
                GOOGLE,
                """\
            "code_challenge": secrets.challenge(secrets.verifier(browser, state)),
            "code_challenge_method": "S256",
""",
                "",
            ),
            (GOOGLE, "code_verifier=secrets.verifier(browser, state),", "code_verifier=None,"),
        ),
    ),
    mutant(
        "nonce-unchecked",
        "An ID token of another consent is taken for this one's.",
        f"{IDENTITY}::test_a_genuine_id_token_of_another_consent_is_refused",
        edit=(GOOGLE, "now=now, nonce=nonce\n", "now=now, nonce=None\n"),
    ),
    mutant(
        "unverified-email-accepted",
        "An account counts under an e-mail that Google does not vouch for.",
        f"{IDENTITY}::test_an_address_google_does_not_vouch_for_is_refused",
        edit=(GOOGLE, "if not identity.email_verified:", "if not identity.email:"),
    ),
    mutant(
        "anybody-confirms",
        "A connection is confirmed by somebody who did not ask for it.",
        f"{API}::test_nobody_else_confirms",
        edit=(WEB, "    if connection.user_id != user_id:\n", "    if not connection.user_id:\n"),
    ),
    mutant(
        "any-confirmation-will-do",
        "The secret that only the consenting browser knows is not compared.",
        f"{API}::test_where_it_is_required_only_the_consenting_browsers_secret_confirms",
        edit=(
            "services/auth/sync/confirm.py",
            "not await store.is_confirmation(conn, connection.id, secrets.digest(confirmation)):",
            "not confirmation:",
        ),
    ),
    mutant(
        "another-account-slips-in",
        "A consent of another person replaces the account of a connection in use.",
        f"{API}::test_another_account_cannot_slip_into_a_connection",
        edit=(
            RULES,
            "if connection.state in LIVE and connection.account_id != account.id:",
            "if connection.state in LIVE and connection.account_id is None:",
        ),
    ),
    mutant(
        "any-return-address",
        "The browser, and the confirmation with it, is sent wherever a request says.",
        f"{API}::test_a_bad_request_names_the_field_and_writes_nothing",
        edit=(
            WEB,
            "        return_url=_checked(context, body.return_url),\n",
            "        return_url=body.return_url,\n",
        ),
    ),
    mutant(
        "token-not-bound-to-its-row",
        "A sealed token copied to another account's row opens there.",
        f"{SEALED}::test_a_sealed_value_opens_nowhere_else",
        f"{VAULT}::test_a_token_copied_to_another_row_does_not_open",
        edit=(
            SEALING,
            """return f"{self.table} {self.column} {self.row}".encode()""",
            """return b"causeway\"""",
        ),
    ),
    mutant(
        "token-bound-to-its-row-only",
        "A sealed refresh token opens in the access token's column.",
        f"{SEALED}::test_a_sealed_value_opens_nowhere_else",
        edit=(
            SEALING,
            """return f"{self.table} {self.column} {self.row}".encode()""",
            """return f"{self.table} {self.row}".encode()""",
        ),
    ),
    mutant(
        "token-stored-in-clear",
        "Who reads the database reads the mail.",
        f"{VAULT}::test_no_table_holds_a_token_in_clear",
        edit=(
            (
                SEALING,
                "box = self._ciphers[self._newest].encrypt(nonce, secret.encode(), place.bound())",
                "box = secret.encode()",
            ),
            (
                SEALING,
                "return cipher.decrypt(nonce, box, place.bound()).decode()",
                "return box.decode()",
            ),
        ),
    ),
    mutant(
        "first-refusal-marks-the-account",
        "One `invalid_grant` sends the person back to Google.",
        f"{TOKENS}::test_one_refusal_is_no_revocation",
        edit=(RULES, "        return Verdict.REMEMBER\n", "        return Verdict.MARK\n"),
    ),
    mutant(
        "refusals-within-the-minute-count",
        "Two refusals in a second count as two.",
        f"{TOKENS}::test_refusals_within_the_minute_do_not_count_twice",
        edit=(
            RULES,
            "    if now - account.refused_at < wait:\n",
            "    if now < account.refused_at:\n",
        ),
    ),
    mutant(
        "our-fault-marks-accounts",
        "When Google refuses our client, people's accounts are degraded for it.",
        f"{TOKENS}::test_our_client_being_refused_is_nobodys_fault",
        edit=(RULES, "if alarm or failure is Failure.CLIENT_REFUSED:", "if alarm:"),
    ),
    mutant(
        "alarm-stops-nothing",
        "While very many refreshes fail, accounts are still marked.",
        f"{TOKENS}::test_when_many_refreshes_fail_no_account_changes_and_an_alarm_sounds",
        edit=(
            RULES,
            "if alarm or failure is Failure.CLIENT_REFUSED:",
            "if failure is Failure.CLIENT_REFUSED:",
        ),
    ),
    mutant(
        "every-process-refreshes",
        "The lease of an account is given to all who ask.",
        f"{TOKENS}::test_any_number_of_processes_cause_one_refresh",
        edit=(
            ACCOUNTS,
            """\
 WHERE id = $1 AND access_version = $4 AND token_version = $5
   AND (lease_until IS NULL OR lease_until < $6)
""",
            """\
 WHERE id = $1 AND $4::bigint >= 0 AND $5::bigint >= 0 AND $6::timestamptz IS NOT NULL
""",
        ),
    ),
    mutant(
        "lease-of-the-dead-kept",
        "A refresher that died keeps its account from being refreshed.",
        f"{TOKENS}::test_a_refresher_that_died_is_replaced_when_its_lease_is_over",
        edit=(
            ACCOUNTS,
            "AND (lease_until IS NULL OR lease_until < $6)",
            "AND (lease_until IS NULL AND $6::timestamptz IS NOT NULL)",
        ),
    ),
    mutant(
        "refusal-of-an-old-token-believed",
        "What Google said of a token that was replaced meanwhile is held against the new one.",
        f"{TOKENS}::test_a_consent_in_between_wins_over_a_refusal_of_the_old_token",
        edit=(
            OUTCOME,
            "return present if present.token_version == vault.account.token_version else None",
            "return present",
        ),
    ),
    mutant(
        "dying-token-given-out",
        "An access token is given out until its last second.",
        f"{TOKENS}::test_a_token_is_taken_from_the_vault_until_it_nears_its_end",
        edit=(REFRESH, "MARGIN = timedelta(seconds=120)", "MARGIN = timedelta(seconds=0)"),
    ),
    mutant(
        "replaced-refresh-token-lost",
        "When Google gives a new refresh token, the old one is kept.",
        f"{TOKENS}::test_a_refresh_token_google_replaced_is_kept",
        edit=(OUTCOME, "newest = grant.refresh_token or used", "newest = used"),
    ),
    mutant(
        "revoked-while-another-lives",
        "Ending one product or connection revokes what the others still need.",
        f"{ENDINGS}::test_one_product_of_two_ends_without_revoking",
        f"{ENDINGS}::test_an_account_shared_by_tenants_is_revoked_with_its_last_connection",
        edit=(
            (
                DISCONNECT,
                "if account.state is State.DISCONNECTED or await dues.is_in_use(conn, account.id):",
                "if account.state is State.DISCONNECTED:",
            ),
            (
                DISCONNECT,
                "        if await dues.is_in_use(conn, account_id):\n",
                "        if account_id is None:\n",
            ),
        ),
    ),
    mutant(
        "failed-revocation-forgotten",
        "A grant that could not be revoked is taken for revoked.",
        f"{ENDINGS}::test_a_revocation_that_fails_is_tried_again",
        edit=(
            DISCONNECT,
            "        await _postpone(context, vault.account, lease_id, error=type(exc).__name__)\n",
            "        await _empty(context, vault.account, lease_id)\n",
        ),
    ),
    mutant(
        "old-links-survive-the-end",
        "A link made before the disconnect connects again.",
        f"{ENDINGS}::test_a_link_made_before_the_disconnect_brings_nothing_back",
        edit=(
            DISCONNECT,
            """\
        await store.set_state(conn, mine.id, after.state, after.reason, now=now)
    await _forget_consents(conn, mine)
    if account is not None:
        if mine""",
            """\
        await store.set_state(conn, mine.id, after.state, after.reason, now=now)
    if account is not None:
        if mine""",
        ),
    ),
    mutant(
        "sequence-repeats",
        "Two events of a connection carry the same number.",
        f"{ENDINGS}::test_events_of_a_connection_are_numbered_without_gaps",
        edit=(
            STORE,
            '"UPDATE connections SET sequence = sequence + 1 WHERE id = $1 RETURNING sequence"',
            '"SELECT sequence + 1 FROM connections WHERE id = $1"',
        ),
    ),
    mutant(
        "sequence-not-under-the-row-lock",
        "Two transactions at once take the same number for a connection's event.",
        f"{ENDINGS}::test_two_events_at_once_have_two_numbers",
        edit=(
            STORE,
            """\
    number: int = await conn.fetchval(NEXT_SEQUENCE, connection_id)
    return number
""",
            """\
    read = "SELECT sequence + 1 FROM connections WHERE id = $1"
    number: int = await conn.fetchval(read, connection_id)
    await conn.execute("UPDATE connections SET sequence = $2 WHERE id = $1", connection_id, number)
    return number
""",
        ),
    ),
)
