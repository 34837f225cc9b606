"""RabbitMQ: the exchange and the log every event goes through, and how one consumes them.

One connection per concern, opened and re-opened by its owner; the topology is declared at
each opening, so that a broker that lost everything is whole again once somebody connects.
"""

from libs.common.bus.consumer import consume
from libs.common.bus.link import Backoff, BrokerLost, connected, ping, was_cancelled
from libs.common.bus.replay import dead_letters, replay, tell_again
from libs.common.bus.tail import tail
from libs.common.bus.topology import (
    EXCHANGE,
    LOG_STREAM,
    Handler,
    LogLimits,
    RetryPolicy,
    Subscription,
    declare_log,
    declare_subscription,
)

__all__ = [
    "EXCHANGE",
    "LOG_STREAM",
    "Backoff",
    "BrokerLost",
    "Handler",
    "LogLimits",
    "RetryPolicy",
    "Subscription",
    "connected",
    "consume",
    "dead_letters",
    "declare_log",
    "declare_subscription",
    "ping",
    "replay",
    "tail",
    "tell_again",
    "was_cancelled",
]
