"""Keeps the emulator's Gmail topic subscribed to the mail service.

The emulator keeps everything in memory: whenever it was started anew, what is created here is
gone. Creating what is there already is refused (409), which is as good.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request

ORIGIN = "http://127.0.0.1:9100"
EVERY_S = 5
ACK_DEADLINE_S = 10
THERE_ALREADY = 409


def put(name: str, body: object) -> None:
    request = urllib.request.Request(
        f"{ORIGIN}/v1/{name}",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
        method="PUT",
    )
    try:
        with urllib.request.urlopen(request, timeout=EVERY_S):
            print(f"created {name}", flush=True)
    except urllib.error.HTTPError as exc:
        if exc.code != THERE_ALREADY:
            raise


def subscribe(topic: str, endpoint: str, audience: str, service_account: str) -> None:
    token = {"serviceAccountEmail": service_account, "audience": audience}
    put(topic, {})
    put(
        f"{topic.partition('/topics/')[0]}/subscriptions/causeway-mail",
        {
            "topic": topic,
            "ackDeadlineSeconds": ACK_DEADLINE_S,
            "pushConfig": {"pushEndpoint": endpoint, "oidcToken": token},
        },
    )


if __name__ == "__main__":
    while True:
        try:
            subscribe(
                os.environ["CAUSEWAY_GMAIL_TOPIC"],
                os.environ["PUSH_ENDPOINT"],
                os.environ["CAUSEWAY_PUSH_AUDIENCE"],
                os.environ["CAUSEWAY_PUSH_SERVICE_ACCOUNT"],
            )
        except OSError as exc:
            print(f"the emulator did not take it: {exc}", file=sys.stderr, flush=True)
        time.sleep(EVERY_S)
