"""Faults that tests ask for: answers and behaviour that replace the real ones."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class FaultRule(BaseModel):
    """One fault; every given condition has to match, and it is used up after `times` requests.

    Attributes:
        path_prefix: start of the request's path.
        path_contains: any part of the path.
        method: HTTP verb.
        person: e-mail address of the access token's owner.
        times: how many requests it hits; None for all.
        after: how many matching requests are let through first.
        delay_s: seconds before the request is looked at.
        late_s: seconds before the real answer, as it was made at once, is sent.
        status: answer with this code instead of the real answer.
        body: JSON of that answer; by default Google's envelope with `reason` and `message`.
        reason: `errors[].reason` of the default envelope.
        message: its text.
        headers: extra headers of that answer.
        drop: close the connection without an answer.
        garbage: answer 200 with something that is no JSON.
        truncate: close the connection after so many bytes of the real answer's body.
        lose_answer: do the work, then close the connection without an answer.
    """

    model_config = ConfigDict(extra="forbid")

    path_prefix: str = "/"
    path_contains: str = ""
    method: str | None = None
    person: str | None = None
    times: int | None = Field(default=None, ge=1)
    after: int = Field(default=0, ge=0)
    delay_s: float = Field(default=0, ge=0, le=600)
    late_s: float = Field(default=0, ge=0, le=600)
    status: int | None = Field(default=None, ge=100, le=599)
    body: Any = None
    reason: str = "backendError"
    message: str = "Backend Error"
    headers: dict[str, str] = Field(default_factory=dict)
    drop: bool = False
    garbage: bool = False
    truncate: int | None = Field(default=None, ge=0)
    lose_answer: bool = False
    hits: int = 0

    def matches(self, verb: str, path: str, person: str | None) -> bool:
        """Return whether the request is meant."""
        return (
            path.startswith(self.path_prefix)
            and self.path_contains in path
            and (self.method is None or self.method.upper() == verb)
            and (self.person is None or self.person.lower() == person)
        )


class Faults:
    """The rules in force, in order; the first that matches is used."""

    def __init__(self) -> None:
        self.rules: list[FaultRule] = []

    def pick(self, verb: str, path: str, person: str | None) -> FaultRule | None:
        """Return the rule for this request and count it, or None."""
        for rule in self.rules:
            if not rule.matches(verb, path, person):
                continue
            rule.hits += 1
            if rule.hits <= rule.after:
                continue
            if rule.times is None or rule.hits <= rule.after + rule.times:
                return rule
        return None
