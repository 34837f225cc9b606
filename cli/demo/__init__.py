"""The main job, played live: a person consents, mail arrives, Google pushes, events come out."""
