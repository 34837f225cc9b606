"""The domain events: one module per producer, one frozen model per event version.

The name of an event (`<service>.<noun>.<past participle>.v<n>`) is its CloudEvents
`type` and its AMQP routing key. The models are the data; `libs.common.events.envelope`
puts the CloudEvents attributes around them. A breaking change is a new class with the
next version, published beside the old one.
"""
