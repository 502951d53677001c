"""The metrics of the ingress. Counters change once for each batch, never for each message."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge

RECEIVED: Final = Counter("tidegate_ingress_messages_received", "Messages read from the broker.", ["source"])
ACKNOWLEDGED: Final = Counter(
    "tidegate_ingress_messages_acknowledged", "Messages acknowledged to the broker.", ["source"]
)
PRODUCED: Final = Counter("tidegate_ingress_records_produced", "Records that Kafka acknowledged.", ["source"])
REDELIVERED: Final = Counter("tidegate_ingress_messages_redelivered", "Messages with the DUP flag.", ["source"])
EVENTS: Final = Counter("tidegate_ingress_events", "Client events made by adapters.", ["source"])
DROPPED: Final = Counter(
    "tidegate_ingress_messages_dropped", "Messages that were dropped, by reason.", ["source", "reason"]
)
LEFT_OUT: Final = Counter(
    "tidegate_ingress_values_left_out", "Values in calls of ExHook that are not what MQTT allows.", ["source"]
)
UNKNOWN_ALIASES: Final = Counter(
    "tidegate_ingress_aliases_unknown", "Metrics of Sparkplug B whose alias no birth has named.", ["source"]
)
DEAD_LETTERS: Final = Counter(
    "tidegate_ingress_dead_letters", "Records that Kafka refused, by reason.", ["source", "reason"]
)
CONNECTIONS: Final = Counter("tidegate_ingress_connections", "Connections to the broker that were made.", ["source"])
CONNECTED: Final = Gauge("tidegate_ingress_connected", "1 while connected and subscribed.", ["source"])
WINDOW: Final = Gauge("tidegate_ingress_window_messages", "Messages received and not yet acknowledged.", ["source"])
CLIENTS: Final = Gauge("tidegate_ingress_clients", "Clients that are logged in at a listener.", ["source"])
REFUSED: Final = Counter(
    "tidegate_ingress_connections_refused",
    "Connections to a listener that were refused, by reason.",
    ["source", "reason"],
)
ACK_LAG: Final = Gauge(
    "tidegate_ingress_acknowledgement_lag_seconds",
    "Age of the oldest message that is not acknowledged.",
    ["source"],
)

# The facts of the line a minute.
DONE: Final = {
    "received": RECEIVED,
    "acknowledged": ACKNOWLEDGED,
    "produced": PRODUCED,
    "dropped": DROPPED,
    "dead_letters": DEAD_LETTERS,
}
LEFT: Final = {"window": WINDOW}


def forget(source: str) -> None:
    """Remove all metrics of a source that is gone."""
    for metric in list(globals().values()):
        if isinstance(metric, Counter | Gauge):
            metric.remove_by_labels({"source": source})


class SourceMetrics:
    """The metrics of one source. They are looked up once."""

    def __init__(self, source: str) -> None:
        self._source = source
        self.received = RECEIVED.labels(source)
        self.acknowledged = ACKNOWLEDGED.labels(source)
        self.produced = PRODUCED.labels(source)
        self.redelivered = REDELIVERED.labels(source)
        self.events = EVENTS.labels(source)
        self.connections = CONNECTIONS.labels(source)
        self.connected = CONNECTED.labels(source)
        self.window = WINDOW.labels(source)
        self.ack_lag = ACK_LAG.labels(source)

    def clients(self, count: int) -> None:
        """Set the number of a listener's clients."""
        CLIENTS.labels(self._source).set(count)

    def refused(self, reason: str) -> None:
        """`reason`: one of the words in docs/listener.md."""
        REFUSED.labels(self._source, reason).inc()

    def dropped(self, reason: str, count: int = 1) -> None:
        """`reason`: queue_full, not_delivered, retained, unsubscribed, overlap, malformed, not_authorized or bridge_notice."""
        DROPPED.labels(self._source, reason).inc(count)

    def left_out(self, count: int) -> None:
        """Values of an ExHook call that cannot be understood."""
        if count:
            LEFT_OUT.labels(self._source).inc(count)

    def unknown_aliases(self, count: int) -> None:
        """Metrics of Sparkplug B without a name, whose alias is unknown."""
        UNKNOWN_ALIASES.labels(self._source).inc(count)

    def dead_letter(self, reason: str) -> None:
        """`reason` is Kafka's word for the refusal."""
        DEAD_LETTERS.labels(self._source, reason).inc()
