"""The gRPC port: the calls, their errors, and the faults that are asked for."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import grpc
import grpc.aio

from emulator.errors import ApiError
from emulator.faults import FaultRule
from emulator.pubsub.rpc import calls, pulling
from emulator.rest import documents
from emulator.rest.methods import MethodTable
from emulator.world import World

_STOP_S: Final = 0.5
_UNLIMITED: Final = -1
_CODES: Final = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    409: grpc.StatusCode.ALREADY_EXISTS,
    412: grpc.StatusCode.FAILED_PRECONDITION,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    500: grpc.StatusCode.INTERNAL,
    501: grpc.StatusCode.UNIMPLEMENTED,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
_BY_NAME: Final = {code.name: code for code in grpc.StatusCode}

if TYPE_CHECKING:  # only the stubs know that they are generic
    Context = grpc.aio.ServicerContext[Any, Any]
    Handler = grpc.RpcMethodHandler[Any, Any]


@asynccontextmanager
async def serving(world: World, host: str, port: int) -> AsyncIterator[str]:
    """Serve Pub/Sub over gRPC until the block ends; yield `host:port`, as clients want it.

    Args:
        world: whose topics and subscriptions these are.
        host: the address to listen on.
        port: 0 takes a free one.

    Raises:
        RuntimeError: nobody can listen there.
    """
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", _UNLIMITED),
            ("grpc.max_send_message_length", _UNLIMITED),
            ("grpc.so_reuseport", 0),
        ]
    )
    server.add_generic_rpc_handlers(_handlers(world))
    shown = f"[{host}]" if ":" in host else host
    bound = server.add_insecure_port(f"{shown}:{port}")
    await server.start()
    try:
        yield f"{shown}:{bound}"
    finally:
        await server.stop(_STOP_S)


def _handlers(world: World) -> list[grpc.GenericRpcHandler]:
    table = MethodTable(documents.load("pubsub", "v1"))
    methods: dict[str, dict[str, Handler]] = {}
    for (service, name), rpc in calls.RPCS.items():
        handle = calls.unary(world, table, rpc)
        made = _unary(world, f"/{service}/{name}", handle, rpc.request)
        methods.setdefault(service, {})[name] = made
    pulls = pulling.Pulling(world)
    path = f"/{calls.SUBSCRIBER}/"
    methods[calls.SUBSCRIBER] |= {
        "Pull": _unary(world, f"{path}Pull", pulls.pull, pulling.PullRequest),
        "StreamingPull": _stream(world, f"{path}StreamingPull", pulls),
    }
    return [grpc.method_handlers_generic_handler(name, each) for name, each in methods.items()]


def _unary(
    world: World, path: str, handle: Callable[[Any], Awaitable[Any]], request: Any
) -> "Handler":
    async def serve(message: Any, context: "Context") -> Any:
        rule = await _fault(world, path, context)
        answer = await _answered(handle(message), context)
        if rule is not None:
            await asyncio.sleep(rule.late_s)
            if rule.lose_answer or rule.garbage or rule.truncate is not None:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "The answer was lost.")
        return answer

    return grpc.unary_unary_rpc_method_handler(
        serve,
        request_deserializer=request.FromString,
        response_serializer=lambda answer: answer.SerializeToString(),
    )


def _stream(world: World, path: str, pulls: pulling.Pulling) -> "Handler":
    async def serve(requests: AsyncIterator[Any], context: "Context") -> AsyncIterator[Any]:
        await _fault(world, path, context)
        try:
            async for answer in pulls.stream(requests):
                yield answer
        except ApiError as exc:
            await _abort(exc, context)

    return grpc.stream_stream_rpc_method_handler(
        serve,
        request_deserializer=pulling.StreamingPullRequest.FromString,
        response_serializer=lambda answer: answer.SerializeToString(),
    )


async def _fault(world: World, path: str, context: "Context") -> FaultRule | None:
    """Refuse the call when a rule asks for it; return the rule that says more."""
    rule = world.faults.pick("POST", path, None)
    if rule is None:
        return None
    if rule.delay_s:
        await asyncio.sleep(rule.delay_s)
    if rule.drop:
        await context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
    if rule.status is not None and rule.status >= HTTPStatus.BAD_REQUEST:
        code = _CODES.get(rule.status, grpc.StatusCode.UNKNOWN)
        await context.abort(code, rule.message)
    return rule


async def _answered(work: Awaitable[Any], context: "Context") -> Any:
    try:
        return await work
    except ApiError as exc:
        await _abort(exc, context)


async def _abort(error: ApiError, context: "Context") -> None:
    status = error.envelope["error"]["status"]
    code = _BY_NAME.get(status) or _CODES.get(error.code, grpc.StatusCode.UNKNOWN)
    await context.abort(code, str(error))
