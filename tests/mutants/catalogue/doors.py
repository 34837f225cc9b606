"""Who is let in: pushes, callers, services, repeated requests; and what a push is answered."""

from tests.mutants.mutant import mutant

OIDC = "libs/common/google/oidc.py"
JWT = "libs/common/jwt_rules.py"
DOOR = "libs/common/feeds/door.py"
NOTICES = "services/mail/sync/inward/notices.py"
PULLING = "services/mail/sync/inward/pulling.py"
PUSH = "services/mail/web/push.py"
PUSHES = "tests/integration/common/google/test_oidc.py"
CALLERS = "tests/integration/common/test_callers.py"
SERVICES = "tests/unit/common/test_service_tokens.py"
WEB = "tests/integration/common/test_web.py"
KEYS = "tests/integration/common/test_idempotency.py"
KNOCKS = "tests/integration/common/feeds/test_door.py"
PULLED = "tests/integration/mail/test_pulling.py"
WEBHOOK = "tests/integration/mail/test_webhook.py"

FORGED = f"{PUSHES}::test_a_forged_push_is_refused_with_its_reason"
INCOMPLETE = f"{CALLERS}::test_incomplete_or_foreign_claims_are_refused"

MUTANTS = (
    mutant(
        "push-audience-unchecked",
        "A token that Google signed for somebody else's endpoint opens the webhook.",
        FORGED,
        edit=(
            OIDC,
            """if read.claims.get("aud") != audience:""",
            """if not read.claims.get("aud"):""",
        ),
    ),
    mutant(
        "push-signature-unchecked",
        "Anybody who knows the name of a key of Google's may push.",
        FORGED,
        edit=(
            "libs/common/google/jws.py",
            """\
        except InvalidSignature:
            return False
""",
            """\
        except InvalidSignature:
            return True
""",
        ),
    ),
    mutant(
        "push-email-unchecked",
        "Any Google service account may push.",
        FORGED,
        edit=(
            OIDC,
            """if (_text(claims.get("email")) or "").lower() != self._service_account:""",
            """if (_text(claims.get("email")) or "").lower() == self._audience:""",
        ),
    ),
    mutant(
        "push-email-unverified-accepted",
        "A push counts although Google does not vouch for the e-mail in its token.",
        FORGED,
        edit=(
            OIDC,
            """if claims.get("email_verified") is not True:""",
            """if claims.get("email_verified") == "never":""",
        ),
    ),
    mutant(
        "push-issuer-unchecked",
        "Whatever Google's keys signed is taken for an identity token of Google's.",
        FORGED,
        edit=(OIDC, """if _text(read.claims.get("iss")) not in ISSUERS:""", "if not ISSUERS:"),
    ),
    mutant(
        "push-expiry-unchecked",
        "By the product's own clock a push's token is good for ever.",
        f"{PUSHES}::test_times_are_read_against_the_given_moment",
        edit=(
            OIDC,
            "if not _within_times(read.claims, now.timestamp()):",
            "if _within_times(read.claims, now.timestamp()) is None:",
        ),
    ),
    mutant(
        "remembered-token-never-ends",
        "A push's token that was good once is good for ever.",
        f"{PUSHES}::test_a_remembered_token_ends_with_its_expiry",
        edit=(
            OIDC,
            "if now.timestamp() < self._remembered.get(digest, -math.inf):",
            "if digest in self._remembered:",
        ),
    ),
    mutant(
        "audience-of-callers-unchecked",
        "A token that the identity provider made for another system is accepted here.",
        INCOMPLETE,
        f"{SERVICES}::test_any_other_token_is_refused_for_a_reason",
        edit=(JWT, """"verify_exp": False,""", """"verify_aud": False,\n"verify_exp": False,"""),
    ),
    mutant(
        "issuer-of-callers-unchecked",
        "A token of any issuer with the key is accepted.",
        INCOMPLETE,
        edit=(
            "libs/common/web/callers.py",
            """if claims["iss"] != self._issuer:""",
            """if not claims["iss"]:""",
        ),
    ),
    mutant(
        "expired-token-accepted",
        "A caller's token is good for ever.",
        f"{SERVICES}::test_a_token_is_good_for_less_than_a_minute",
        f"{WEB}::test_every_route_admits_exactly_whom_its_rule_names",
        edit=(JWT, "if expires <= now.timestamp():", "if expires <= 0:"),
    ),
    mutant(
        "service-token-of-any-length",
        "A service's token may be made to live for years.",
        f"{SERVICES}::test_any_other_token_is_refused_for_a_reason",
        edit=(
            "libs/common/service_tokens.py",
            """too_long = claims["exp"] - issued_at > LIFETIME_S""",
            """too_long = claims["exp"] < issued_at""",
        ),
    ),
    mutant(
        "kind-of-caller-unchecked",
        "A route for users serves services, and the other way round.",
        f"{WEB}::test_every_route_admits_exactly_whom_its_rule_names",
        edit=(
            "libs/common/web/callers.py",
            "if who.kind not in ALLOWED[access]:",
            "if access not in ALLOWED:",
        ),
    ),
    mutant(
        "idempotency-key-ignored",
        "A repeated request is done again.",
        f"{KEYS}::test_a_repeated_request_gets_the_same_answer_and_happens_once",
        edit=(
            "libs/common/idempotency.py",
            """\
    mine = _claim_of(request)
    if mine is None:
        return None
    hashed = _hash("request", request.rel_url.raw_query_string.encode(), body)
    if await conn""",
            """\
    mine = _claim_of(request)
    if mine is None or conn is not None:
        return None
    hashed = _hash("request", request.rel_url.raw_query_string.encode(), body)
    if await conn""",
        ),
    ),
    mutant(
        "idempotency-key-of-everybody",
        "One caller gets the answer that another got under the same key.",
        f"{KEYS}::test_a_key_counts_for_one_caller_and_one_operation",
        edit=(
            "libs/common/idempotency.py",
            "(who.tenant_id, who.kind, who.subject, request.method, request.path, key)",
            """(who.tenant_id, "", "", request.method, request.path, key)""",
        ),
    ),
    mutant(
        "webhook-answers-before-the-commit",
        "Google is told 204 before the push is recorded.",
        f"{WEBHOOK}::test_while_the_database_is_away_google_is_told_to_come_back",
        edit=(
            (NOTICES, "import hashlib\n", "import asyncio\nimport hashlib\n"),
            (
                NOTICES,
                "known = await self._door.knock(push.address)",
                "known = asyncio.ensure_future(self._door.knock(push.address)) is not None",
            ),
        ),
    ),
    mutant(
        "knock-answered-before-the-commit",
        "The door tells all who knock that they were heard, then writes it down.",
        f"{KNOCKS}::test_a_knock_whose_commit_is_unknown_is_not_called_recorded",
        f"{KNOCKS}::test_a_locked_row_delays_only_its_own_knock",
        edit=(
            DOOR,
            """\
        addresses = sorted({address for address, _ in batch})
""",
            """\
        addresses = sorted({address for address, _ in batch})
        for _, done in batch:
            done.set_result(True)
""",
        ),
    ),
    mutant(
        "knock-of-unknown-fate-called-recorded",
        "A push whose commit may have failed is answered as if it had not.",
        f"{KNOCKS}::test_a_knock_whose_commit_is_unknown_is_not_called_recorded",
        edit=(
            DOOR,
            """done.set_exception(Transient("Whether the push was recorded is not known."))""",
            "done.set_result(True)",
        ),
    ),
    mutant(
        "pulled-acknowledged-uncommitted",
        "A pulled notification that could not be committed is acknowledged all the same.",
        f"{PULLED}::test_while_the_database_is_away_nothing_is_acknowledged_and_nothing_lost",
        edit=(
            PULLING,
            """\
            log.warning("notification_not_taken", error=type(exc).__name__)
            return False
""",
            """\
            log.warning("notification_not_taken", error=type(exc).__name__)
""",
        ),
    ),
    mutant(
        "webhook-open-while-pulling",
        "A service that only pulls takes pushes of anybody.",
        f"{PULLED}::test_new_mail_is_told_without_a_single_push",
        edit=(
            PUSH,
            """\
    if VERIFIER not in app:
        raise NotFound("No pushes are expected here.")
    await app[VERIFIER]""",
            """\
    if VERIFIER in app:
        await app[VERIFIER]""",
        ),
    ),
    mutant(
        "unusable-push-not-kept",
        "A push that cannot be read is answered and forgotten.",
        f"{WEBHOOK}::test_an_unusable_body_is_answered_counted_and_kept",
        edit=(PUSH, "        await app[NOTICES].put_aside(body)\n", ""),
    ),
)
