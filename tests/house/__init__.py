"""The whole product as real processes, with wires between them and their servers.

A process is forked from one that has imported everything already, so that starting one costs
milliseconds; otherwise it is what `python -m services.mail --roles worker` is. Between a process
and Postgres, RabbitMQ, Google, auth or its callers there can be a wire: a TCP hop that reads the
protocol, and can stop the process, or the traffic, at a message. The product has no hooks for it.
"""
