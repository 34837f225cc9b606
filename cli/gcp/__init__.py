"""`causeway gcp`: what a Google Cloud project needs for Gmail's notifications, and if it has it.

`wanted` and `deciding` are pure: facts in, items and calls out. `google` gathers and acts.
"""
