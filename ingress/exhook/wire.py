"""The calls and messages of EMQX's ExHook protocol, read from `exhook.proto` beside this file when the process starts.

The file is parsed as a schema of the rule language is, by protobuf's own descriptors, and no code is generated: generated
code would only work with the releases of protobuf that its compiler was made for.
"""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any, Final, NamedTuple

from google.protobuf import descriptor_pool, message_factory

from pipeline.sql.runtime.protobuf import file_descriptor

# The service of each version of EMQX. Their messages are the same, as far as they are read here.
SERVICES: Final = ("emqx.exhook.v2.HookProvider", "emqx.exhook.v3.HookProvider")


class ExHookCall(NamedTuple):
    """A call of EMQX's. `hook` is its name in EMQX: OnSessionTakenover is session.takenover.

    A request that is not `read` is answered without a look into it. So are those that decide something: they are never
    asked for, and EMQX is told to go by its own lights when it makes them all the same.
    """

    rpc: str
    hook: str
    request: Any  # the class of its message
    is_read: bool
    answer: bytes


def _described() -> Any:
    """The pool of everything that the file declares."""
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file_descriptor(files("ingress.exhook").joinpath("exhook.proto").read_text(encoding="utf-8")))
    return pool


def _class(descriptor: Any) -> Any:
    return message_factory.GetMessageClass(descriptor)


def _call(method: Any) -> ExHookCall:
    """A method of the service. Its answer is nothing, or that a value stands and the next one may be asked."""
    answer = _class(method.output_type)()
    if "type" in method.output_type.fields_by_name:
        answer.type = method.output_type.enum_types_by_name["ResponsedType"].values_by_name["IGNORE"].number
    hook = ".".join(re.findall("[A-Z][a-z]+", method.name)[1:]).lower()
    request = method.input_type
    return ExHookCall(method.name, hook, _class(request), bool(request.fields), answer.SerializeToString())


_METHODS: Final = {method.name: method for method in _described().FindServiceByName("emqx.exhook.HookProvider").methods}
_LOADED: Final = _METHODS.pop("OnProviderLoaded")
_UNLOADED: Final = _METHODS.pop("OnProviderUnloaded")

ProviderLoadedRequest: Final[Any] = _class(_LOADED.input_type)
LoadedResponse: Final[Any] = _class(_LOADED.output_type)
UNLOADED_ANSWER: Final[bytes] = _class(_UNLOADED.output_type)().SerializeToString()
CALLS: Final[dict[str, ExHookCall]] = {call.hook: call for call in map(_call, _METHODS.values())}  # by hook
