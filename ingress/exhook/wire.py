"""The messages of EMQX's ExHook protocol, made from a table of names and wire numbers.

The packages emqx.exhook.v2 (EMQX 5.0 to 5.8) and emqx.exhook.v3 (5.9 and later) differ in optional fields only, and the
name of a package is not in the bytes: so one set of classes serves both. A table instead of generated code: it is what
can be compared with the protocol, and it stays true with every release of protobuf.

ClientInfo's field 4, the password in clear, is left out on purpose: it is never decoded, so it cannot get anywhere.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE: Final = "tidegate.exhook"
SERVICES: Final = ("emqx.exhook.v2.HookProvider", "emqx.exhook.v3.HookProvider")

# Message → "name[:type]=number …". No type: a string. A capital: a message of this table. `*` before it: repeated.
MESSAGES: Final = {
    "BrokerInfo": "version=1 sysdescr=2 uptime:int64=3 datetime=4",
    "RequestMeta": "node=1 version=2 sysdescr=3 cluster_name=4",
    "Property": "name=1 value=2",
    "Header": "key=1 value=2",
    "SubOpts": "qos:uint32=1 rh:uint32=3 rap:uint32=4 nl:uint32=5",
    "HookSpec": "name=1 topics:*string=2",
    "ConnInfo": "node=1 clientid=2 username=3 peerhost=4 sockport:uint32=5 proto_name=6 proto_ver=7 keepalive:uint32=8"
    " peerport:uint32=9",
    "ClientInfo": "node=1 clientid=2 username=3 peerhost=5 sockport:uint32=6 protocol=7 mountpoint=8 is_superuser:bool=9"
    " anonymous:bool=10 cn=11 dn=12 peerport:uint32=13",
    "Message": "node=1 id=2 qos:uint32=3 from=4 topic=5 payload:bytes=6 timestamp:uint64=7 headers:*Header=8",
    "ProviderLoadedRequest": "broker:BrokerInfo=1 meta:RequestMeta=2",
    "LoadedResponse": "hooks:*HookSpec=1",
    "ClientConnectRequest": "conninfo:ConnInfo=1 props:*Property=2 user_props:*Property=4",
    "ClientConnackRequest": "conninfo:ConnInfo=1 result_code=2 props:*Property=3 user_props:*Property=5",
    "ClientRequest": "clientinfo:ClientInfo=1",
    "ClientReasonRequest": "clientinfo:ClientInfo=1 reason=2",
    "SessionSubscribedRequest": "clientinfo:ClientInfo=1 topic=2 subopts:SubOpts=3",
    "SessionUnsubscribedRequest": "clientinfo:ClientInfo=1 topic=2",
    "MessagePublishRequest": "message:Message=1 props:*Property=3 user_props:*Property=4",
    "MessageClientRequest": "clientinfo:ClientInfo=1 message:Message=2",
    "MessageDroppedRequest": "message:Message=1 reason=2",
}

# Hook → the message that its request is read as; None: the call is answered and not looked into. A hook that decides
# something is never asked for, and if EMQX calls it all the same it is told to go by its own lights.
REQUESTS: Final[dict[str, str | None]] = {
    "client.connect": "ClientConnectRequest",
    "client.connack": "ClientConnackRequest",
    "client.connected": "ClientRequest",
    "client.disconnected": "ClientReasonRequest",
    "client.authenticate": None,
    "client.authorize": None,
    "client.subscribe": None,
    "client.unsubscribe": None,
    "session.created": "ClientRequest",
    "session.subscribed": "SessionSubscribedRequest",
    "session.unsubscribed": "SessionUnsubscribedRequest",
    "session.resumed": "ClientRequest",
    "session.discarded": "ClientRequest",
    "session.takenover": "ClientRequest",
    "session.terminated": "ClientReasonRequest",
    "message.publish": "MessagePublishRequest",
    "message.delivered": "MessageClientRequest",
    "message.dropped": "MessageDroppedRequest",
    "message.acked": "MessageClientRequest",
}
VALUED: Final = frozenset({"client.authenticate", "client.authorize", "message.publish"})
EMPTY_SUCCESS: Final = b""
IGNORE: Final = b"\x08\x01"  # ValuedResponse{type = 1}: "your value stands, ask the next"


def rpc_name(hook: str) -> str:
    """OnSessionTakenover from session.takenover."""
    return "On" + "".join(part.capitalize() for part in hook.split("."))


def _file() -> descriptor_pb2.FileDescriptorProto:
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="tidegate/exhook.proto", package=PACKAGE, syntax="proto3")
    for message_name, fields in MESSAGES.items():
        message = file.message_type.add(name=message_name)
        for text in fields.split():
            declared, _, number = text.partition("=")
            name, _, kind = declared.partition(":")
            field = message.field.add(name=name, number=int(number))
            field.label = kinds.LABEL_REPEATED if kind.startswith("*") else kinds.LABEL_OPTIONAL
            kind = kind.lstrip("*") or "string"
            if kind[0].isupper():
                field.type, field.type_name = kinds.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
            else:
                field.type = kinds.Type.Value(f"TYPE_{kind.upper()}")
    return file


def _classes() -> dict[str, Any]:
    pool = descriptor_pool.DescriptorPool()
    pool.Add(_file())
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in MESSAGES}


CLASSES: Final[dict[str, Any]] = _classes()
