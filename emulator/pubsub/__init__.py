"""As much of Cloud Pub/Sub as push notifications need, with signed deliveries.

Source: https://cloud.google.com/pubsub/docs/reference/rest
"""
