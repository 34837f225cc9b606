"""users.getProfile, users.watch, users.stop and users.history.list."""

import re
from typing import Any, Final

from emulator.errors import ApiError, forbidden, invalid_argument
from emulator.gmail import paging
from emulator.gmail.access import mailbox
from emulator.gmail.mailbox import Kind, Record
from emulator.gmail.watch import Watch
from emulator.rest.call import Call, Operation

Json = dict[str, Any]

PUSH_SENDER: Final = "serviceAccount:gmail-api-push@system.gserviceaccount.com"
_TOPIC: Final = re.compile(r"projects/([a-z][a-z0-9:.-]*)/topics/([A-Za-z][\w.~+%-]{2,254})")
_EVENT_KEYS: Final = {
    Kind.ADDED: "messagesAdded",
    Kind.DELETED: "messagesDeleted",
    Kind.LABELLED: "labelsAdded",
    Kind.UNLABELLED: "labelsRemoved",
}


def get_profile(call: Call) -> Json:
    """Return address, totals and the current history id."""
    box = mailbox(call)
    return {
        "emailAddress": box.email,
        "messagesTotal": len(box.messages),
        "threadsTotal": len(box.threads),
        "historyId": str(box.history_id),
    }


def watch(call: Call) -> Json:
    """Start or renew the client's watch of the mailbox."""
    box = mailbox(call)
    topic = str(call.body.get("topicName", ""))
    _check_topic(call, topic)
    labels = frozenset(call.body.get("labelIds", ()))
    box.check_labels(labels)
    client_id = call.token.client_id if call.token else ""
    live = call.world.watches.live(box.email, client_id)
    if live is not None and live.topic != topic:
        raise invalid_argument(
            "Only one user push notification client allowed per developer "
            "(call /stop then try again)"
        )
    behavior = call.body.get("labelFilterBehavior") or call.body.get("labelFilterAction") or ""
    expires_ms = call.world.clock.now_ms() + call.world.switches.watch_ttl_s * 1000
    excluding = str(behavior).lower() == "exclude"
    started = Watch(box.email, client_id, topic, labels, excluding, expires_ms)
    call.world.watches.start(started)
    return {"historyId": str(box.history_id), "expiration": str(expires_ms)}


def stop(call: Call) -> None:
    """End the client's watch; without one this succeeds, too."""
    box = mailbox(call)
    call.world.watches.stop(box.email, call.token.client_id if call.token else "")


def list_history(call: Call) -> Json:
    """Return what happened after `startHistoryId`, oldest first."""
    box = mailbox(call)
    text = call.query.get("startHistoryId")
    if text is None:
        raise ApiError(400, "Missing required parameter: startHistoryId", "required")
    kinds = call.query.get("historyTypes", [])
    label = call.query.get("labelId")
    found = [
        record
        for record in box.since(int(text), ttl_s=call.world.switches.history_ttl_s)
        if (not kinds or record.kind in kinds)
        and (label is None or label in record.after or label in record.labels)
    ]
    # The token is the id of the last record that was given out: new records do not move a page.
    mark = (box.email, text, kinds, label)
    after = paging.position(call.query.get("pageToken"), *mark)
    rest = [record for record in found if record.id > after]
    page = rest[: paging.size(call.query.get("maxResults"))]
    result: Json = {}
    if page:
        switches = call.world.switches
        times = 2 if switches.history_duplicates else 1
        result["history"] = [
            _record(record, with_labels=switches.history_labels, times=times) for record in page
        ]
    if len(page) < len(rest):
        result["nextPageToken"] = paging.token(page[-1].id, *mark)
    result["historyId"] = str(box.history_id)
    return result


def _record(record: Record, *, with_labels: bool, times: int) -> Json:
    message: Json = {"id": record.message_id, "threadId": record.thread_id}
    event: Json = {"message": dict(message)}
    if with_labels and record.after:
        event["message"]["labelIds"] = list(record.after)
    if record.labels:
        event["labelIds"] = list(record.labels)
    again = times if record.kind is Kind.ADDED else 1
    return {
        "id": str(record.id),
        "messages": [message] * times,
        _EVENT_KEYS[record.kind]: [event] * again,
    }


def _check_topic(call: Call, topic: str) -> None:
    project = call.world.config.project_id
    match = _TOPIC.fullmatch(topic)
    if match is None or (project is not None and match[1] != project):
        shown = project or "{project}"
        raise invalid_argument(f"Invalid topicName does not match projects/{shown}/topics/*")
    about = f"Error sending test message to Cloud PubSub {topic} :"
    if topic not in call.world.pubsub.topics:
        raise ApiError(404, f"{about} Resource not found (resource={match[2]}).", "notFound")
    bound = call.world.pubsub.topics[topic].may_publish(PUSH_SENDER)
    if call.world.switches.require_publisher_binding and not bound:
        raise forbidden(f"{about} User not authorized to perform this action.")


OPERATIONS: Final = {
    "gmail.users.getProfile": Operation(get_profile, units=1),
    "gmail.users.watch": Operation(watch, units=100),
    "gmail.users.stop": Operation(stop, units=50),
    "gmail.users.history.list": Operation(list_history, units=2),
}
