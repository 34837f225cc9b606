"""Pub/Sub over gRPC, on a port of its own: what Google's own clients speak.

Source: https://cloud.google.com/pubsub/docs/reference/rpc/google.pubsub.v1
"""
