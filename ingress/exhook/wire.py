"""The calls and messages of EMQX's ExHook protocol, read from `exhook.proto` beside this file when the process starts.

The file is parsed like a schema of the rule language, with protobuf's own descriptors. No code is generated, because generated
code works only with the releases of protobuf that its compiler was made for.
"""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any, Final, NamedTuple

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

from pipeline.sql.runtime.protobuf import file_descriptor

# The service of each version of EMQX. The messages that we read are the same in both.
SERVICES: Final = ("emqx.exhook.v2.HookProvider", "emqx.exhook.v3.HookProvider")


class ExHookCall(NamedTuple):
    """A call of EMQX. `hook` is its name in EMQX: OnSessionTakenover is session.takenover.

    A request that is not `read` is answered without decoding. So are calls that decide something: the ingress never registers
    them, and if EMQX makes one, the answer lets EMQX decide itself.
    """

    rpc: str
    hook: str
    request: Any  # the class of its request
    is_read: bool
    answer: bytes


def _described(*, texts_are_bytes: bool = False) -> Any:
    """The pool of all declarations in the file."""
    source = files("ingress.exhook").joinpath("exhook.proto").read_text(encoding="utf-8")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file_descriptor(source.replace("string ", "bytes ") if texts_are_bytes else source))
    return pool


def _class(descriptor: Any) -> Any:
    return message_factory.GetMessageClass(descriptor)


def _call(method: Any) -> ExHookCall:
    """The call for a method of the service. Its answer is empty, or lets the value stand and the next hook decide."""
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

# The same messages, for a request with a text that is not UTF-8, because EMQX does not check the texts of devices.
_UNCHECKED: Final = _described(texts_are_bytes=True)


def decoded(message: Any, request: bytes) -> tuple[Any, int]:
    """A request, and the number of its values that were left out. Raises DecodeError for bytes that are not such a
    message.

    A text that is not UTF-8 has U+FFFD in it, and a property with one is left out.
    """
    try:
        return message.FromString(request), 0
    except DecodeError:
        found = message()
        unchecked = _class(_UNCHECKED.FindMessageTypeByName(message.DESCRIPTOR.full_name))
        return found, _fill(unchecked.FromString(request), found)


def _fill(unchecked: Any, message: Any) -> int:
    """Copy the values that can be read. Returns the number of the others."""
    left_out = 0
    for field, value in unchecked.ListFields():
        if field.message_type is not None:
            if not isinstance(value, Message):
                for each in value:
                    if _is_odd_property(each):
                        left_out += 1
                    else:
                        left_out += _fill(each, getattr(message, field.name).add())
            else:
                getattr(message, field.name).SetInParent()
                left_out += _fill(value, getattr(message, field.name))
        elif isinstance(value, bytes) and message.DESCRIPTOR.fields_by_name[field.name].type == field.TYPE_STRING:
            text = value.decode("utf-8", "replace")
            left_out += text.encode() != value
            setattr(message, field.name, text)
        else:
            setattr(message, field.name, value)
    return left_out


def _is_odd_property(each: Any) -> bool:
    texts = (each.name, each.value) if each.DESCRIPTOR.name == "Property" else ()
    return any(text.decode("utf-8", "replace").encode() != text for text in texts)
