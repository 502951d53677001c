"""`tidegate import`: takes over the configuration of an EMQX, with a report of what was taken, changed or left out."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from pipeline.cli.changing import By, DryRun, author, on_topic, say_done
from pipeline.cli.options import single
from pipeline.errors import CommandError

if TYPE_CHECKING:
    from pipeline.control.config_log import ConfigLog
    from pipeline.emqx.translate import Takeover

app = single()
KEY_VARIABLE: Final = "EMQX_API_KEY"
Form = Literal["text", "json"]


@app.command()
def import_(
    source: Annotated[
        str,
        typer.Argument(
            help="cluster.hocon, emqx.conf, an export (tar.gz), JSON of the REST API, or http://… of a live EMQX.",
            show_default=False,
        ),
    ],
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Configuration file (YAML): its topic gets the objects.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("-o", help="Write the objects to this file, for `apply`, and change no topic.")
    ] = None,
    dry_run: DryRun = False,
    output: Annotated[Form, typer.Option(help="Form of the report.")] = "text",
    by: By = "",
) -> None:
    """Take over the configuration of an EMQX.

    That is its S3 connectors and actions, rules, MQTT and ExHook sources, and schemas. The report says what was taken, changed
    or left out, and why. For a live EMQX, the variable EMQX_API_KEY has `KEY:SECRET` of an administrator. A variable replaces
    each clear secret, unless the topic seals them. Exit status 2 if nothing can be taken.
    """
    if (config is None) == (file is None):
        raise CommandError("expected either --config, whose topic gets the objects, or -o FILE")
    found = _read(source)
    if config is not None:
        sys.exit(on_topic(config, lambda log: _onto_topic(log, found, dry_run=dry_run, output=output, by=author(by))))
    assert file is not None
    sys.exit(_into_file(found, file, dry_run=dry_run, output=output))


def _read(source: str) -> dict[str, Any]:
    from pipeline.emqx.reading import known, pull, read

    if source.startswith(("http://", "https://")):
        key = os.environ.get(KEY_VARIABLE, "")
        if ":" not in key:
            raise CommandError(f"expected KEY:SECRET of an administrator in the variable {KEY_VARIABLE}")
        found = pull(source, key)
    else:
        found = read(Path(source))
    if not known(found):
        raise CommandError(f"{source}: expected connectors, actions, sources, rules or schemas of EMQX, found none")
    return found


async def _onto_topic(log: ConfigLog, found: dict[str, Any], *, dry_run: bool, output: Form, by: str) -> int:
    from pipeline.control.objects import SECRETS_KEY
    from pipeline.control.plan import change_of, to_apply
    from pipeline.control.sealing import kept
    from pipeline.emqx.fitting import fit
    from pipeline.emqx.translate import translated

    to = translated(found, keep_secrets=SECRETS_KEY in log.snapshot.objects)
    fit(log.base, log.snapshot.objects, to)
    steps = to_apply(log.snapshot.objects, kept(log.snapshot.objects, to.objects), prune=False)
    _say(to, output)
    if not to.objects:
        return 2
    snapshot = log.snapshot if dry_run else await log.write(change_of(steps, by=by, source="import"))
    if output == "text":
        say_done(steps, snapshot.revision, dry_run=dry_run)
    return 1 if dry_run and steps else 0


def _into_file(found: dict[str, Any], file: Path, *, dry_run: bool, output: Form) -> int:
    from pipeline.config.dump import yaml_text
    from pipeline.config.load import load
    from pipeline.control.objects import sections_of
    from pipeline.emqx.fitting import fit
    from pipeline.emqx.translate import translated

    to = translated(found, keep_secrets=False)
    fit(load({"pipeline": "imported", "kafka": {"bootstrap_servers": "localhost:9092"}}), {}, to)
    _say(to, output)
    if to.objects and not dry_run:
        try:
            file.write_text(yaml_text(sections_of(to.objects)), encoding="utf-8")
        except OSError as error:
            raise CommandError(f"cannot write {file}: {error.strerror}") from None
    return 0 if to.objects else 2


def _say(to: Takeover, output: Form) -> None:
    """Print the report."""
    from pipeline.hidden import without_secrets

    if output == "json":
        items = [
            {"what": each.what, "key": each.key, "outcome": each.outcome, "notes": each.notes} for each in to.report
        ]
        typer.echo(without_secrets(json.dumps({"objects": items}, ensure_ascii=False, indent=2)))
        return
    for each in to.report:
        typer.echo(without_secrets(f"{each.outcome:8} {each.what}"))
        for note in each.notes:
            typer.echo(without_secrets(f"           {note}"))
