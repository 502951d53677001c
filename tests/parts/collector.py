"""A collector of OpenTelemetry for tests: it takes OTLP over HTTP, in Protobuf, and keeps the spans."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class ReceivedSpan(NamedTuple):
    """A span with the facts of its resource. Identifiers are hex digits; links are pairs of them."""

    name: str
    trace_id: str
    parent: str
    links: list[tuple[str, str]]
    facts: dict[str, Any]
    failed: bool


@dataclass
class Collector:
    """What has arrived. `status` is its answer to each request."""

    port: int = 0
    status: int = 200
    spans: list[ReceivedSpan] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def named(self, name: str) -> list[ReceivedSpan]:
        return [each for each in self.spans if each.name.startswith(name)]

    def take(self, path: str, token: str, body: bytes) -> int:
        assert path == "/v1/traces"
        self.tokens.add(token)
        if self.status == 200:
            self.spans += _spans(ExportTraceServiceRequest.FromString(body))
        return self.status


def _spans(request: ExportTraceServiceRequest) -> Iterator[ReceivedSpan]:
    for of_resource in request.resource_spans:
        who = _facts(of_resource.resource.attributes)
        for scope in of_resource.scope_spans:
            for each in scope.spans:
                links = [(link.trace_id.hex(), link.span_id.hex()) for link in each.links]
                facts = who | _facts(each.attributes)
                assert each.start_time_unix_nano <= each.end_time_unix_nano
                yield ReceivedSpan(
                    each.name, each.trace_id.hex(), each.parent_span_id.hex(), links, facts, each.status.code == 2
                )


def _facts(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a free port."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(collector.take(self.path, self.headers.get("Authorization", ""), body))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.port = server.server_address[1]
        serving = Thread(target=server.serve_forever, args=(0.05,))
        serving.start()
        try:
            yield collector
        finally:
            server.shutdown()
            serving.join()
