"""One API call from bytes to bytes: the same way for a request, an upload and a part of a batch."""

import json
from collections.abc import Mapping
from typing import Final

from emulator.errors import (
    ApiError,
    insufficient_scope,
    invalid_argument,
    invalid_credentials,
    login_required,
)
from emulator.oauth.grants import AccessToken
from emulator.rest import fields, params, schemas, upload
from emulator.rest.call import Answer, Call, NotModified, Operation, RestRequest
from emulator.rest.methods import Method, MethodTable
from emulator.world import World

_UPLOAD_PREFIXES: Final = ("/resumable/upload/", "/upload/")
_SIMPLE: Final = frozenset({"media", "raw"})
_SERVICES: Final = {
    "calendar": "calendar-json.googleapis.com",
    "gmail": "gmail.googleapis.com",
    "people": "people.googleapis.com",
    "pubsub": "pubsub.googleapis.com",
}
_PLAIN_ERRORS: Final = frozenset({"people"})
_NO_BODY: Final = 204
_NOT_MODIFIED: Final = 304


class ConformanceError(Exception):
    """An answer of ours that the discovery document does not allow."""


class Dispatcher:
    """Routes calls by the documents and enforces what the documents say."""

    def __init__(
        self, world: World, table: MethodTable, operations: Mapping[str, Operation]
    ) -> None:
        self._world = world
        self._table = table
        self._operations = operations

    def person_of(self, request: RestRequest) -> str | None:
        """Return the address of the token's owner, or None; used to match faults."""
        token = self._world.oauth.find_access(_bearer(request))
        person = self._world.people.find(token.sub) if token else None
        return person.email if person else None

    def handle(self, request: RestRequest) -> Answer:
        """Return the answer, whatever the request is."""
        try:
            for prefix in _UPLOAD_PREFIXES:
                if request.path.startswith(prefix):
                    return self._upload(request, request.path.removeprefix(prefix))
            return self._run(request, request.path)
        except ApiError as exc:
            return Answer.error(exc)
        except NotModified as exc:
            return Answer(_NOT_MODIFIED, b"", {"ETag": exc.etag})

    def _run(self, request: RestRequest, path: str) -> Answer:
        found = self._table.find(request.verb, path)
        if found is None:
            raise ApiError(404, "The requested URL was not found on this server.", "notFound")
        method, path_values = found
        try:
            return self._serve(request, method, path_values)
        except ApiError as exc:
            raise (exc.without_errors() if method.api in _PLAIN_ERRORS else exc) from exc

    def _serve(self, request: RestRequest, method: Method, path_values: dict[str, str]) -> Answer:
        operation = self._operations.get(method.id)
        if operation is None:
            raise ApiError(501, f"{method.id} is not part of this emulator.", "notImplemented")
        token = self._authenticate(request, method) if operation.needs_token else None
        call = Call(
            world=self._world,
            method=method,
            path=path_values,
            query=params.query(method, request.query),
            body=params.body(method, request.body),
            media=request.media,
            token=token,
            headers=request.headers,
            given=params.given(method, request.body) if method.verb == "PATCH" else {},
        )
        if token is not None:
            self._charge(token, method, operation)
        selection = fields.parse(text) if (text := request.query.get("fields")) else {}
        fields.check(selection, method.response or {}, method.document["schemas"])
        value = operation.run(call)
        if value is None:
            return Answer(_NO_BODY)
        if self._world.switches.check_answers:
            check(method, value)
        return Answer.json(fields.select(value, selection))

    def _authenticate(self, request: RestRequest, method: Method) -> AccessToken:
        value = _bearer(request)
        if not value:
            raise login_required()
        token = self._world.oauth.find_access(value)
        person = self._world.people.find(token.sub) if token else None
        if token is None or person is None or person.disabled:
            raise invalid_credentials()
        if method.scopes and not method.scopes & set(token.scopes):
            raise insufficient_scope(_SERVICES.get(method.api, method.api), method.id)
        return token

    def _charge(self, token: AccessToken, method: Method, operation: Operation) -> None:
        person = self._world.people.find(token.sub)
        if person is not None:
            if operation.costs:
                self._world.contacts.charge(person, operation.costs)
            self._world.usage.charge(
                person.email, method.id, operation.units, budget=self._world.budget(method.api)
            )

    def _upload(self, request: RestRequest, path: str) -> Answer:
        upload_id = request.query.get("upload_id")
        if upload_id is not None:
            return self._resume(request, upload_id)
        found = self._table.find(request.verb, path)
        if found is None or found[0].upload is None:
            raise ApiError(404, "Not Found", "notFound")
        method = found[0]
        kind = request.query.get("uploadType", request.query.get("upload_protocol", "media"))
        if kind == "resumable":
            self._authenticate(request, method)
            upload.decoded_metadata(request.body)
            return upload.begin(self._world.uploads, request, method)
        media_type = request.headers.get("Content-Type", "")
        metadata, media = b"{}", request.body
        if kind == "multipart":
            metadata, media, media_type = upload.split_related(media_type, request.body)
        elif kind not in _SIMPLE:
            raise invalid_argument(f"Invalid value for uploadType: {kind}")
        upload.check_type(method, media_type)
        return self._finish(request, method, path, metadata, media)

    def _resume(self, request: RestRequest, upload_id: str) -> Answer:
        session = upload.find(self._world.uploads, upload_id)
        if request.verb == "DELETE":
            return upload.cancel(self._world.uploads, upload_id)
        if session.answer is not None:
            return session.answer
        unfinished = upload.receive(session, request)
        if unfinished is not None:
            return unfinished
        first = session.request
        path = first.path
        for prefix in _UPLOAD_PREFIXES:
            path = path.removeprefix(prefix)
        # A chunk may carry a newer token than the request that began the upload.
        headers = request.headers if "Authorization" in request.headers else first.headers
        whole = RestRequest(first.verb, first.path, first.query, headers, first.body)
        received = bytes(session.received)
        # After a failure the session stays open: the client may send its last chunk again.
        return session.complete(self._finish(whole, session.method, path, first.body, received))

    def _finish(
        self, request: RestRequest, method: Method, path: str, metadata: bytes, media: bytes
    ) -> Answer:
        upload.check_size(method, len(media))
        body = upload.decoded_metadata(metadata)
        whole = RestRequest(
            request.verb, request.path, request.query, request.headers, body, media=media
        )
        return self._run(whole, path)


def check(method: Method, value: object) -> None:
    """Raise ConformanceError when an answer is not what the document describes."""
    if method.response is None:
        raise ConformanceError(f"{method.id} has no response in the document")
    faults = schemas.problems(value, method.response, method.document["schemas"], lenient=False)
    if faults:
        raise ConformanceError(f"{method.id}: {json.dumps(faults)}")


def _bearer(request: RestRequest) -> str:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    return request.query.get("access_token", request.query.get("oauth_token", ""))
