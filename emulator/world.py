"""Everything one emulator remembers."""

from typing import Any

from aiohttp import web

from emulator.calendar.channels import Channel
from emulator.calendar.delivery import Notifier
from emulator.calendar.state import Calendars
from emulator.clock import Clock
from emulator.config import EmulatorConfig, PushTarget, Switches
from emulator.contacts.state import Contacts
from emulator.faults import Faults
from emulator.gmail.mailbox import Kind, Mailbox, Record
from emulator.gmail.watch import Watches
from emulator.oauth.grants import OAuthState
from emulator.people import Directory, Person
from emulator.pubsub import checks
from emulator.pubsub.state import PubSub, Subscription
from emulator.quota import Budget, UsageLedger
from emulator.rest.sessions import Sessions


class World:
    """The state behind all APIs. It lives in memory and ends with the process."""

    def __init__(self, config: EmulatorConfig) -> None:
        self.config = config
        self.clock = Clock()
        self.pubsub = PubSub(self.clock)
        self.notifier = Notifier()
        self._fill()

    def reset(self) -> None:
        """Go back to how the emulator was started; open push loops are told."""
        self.watches.close()
        self.calendars.close()
        for name in list(self.pubsub.subscriptions):
            self.pubsub.remove_subscription(name)
        self.pubsub.topics.clear()
        self.clock.offset_s = 0.0
        self.clock.moves_signatures = False
        self._fill()

    def add_person(self, email: str, name: str = "", *, sub: str | None = None) -> Person:
        """Return the new person with an empty mailbox, or the one who has the address."""
        return self.people.add(email, name, sub=sub)

    def mailbox(self, email: str) -> Mailbox:
        """Return a person's mailbox, made at first use."""
        found = self._mailboxes.get(email)
        if found is None:
            found = Mailbox(email, self.clock, self._mail_changed)
            self._mailboxes[email] = found
        return found

    def budget(self, api: str = "gmail") -> Budget:
        """Return the quota of an API that the switches want enforced."""
        switches = self.switches
        if not switches.enforce_quota:
            return Budget(api)
        if api == "people":  # it counts in several quotas of its own
            return Budget(api)
        if api == "calendar":
            return Budget(
                api,
                switches.calendar_requests_per_minute,
                switches.calendar_project_requests_per_minute,
                switches.quota_status,
            )
        return Budget(
            api, switches.units_per_minute, switches.project_units_per_minute, switches.quota_status
        )

    def vanished(self, message_id: str) -> bool:
        """Return whether a get of a new message is to find nothing (`vanish_gets`); count it."""
        left = self._vanishing.pop(message_id, 0)
        if left > 1:
            self._vanishing[message_id] = left - 1
        return left > 0

    def rename_mailbox(self, old: str, new: str) -> None:
        """Keep mail and calendar of a person whose address changed; watches of the old one end."""
        self.watches.stop_all(old)
        box = self.mailbox(old)
        del self._mailboxes[old]
        box.email = new
        self._mailboxes[new] = box
        person = self.people.find(old)
        if person is not None:
            self.calendars.rename(person, new)

    def _fill(self) -> None:
        self.switches: Switches = self.config.switches
        self.people = Directory()
        self.oauth = OAuthState(self.config, self.clock)
        self.usage = UsageLedger(self.clock)
        self.faults = Faults()
        self.uploads: Sessions[Any] = Sessions()
        self.enabled: dict[str, set[str]] = {}
        self._mailboxes: dict[str, Mailbox] = {}
        self._vanishing: dict[str, int] = {}
        self.calendars = Calendars(self.clock, self.people, lambda: self.switches, self._notify)
        self.contacts = Contacts(self.clock, lambda: self.switches, self.usage)
        self.watches = Watches(self.clock, self._publish, lambda: self.switches, self.mailbox)
        for topic in self.config.topics:
            self.pubsub.add_topic(topic)
            if self.config.push is not None:
                self.pubsub.add_subscription(_pushed(topic, self.config.push))
            if self.config.pull:
                self.pubsub.add_subscription(_subscribed(topic, "pull", {}))
        for email in self.config.people:
            self.add_person(email)

    def _mail_changed(self, mailbox: Mailbox, record: Record) -> None:
        if record.kind is Kind.ADDED and self.switches.vanish_gets:
            self._vanishing[record.message_id] = self.switches.vanish_gets
        self.watches.changed(mailbox, record)

    def _notify(self, channel: Channel, headers: dict[str, str]) -> None:
        self.notifier.send(channel, headers)

    def _publish(self, topic: str, data: bytes) -> None:
        self.pubsub.publish(topic, data)


def _pushed(topic: str, push: PushTarget) -> Subscription:
    token = {
        "serviceAccountEmail": push.service_account,
        "audience": push.audience or push.endpoint,
    }
    return _subscribed(
        topic, "push", {"pushConfig": {"pushEndpoint": push.endpoint, "oidcToken": token}}
    )


def _subscribed(topic: str, kind: str, given: dict[str, Any]) -> Subscription:
    name = f"{topic.replace('/topics/', '/subscriptions/')}-{kind}"
    settings = checks.subscription({"topic": topic, **given})
    return Subscription(name, topic, {**settings, "name": name, "state": "ACTIVE"})


WORLD: web.AppKey[World] = web.AppKey("world", World)
