"""The project at Google: gather what it has, do what was decided."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from typing import Any, Final

import google.auth
import google_auth_httplib2
import httplib2
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from cli.gcp.deciding import Found, Step, Unreadable
from cli.gcp.wanted import APIS, Wanted
from cli.local.process import LocalStackError

Json = dict[str, Any]

SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
TIMEOUT_S: Final = 20.0
RETRIES: Final = 3
ENABLING_S: Final = 180.0
ASK_AGAIN_S: Final = 2.0
_SERVED: Final = ("serviceusage", "pubsub")
_FAILURES: Final = (GoogleAuthError, httplib2.HttpLib2Error, OSError)


class Project:
    """One project; see `opened`."""

    def __init__(self, apis: dict[str, Any]) -> None:
        self._apis = apis

    def gather(self, wanted: Wanted) -> Found:
        """Return what the project has of what is wanted."""
        number, apis = self._enabled(wanted.project)
        resources = {
            name: self._resource(name)
            for name in (
                wanted.topic,
                wanted.dead_topic,
                wanted.subscription,
                wanted.dead_subscription,
            )
        }
        policies = {
            name: self._policy(name)
            for name in (wanted.topic, wanted.dead_topic, wanted.subscription)
            if isinstance(resources[name], dict)
        }
        return Found(number, apis, resources, policies)

    def act(self, step: Step) -> None:
        """Do one step; what is already there, or being made by another, is fine.

        Raises:
            LocalStackError: Google refuses, or does not end.
        """
        try:
            answer = self._call(step.method, **step.parameters)
        except HttpError as exc:
            if exc.status_code == HTTPStatus.CONFLICT and step.method.endswith(".create"):
                return
            raise LocalStackError(f"{step.method}: {_why(exc)}") from exc
        if step.method == "serviceusage.services.batchEnable":
            self._await(answer)

    def _enabled(self, project: str) -> tuple[str | None, dict[str, bool] | Unreadable]:
        names = [f"{project}/services/{api}" for api in APIS]
        answer = self._read("serviceusage.services.batchGet", parent=project, names=names)
        if not isinstance(answer, dict):
            return None, answer or Unreadable("there is no such project")
        services = answer.get("services", [])
        number = next((one["parent"].partition("/")[2] for one in services), None)
        states = {one["name"].rpartition("/")[2]: one.get("state") for one in services}
        return number, {name: state == "ENABLED" for name, state in states.items()}

    def _resource(self, name: str) -> Json | Unreadable | None:
        if "/topics/" in name:
            return self._read("pubsub.projects.topics.get", topic=name)
        return self._read("pubsub.projects.subscriptions.get", subscription=name)

    def _policy(self, name: str) -> Json | Unreadable:
        kind = "topics" if "/topics/" in name else "subscriptions"
        found = self._read(
            f"pubsub.projects.{kind}.getIamPolicy",
            resource=name,
            options_requestedPolicyVersion=3,  # else conditions would be lost when it is set
        )
        return {} if found is None else found

    def _read(self, method: str, **parameters: Any) -> Json | Unreadable | None:
        """Return an answer, None when there is no such thing."""
        try:
            return self._call(method, **parameters)
        except HttpError as exc:
            if exc.status_code == HTTPStatus.NOT_FOUND:
                return None
            if exc.status_code in {HTTPStatus.FORBIDDEN, HTTPStatus.UNAUTHORIZED}:
                return Unreadable(_why(exc))
            raise LocalStackError(f"{method}: {_why(exc)}") from exc

    def _call(self, method: str, **parameters: Any) -> Json:
        api, *path, name = method.split(".")
        place = self._apis[api]
        for part in path:
            place = getattr(place, part)()
        request = getattr(place, name)(**parameters)
        try:
            answer: Json = request.execute(num_retries=RETRIES)
        except _FAILURES as exc:
            raise LocalStackError(f"Google does not answer: {type(exc).__name__}") from exc
        return answer

    def _await(self, operation: Json) -> None:
        deadline = time.monotonic() + ENABLING_S
        while not operation.get("done"):
            if time.monotonic() > deadline:
                raise LocalStackError("enabling an API takes longer than three minutes")
            time.sleep(ASK_AGAIN_S)
            operation = self._call("serviceusage.operations.get", name=operation["name"])
        if "error" in operation:
            raise LocalStackError(f"an API cannot be enabled: {operation['error'].get('message')}")


@contextmanager
def opened(origin: str | None) -> Iterator[Project]:
    """Yield the project's APIs.

    Args:
        origin: of an emulator, which is asked without credentials; None: Google, by the
            application default credentials.

    Raises:
        LocalStackError: there are no credentials.
    """
    try:
        credentials = _anonymous() if origin else google.auth.default(scopes=[SCOPE])[0]
    except GoogleAuthError as exc:
        raise LocalStackError(
            "there are no Google credentials: `gcloud auth application-default login`, or "
            "GOOGLE_APPLICATION_CREDENTIALS"
        ) from exc

    def http() -> Any:
        plain = httplib2.Http(timeout=TIMEOUT_S)
        return google_auth_httplib2.AuthorizedHttp(credentials, http=plain)

    options = {"api_endpoint": f"{origin.rstrip('/')}/"} if origin else None
    with ExitStack() as stack:
        apis = {
            api: stack.enter_context(
                build(api, "v1", http=http(), client_options=options, static_discovery=True)
            )
            for api in _SERVED
        }
        yield Project(apis)


def _anonymous() -> Any:
    return AnonymousCredentials()  # type: ignore[no-untyped-call] # Google's


def _why(error: HttpError) -> str:
    return f"{error.status_code}: {error.reason}"
