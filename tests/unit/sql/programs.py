"""Hypothesis strategies: statements that parse, and payloads that they may or may not fit."""

from __future__ import annotations

from hypothesis import strategies as st

from pipeline.sql.syntax import nodes as n

NAMES = st.sampled_from(["a", "b", "c", "topic", "qos", "flags", "zz"])
KEYS = st.sampled_from(["a", "b", "s", "list", "m", "zz", "a b", "end"])
TEXTS = st.sampled_from(["", "a", "abc", "1", "1.5", "ü", '{"a":1}', "t/+"])
FUNCTIONS = [
    "upper",
    "strlen",
    "is_null",
    "is_map",
    "str",
    "length",
    "map_keys",
    "json_decode",
    "ceil",
    "topic",
    "null",
]

literals = st.one_of(
    TEXTS.map(n.Literal),
    st.integers(0, 12).map(n.Literal),
    st.sampled_from([0.0, 0.5, 1.5, 2.0]).map(n.Literal),
    st.booleans().map(n.Literal),
)
steps = st.one_of(
    KEYS.map(n.Key), st.builds(n.Index, st.integers(0, 3), st.booleans()),
    st.builds(n.PathIndex, st.builds(n.Path, NAMES)),
)  # fmt: skip
payload_paths = st.builds(n.Path, st.just("payload"), st.lists(steps, min_size=1, max_size=3).map(tuple))
name_paths = st.builds(n.Path, st.one_of(NAMES, st.just("payload")), st.lists(steps, max_size=2).map(tuple))
any_path = st.one_of(payload_paths, name_paths)
leaves = st.one_of(literals, any_path, st.builds(n.Slice, any_path, st.integers(-3, 3), st.integers(-3, 3)))


def _call(name: str, argument: n.Expression) -> n.Call:
    return n.Call(name, () if name in ("topic", "null") else (argument,))


def _bigger(inner: st.SearchStrategy[n.Expression]) -> st.SearchStrategy[n.Expression]:
    return st.one_of(
        st.builds(n.Arithmetic, st.sampled_from(["+", "-", "*", "/", "div", "mod"]), inner, inner),
        st.builds(n.Unary, st.sampled_from(["+", "-"]), inner),
        st.builds(n.ListOf, st.lists(inner, max_size=3).map(tuple)),
        st.builds(_call, st.sampled_from(FUNCTIONS), inner),
    )


expressions = st.recursive(leaves, _bigger, max_leaves=6)
comparisons = st.builds(
    n.Comparison, st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "=~"]), expressions, expressions
)  # fmt: skip
predicates = st.one_of(
    comparisons,
    st.builds(n.Member, expressions, st.lists(expressions, min_size=1, max_size=3).map(tuple)),
    st.booleans().map(n.Literal),
    any_path,
)
conditions = st.recursive(
    predicates,
    lambda inner: st.one_of(
        st.builds(n.Both, inner, inner), st.builds(n.Either, inner, inner), st.builds(n.Not, inner)
    ),
    max_leaves=4,
)
branches = st.lists(st.builds(n.Branch, conditions, expressions), min_size=1, max_size=2).map(tuple)
cases = st.builds(n.Case, st.one_of(st.none(), expressions), branches, st.one_of(st.none(), expressions))
aliases = st.one_of(
    st.none(),
    NAMES.map(n.Path),
    st.builds(
        n.Path,
        NAMES,
        st.lists(st.one_of(KEYS.map(n.Key), st.builds(n.Index, st.integers(0, 3))), max_size=2).map(tuple),
    ),
)
fields = st.one_of(
    st.builds(n.Field, st.one_of(expressions, expressions, cases, comparisons), aliases), st.builds(n.Star)
)  # fmt: skip
some_fields = st.lists(fields, min_size=1, max_size=4).map(tuple)
wheres = st.one_of(st.none(), conditions)
selects = st.builds(n.Statement, some_fields, st.just(("t/#",)), wheres)
collections = st.builds(n.Field, st.one_of(any_path, expressions), st.one_of(st.none(), NAMES.map(n.Path)))
foreachs = st.builds(
    lambda before, last, where, do, incase: n.Statement((*before, last), ("t/#",), where, True, do, incase),
    st.lists(st.builds(n.Field, expressions, NAMES.map(n.Path)), max_size=1),
    collections,
    wheres,
    st.one_of(st.none(), some_fields),
    st.one_of(st.none(), conditions),
)
statements = st.one_of(selects, foreachs)

json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 2**70), st.sampled_from([0.5, 1.0, -2.5]), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=8,
)
documents = st.dictionaries(KEYS, json_values, max_size=6)
