"""Prints the report of the demo: the tree of objects, a few contents, the proof, and how to go on by hand."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from pipeline.demo.proof import DIRECT, INTERNAL_PREFIX, Proof, RuleProof
from pipeline.demo.stack import BUCKET, Stack

_SHOWN_PER_FOLDER: Final = 3
_SAMPLES: Final = ("msgs/", "hot/", "events/")
_SAMPLE_CHARACTERS: Final = 300
_FIGURES: Final = ("published", "stored", "filtered", "dead_lettered", "overwritten", "lost", "duplicated", "altered")


def print_objects(console: Console, objects: Mapping[str, bytes]) -> None:
    """Print the bucket as a tree, with the first few objects of each folder and one content of each kind."""
    root = Tree(f"[bold]{BUCKET}[/bold]  {len(objects):,} objects")
    folders: dict[str, Any] = {}
    ledger = [key for key in objects if key.startswith(INTERNAL_PREFIX)]
    if ledger:
        root.add(f"[blue]{INTERNAL_PREFIX}[/blue]  [dim]the ledger: {len(ledger):,} objects[/dim]")
    for key in sorted(objects.keys() - set(ledger)):
        *path, name = key.split("/")
        folder = folders
        for part in path:
            folder = folder.setdefault(f"{part}/", {})
        folder[name] = len(objects[key])
    _grow(root, folders)
    console.print(root)
    for prefix in _SAMPLES:
        for key in [key for key in sorted(objects) if key.startswith(prefix)][:1]:
            console.print(f"[bold]{escape(key)}[/bold]\n  {escape(_content(key, objects[key]))}", soft_wrap=True)


def print_proof(console: Console, proof: Proof, reason: str) -> None:
    """Print the proof as a table and in one sentence. `reason` says why the demo stopped waiting early, if it did."""
    rules = {**proof.rules, "total": proof.total}
    table = Table("", *rules, title="What the devices sent, and what is in the bucket", title_justify="left")
    for figure in _FIGURES:
        table.add_row(figure, *(f"{getattr(rule, figure):,}" for rule in rules.values()))
    table.add_row("order_kept", *("yes" if rule.order_kept else "[red]NO[/red]" for rule in rules.values()))
    for column in table.columns[1:]:
        column.justify = "right"
    console.print(table)
    if overwritten := proof.rules[DIRECT].overwritten:
        console.print(
            f"overwritten: the key of {DIRECT} has only client and millisecond; {overwritten:,} messages "
            "have the key of a later message of the same client",
            soft_wrap=True,
        )
    if redelivered := proof.total.redelivered:
        console.print(f"duplicated: MQTT marked {redelivered:,} of these as possibly delivered before")
    if reason:
        console.print(f"[red]{escape(reason)}[/red]")
    console.print(_sentence(proof), soft_wrap=True)


def print_json(proof: Proof, seconds: float, reason: str) -> None:
    """Print the proof as one line of JSON on standard output."""
    total = asdict(proof.total)
    whole = {
        **total,
        "objects": proof.objects,
        "seconds": round(seconds, 1),
        "messages": proof.messages,
        "events": proof.events,
        "rules": {name: asdict(rule) for name, rule in proof.rules.items()},
    }
    if reason:
        whole["reason"] = reason
    print(json.dumps(whole), flush=True)


def print_directions(console: Console, stack: Stack) -> None:
    """Print how to publish to the stack that keeps running, and where the results are."""
    payload = '{"seq": 1, "type": "thermo", "temp": 40.5}'
    single = f"from paho.mqtt.publish import single; single('t/me', '{payload}', qos=1, port={stack.mqtt_311})"
    escaped = single.replace('"', '\\"')
    lines = [
        "The stack keeps running. Ctrl-C stops it.",
        f"  dashboard   {stack.page}, first user: {stack.first_user_link()}",
        f"  publish     mosquitto_pub -p {stack.mqtt_311} -q 1 -t t/me -m '{payload}'",
        f'  or          {sys.executable} -c "{escaped}"',
        f"  MQTT        127.0.0.1:{stack.mqtt_5} (5), 127.0.0.1:{stack.mqtt_311} (3.1.1)",
        f"  Kafka       {stack.config.kafka.bootstrap_servers}",
        f"  S3          {stack.s3_url}/{BUCKET}",
        f"  objects     on the dashboard, or curl '{stack.s3_url}/{BUCKET}?list-type=2'",
        f"  metrics     http://127.0.0.1:{stack.ingress_metrics}/metrics,"
        f" http://127.0.0.1:{stack.worker_metrics}/metrics",
        f"  rules       tidegate get -c {stack.config_file}",
        f"  logs        {stack.folder}",
    ]
    console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)


def _grow(tree: Tree, folder: Mapping[str, Any]) -> None:
    """Add the entries of a folder to the tree: all folders, and the first few objects."""
    names = [name for name, entry in folder.items() if not isinstance(entry, dict)]
    folders = [name for name, entry in folder.items() if isinstance(entry, dict)]
    for name in folders[: 2 * _SHOWN_PER_FOLDER]:
        _grow(tree.add(f"[blue]{escape(name)}[/blue]"), folder[name])
    if len(folders) > 2 * _SHOWN_PER_FOLDER:
        tree.add(f"… {len(folders) - 2 * _SHOWN_PER_FOLDER:,} more folders")
    for name in names[:_SHOWN_PER_FOLDER]:
        tree.add(f"{escape(name)}  [dim]{folder[name]:,} bytes[/dim]")
    if len(names) > _SHOWN_PER_FOLDER:
        tree.add(f"… {len(names) - _SHOWN_PER_FOLDER:,} more objects")


def _content(key: str, body: bytes) -> str:
    if key.endswith(".gz"):
        body = b"\n  ".join(gzip.decompress(body).splitlines()[:3])
    text = body.decode(errors="replace")
    return text if len(text) <= _SAMPLE_CHARACTERS else text[:_SAMPLE_CHARACTERS] + "…"


def _sentence(proof: Proof) -> str:
    total: RuleProof = proof.total
    if not total.published:
        return "[red]PROOF FAILED: nothing was published[/red]"
    verdict = "[green]proved[/green]" if proof.holds else "[red]PROOF FAILED[/red]"
    parts = [f"{total.stored:,} stored", f"{total.filtered:,} filtered", f"{total.dead_lettered:,} dead-lettered"]
    if total.overwritten:
        parts.append(f"{total.overwritten:,} overwritten")
    order = "kept" if total.order_kept else "NOT kept"
    return (
        f"{verdict}: {total.published:,} published = {' + '.join(parts)}; {total.lost:,} lost, "
        f"{total.duplicated:,} duplicated, order per client {order}"
    )
