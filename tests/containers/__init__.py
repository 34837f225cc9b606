"""`make containers`: image and compose file, truly built, started, broken and rolled.

`engine` and `bases` get a machine without Docker, or without a registry, so far; `stack` runs
docker-compose.yml; `mailbox` is somebody whose mail must not be lost; `proof` tells what is done
to the stack meanwhile.
"""
