"""A Google Workspace stand-in: OAuth, Gmail and Pub/Sub push on one HTTP origin, kept in memory.

It imports nothing of the product. Any client that keeps Google's contract can be run against it,
with only the address changed; `/_emulator` is the control API that plays the people at Google.
"""
