"""What an operator sees of Google."""

from tests.emulated import Emulated
from tests.integration.auth.stand import Later, Stand


async def test_a_good_day_is_ok(auth: Stand) -> None:
    answer = await auth.call("GET", "/v1/google/health")

    assert answer.status == 200
    assert answer.body["status"] == "ok"
    assert answer.body["client"] == {"accepted": True, "detail": "accepted"}
    assert answer.body["certs"] == {"reachable": True, "detail": "ok"}
    assert abs(answer.body["clock"]["skew_s"]) < 3


async def test_a_wrong_client_secret_is_told_apart(auth: Stand, emulator: Emulated) -> None:
    await emulator.control("PUT", "settings", {"token_error": "invalid_client"})

    answer = await auth.call("GET", "/v1/google/health")

    assert answer.body["status"] == "degraded"
    assert answer.body["client"] == {"accepted": False, "detail": "invalid_client"}


async def test_a_clock_that_is_off_shows(auth: Stand, later: Later) -> None:
    later(100)

    answer = await auth.call("GET", "/v1/google/health")

    assert answer.body["status"] == "degraded"
    assert answer.body["clock"]["ok"] is False
    assert -105 < answer.body["clock"]["skew_s"] < -95


async def test_certificates_out_of_reach_show(auth: Stand, emulator: Emulated) -> None:
    rule = {"path_prefix": "/oauth2/", "status": 503}
    await emulator.control("PUT", "faults", {"rules": [rule]})

    answer = await auth.call("GET", "/v1/google/health")

    assert answer.body["certs"] == {"reachable": False, "detail": "unusable"}


async def test_google_is_asked_once_however_many_want_to_know(
    auth: Stand, emulator: Emulated
) -> None:
    rule = {"path_prefix": "/token", "delay_s": 0.01}
    await emulator.control("PUT", "faults", {"rules": [rule]})

    for _ in range(5):
        await auth.call("GET", "/v1/google/health")

    faults = await emulator.control("GET", "faults")
    assert faults["rules"][0]["hits"] == 1


async def test_a_lost_broker_is_shown_and_keeps_nobody_from_answering(auth: Stand) -> None:
    answer = await auth.call("GET", "/readyz")

    assert answer.status == 200
    assert answer.body == {
        "status": "degraded",
        "checks": {"database": "ok", "migrations": "ok", "broker": "degraded"},
    }
