"""Some things are done in one place only: waits, clients of Kafka and what they ask about groups, the import of structlog."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[3]
PRODUCT = sorted(path for folder in ("pipeline", "ingress", "agents") for path in (ROOT / folder).rglob("*.py"))

# Waits that are no constant and no policy's, by file.
OTHER_WAITS = {
    "ingress/source.py": "until a deadline that is given",
    "ingress/listener/login.py": "before a wrong password is answered",
    "pipeline/connectors/s3/multipart.py": "nothing, then one constant",
    "pipeline/demo/main.py": "until a deadline, a tick at most",
    "pipeline/web/working.py": "between two lines of the log",
}
# Chance that is multiplied, by file.
OTHER_CHANCE = {
    "agents/sinks/bucket_check.py": "the setting health_check_interval_jitter",
    "pipeline/demo/fleet.py": "what a device measures",
}


def test_nobody_else_makes_a_client() -> None:
    """No other file makes a client of Kafka, because its lines would go to standard error."""
    makers = {
        str(path.relative_to(ROOT))
        for path in PRODUCT
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"AdminClient", "Consumer", "Librdkafka"}
    }
    named = {
        str(path.relative_to(ROOT)) for path in PRODUCT if '"bootstrap.servers"' in path.read_text(encoding="utf-8")
    }

    assert makers == named == {"pipeline/connectors/kafka/client.py"}


def test_nobody_asks_librdkafka_about_groups() -> None:
    """Its AdminClient ends the process when a group's coordinator goes away meanwhile. The one call is of aiokafka's client."""
    asked = [
        str(path.relative_to(ROOT))
        for path in PRODUCT
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and "consumer_group" in node.func.attr
    ]

    assert asked == ["agents/stream/groups.py"]


def test_only_the_log_knows_structlog() -> None:
    """No other file imports structlog, because structlog would then load rich."""
    found = [str(path.relative_to(ROOT)) for path in PRODUCT if "import structlog" in path.read_text(encoding="utf-8")]

    assert found == ["pipeline/log.py"]


def sleeps(tree: ast.AST) -> list[ast.expr]:
    """How long a file sleeps, at each place."""
    names = ("asyncio.sleep", "time.sleep", "sleep")
    return [node.args[0] for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) in names]


def plain(wait: ast.expr) -> bool:
    """Whether a wait is a number, a constant of the file, or a policy's."""
    return (
        isinstance(wait, ast.Constant)
        or (isinstance(wait, ast.Name) and wait.id.isupper())
        or (isinstance(wait, ast.Call) and ast.unparse(wait.func) == "waits.after")
    )


def test_nobody_else_reckons_a_wait() -> None:
    """A process sleeps for a constant or for the wait of a policy, and no other file multiplies random numbers."""
    trees = {str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in PRODUCT}

    odd = {name for name, tree in trees.items() if not all(map(plain, sleeps(tree)))}
    drawn = {
        name
        for name, tree in trees.items()
        if name != "pipeline/retry.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.BinOp) and "random.random()" in ast.unparse(node)
    }

    assert odd == set(OTHER_WAITS)
    assert drawn == set(OTHER_CHANCE)
