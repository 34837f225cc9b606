"""The control API under `/_emulator`: it plays the people at Google, and Google's bad days."""
