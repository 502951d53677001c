"""Makes a syntax tree from tokens by recursive descent, with one table for the binary operators.

The grammar is that of the original dialect: AND, OR, NOT and IN are allowed only in conditions; a comparison is also allowed as
a field or an argument; CASE is allowed as a field or an argument but not as an operand; only names and paths have an index.
Three modes say what parentheses may hold: an expression in a VALUE, also a comparison or a CASE in an ARGUMENT, and everything
except CASE in a CONDITION.

Raises SqlError with the place. This file does not know functions or types.
"""

from __future__ import annotations

from contextlib import suppress
from enum import Enum, auto
from typing import Final

from pipeline.errors import SqlError
from pipeline.sql.syntax import nodes as n
from pipeline.sql.syntax.lexer import Token, error_at, tokenize
from pipeline.topics import validate_filter

DEPTH_MAX: Final = 100
COMPARISONS: Final = frozenset(["=", "!=", "<>", "<", ">", "<=", ">=", "=~", "~="])
# Precedence of the arithmetic operators. All are left-associative, and unary signs have a higher precedence.
BINDING: Final = {"+": 1, "-": 1, "*": 2, "/": 2, "div": 2, "mod": 2}


class Mode(Enum):
    """The possible contents of parentheses."""

    VALUE = auto()
    ARGUMENT = auto()
    CONDITION = auto()


def parse(text: str, *, any_source: bool = False) -> n.Statement:
    """The tree of one statement.

    Spans are offsets in `text`. `any_source` allows a topic filter that can never match in FROM. A `--` in the last line
    begins a comment, unless only two minus signs make a statement there, as in EMQX.
    """
    try:
        return _Parser(text, any_source).statement()
    except SqlError:
        if "--" in text.rstrip().rpartition("\n")[2]:
            with suppress(SqlError):
                return _Parser(text, any_source, with_last_comment=False).statement()
        raise


class _Parser:
    def __init__(self, text: str, any_source: bool = False, *, with_last_comment: bool = True) -> None:
        self.text = text
        self.any_source = any_source
        self.tokens = tokenize(text, with_last_comment=with_last_comment)
        self.position = 0
        self.depth = 0

    # --- Tokens

    @property
    def here(self) -> Token:
        return self.tokens[self.position]

    def take(self) -> Token:
        token = self.tokens[self.position]
        self.position += 1
        return token

    def accept(self, *kinds: str) -> Token | None:
        return self.take() if self.here.kind in kinds else None

    def expect(self, kind: str, wanted: str) -> Token:
        if self.here.kind != kind:
            raise self.unexpected(wanted)
        return self.take()

    def unexpected(self, wanted: str) -> SqlError:
        token = self.here
        found = "the end of the statement" if token.kind == "END" else repr(self.text[token.start : token.end])
        return error_at(self.text, token.start, f"expected {wanted}, found {found}")

    def span_from(self, start: int) -> n.Span:
        return (start, self.tokens[self.position - 1].end)

    def enter(self) -> None:
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise error_at(self.text, self.here.start, f"a statement nests at most {DEPTH_MAX} levels deep")

    # --- Statement

    def statement(self) -> n.Statement:
        start = self.here.start
        collect = self.accept("FOREACH") is not None
        if not collect:
            self.expect("SELECT", "SELECT or FOREACH")
        fields = self.fields()
        do = self.fields() if collect and self.accept("DO") else None
        incase = self.condition() if collect and self.accept("INCASE") else None
        sources = self.sources()
        where = self.condition() if self.accept("WHERE") else None
        self.expect("END", "the end of the statement")
        return n.Statement(fields, sources, where, collect, do, incase, span=self.span_from(start))

    def sources(self) -> tuple[str, ...]:
        self.expect("FROM", "',' or FROM")
        sources = [self.source()]
        while self.accept(","):
            sources.append(self.source())
        return tuple(sources)

    def source(self) -> str:
        token = self.accept("NAME", "QUOTED", "STRING")
        if token is None:
            raise self.unexpected('a topic filter in quotes, as in FROM "t/#"')
        if not self.any_source:
            try:
                validate_filter(token.value)
            except ValueError as error:
                raise error_at(self.text, token.start, str(error)) from None
        return str(token.value)

    def fields(self) -> tuple[n.Field | n.Star, ...]:
        fields = [self.field()]
        while self.accept(","):
            fields.append(self.field())
        return tuple(fields)

    def field(self) -> n.Field | n.Star:
        start = self.here.start
        if self.accept("*"):
            return n.Star(span=self.span_from(start))
        if self.at_case():
            value: n.Expression = self.case()
            alias = self.alias()
        else:
            value = self.comparison(Mode.VALUE)
            # A bare comparison needs AS before its alias. All other fields do not.
            alias = self.alias(optional_as=not isinstance(value, n.Comparison))
        return n.Field(value, alias, span=self.span_from(start))

    def alias(self, *, optional_as: bool = True) -> n.Path | None:
        if self.accept("AS") or (optional_as and self.here.kind in ("NAME", "QUOTED")):
            if self.here.kind == "STRING":
                raise self.unexpected("a name after AS (a string in single quotes is not a name)")
            return self.path()
        return None

    # --- Conditions

    def condition(self) -> n.Expression:
        start = self.here.start
        left = self.conjunction()
        while self.accept("OR"):
            left = n.Either(left, self.conjunction(), span=self.span_from(start))
        return left

    def conjunction(self) -> n.Expression:
        start = self.here.start
        left = self.negation()
        while self.accept("AND"):
            left = n.Both(left, self.negation(), span=self.span_from(start))
        return left

    def negation(self) -> n.Expression:
        start = self.here.start
        if self.accept("NOT"):
            self.enter()
            operand = self.negation()
            self.depth -= 1
            return n.Not(operand, span=self.span_from(start))
        return self.predicate()

    def predicate(self) -> n.Expression:
        start = self.here.start
        left = self.comparison(Mode.CONDITION)
        negated = self.here.kind == "NOT" and self.tokens[self.position + 1].kind == "IN"
        if not negated and self.here.kind != "IN":
            return left
        self.require_value(left, start)
        self.position += 2 if negated else 1
        self.expect("(", "'(' and the list of values")
        items = self.many(Mode.VALUE, ")")
        if not items:
            raise error_at(self.text, self.tokens[self.position - 1].start, "IN needs at least one value")
        member = n.Member(left, items, span=self.span_from(start))
        return n.Not(member, span=member.span) if negated else member

    # --- Expressions

    def comparison(self, mode: Mode) -> n.Expression:
        start = self.here.start
        left = self.arithmetic(mode)
        operator = self.accept(*COMPARISONS)
        if operator is None:
            return left
        self.require_operand(left, mode, start)
        right_start = self.here.start
        right = self.arithmetic(mode)
        self.require_operand(right, mode, right_start)
        if self.here.kind in COMPARISONS:
            raise error_at(self.text, self.here.start, "comparisons cannot be chained: join them with AND")
        kind = "!=" if operator.kind == "<>" else operator.kind
        return n.Comparison(kind, left, right, span=self.span_from(start))

    def require_operand(self, node: n.Expression, mode: Mode, start: int) -> None:
        """Refuse a condition or CASE as an operand. Only an argument may compare comparisons and CASEs in parentheses."""
        if mode is not Mode.ARGUMENT:
            self.require_value(node, start)

    def require_value(self, node: n.Expression, start: int) -> None:
        if isinstance(node, n.Condition | n.Case):
            raise error_at(self.text, start, "a condition or CASE cannot be an operand here")

    def arithmetic(self, mode: Mode, binding: int = 0) -> n.Expression:
        start = self.here.start
        left = self.unary(mode)
        while (power := BINDING.get(self.here.kind, 0)) > binding:
            self.require_value(left, start)
            operator = self.take().kind
            right_start = self.here.start
            right = self.arithmetic(mode, power)
            self.require_value(right, right_start)
            left = n.Arithmetic(operator, left, right, span=self.span_from(start))
        return left

    def unary(self, mode: Mode) -> n.Expression:
        start = self.here.start
        self.enter()
        sign = self.accept("+", "-")
        if sign is None:
            node = self.primary(mode)
        else:
            operand_start = self.here.start
            operand = self.unary(mode)
            self.require_value(operand, operand_start)
            node = n.Unary(sign.kind, operand, span=self.span_from(start))
        self.depth -= 1
        return node

    def primary(self, mode: Mode) -> n.Expression:
        token = self.here
        if token.kind == "(":
            return self.parenthesised(mode)
        if token.kind in ("STRING", "INTEGER", "FLOAT"):
            self.take()
            return n.Literal(token.value, span=self.span_from(token.start))
        if token.kind in ("TRUE", "FALSE"):
            self.take()
            return n.Literal(token.kind == "TRUE", span=self.span_from(token.start))
        if token.kind == "RANGE":
            return self.range_literal()
        if token.kind == "[":
            self.take()
            items = self.many(Mode.VALUE, "]")
            return n.ListOf(items, span=self.span_from(token.start))
        if token.kind in ("div", "mod"):
            self.take()
            self.expect("(", f"'(' after {token.kind}, or something before it")
            return n.Call(token.kind, self.many(Mode.ARGUMENT, ")"), span=self.span_from(token.start))
        if token.kind in ("NAME", "QUOTED"):
            return self.path_or_call()
        raise self.unexpected("an expression" if token.kind != "CASE" else "an expression (CASE cannot be an operand)")

    def parenthesised(self, mode: Mode) -> n.Expression:
        start = self.take().start
        self.enter()
        if mode is Mode.CONDITION:
            inner = self.condition()
        elif mode is Mode.ARGUMENT:
            inner = self.case() if self.at_case() else self.comparison(mode)
        else:
            inner = self.arithmetic(mode)
        self.depth -= 1
        self.expect(")", "')'")
        if self.here.kind in (".", "[", "RANGE"):
            raise error_at(self.text, start, "only a name or path can be followed by an index")
        return inner

    def range_literal(self) -> n.RangeLiteral:
        token = self.take()
        begin, end = token.value
        if end < begin - 1:
            raise error_at(self.text, token.start, f"the range ends before it begins: {begin} to {end}")
        return n.RangeLiteral(begin, end, span=self.span_from(token.start))

    def many(self, mode: Mode, closing: str) -> tuple[n.Expression, ...]:
        """Expressions separated by commas, up to and including `closing`."""
        items: list[n.Expression] = []
        if self.accept(closing):
            return ()
        while True:
            case_here = mode is Mode.ARGUMENT and self.at_case()
            items.append(self.case() if case_here else self.item(mode))
            if self.accept(closing):
                return tuple(items)
            self.expect(",", f"',' or '{closing}'")

    def item(self, mode: Mode) -> n.Expression:
        return self.comparison(mode) if mode is Mode.ARGUMENT else self.arithmetic(mode)

    # --- CASE

    def at_case(self) -> bool:
        """Whether a CASE begins here, possibly after opening parentheses."""
        position = self.position
        while self.tokens[position].kind == "(":
            position += 1
        return self.tokens[position].kind == "CASE"

    def case(self) -> n.Case:
        self.enter()
        start = self.here.start
        if self.accept("("):
            inner = self.case()
            self.expect(")", "')'")
            self.depth -= 1
            return inner
        self.expect("CASE", "CASE")
        subject = None if self.here.kind == "WHEN" else self.arithmetic(Mode.VALUE)
        branches = []
        while self.accept("WHEN"):
            when = self.condition()
            self.expect("THEN", "THEN")
            branches.append(n.Branch(when, self.arithmetic(Mode.VALUE)))
        if not branches:
            raise self.unexpected("WHEN")
        otherwise = self.arithmetic(Mode.VALUE) if self.accept("ELSE") else None
        self.expect("END", "WHEN, ELSE or END")
        self.depth -= 1
        return n.Case(subject, tuple(branches), otherwise, span=self.span_from(start))

    # --- Paths

    def path_or_call(self) -> n.Expression:
        path = self.path()
        if self.accept("("):
            if not all(isinstance(step, n.Key) for step in path.steps):
                raise error_at(self.text, path.span[0], "only a function's name can be called")
            name = ".".join([path.root, *(step.name for step in path.steps if isinstance(step, n.Key))])
            call = n.Call(name, self.many(Mode.ARGUMENT, ")"), span=self.span_from(path.span[0]))
            if self.here.kind in (".", "[", "RANGE"):
                raise error_at(self.text, self.here.start, "a call cannot be followed by an index: use nth() or mget()")
            return call
        token = self.accept("RANGE")
        if token is None:
            return path
        if self.here.kind in (".", "["):
            raise self.unexpected("no further path after a range")
        return n.Slice(path, *token.value, span=self.span_from(path.span[0]))

    def path(self) -> n.Path:
        token = self.accept("NAME", "QUOTED")
        if token is None:
            raise self.unexpected("a name")
        steps: list[n.Step] = []
        while self.here.kind in (".", "["):
            steps.append(self.key() if self.take().kind == "." else self.index())
        return n.Path(str(token.value), tuple(steps), span=self.span_from(token.start))

    def key(self) -> n.Key:
        token = self.accept("NAME", "QUOTED", "STRING", "INTEGER")
        if token is None:
            raise self.unexpected('a name after the point (a reserved word needs quotes, as in payload."end")')
        return n.Key(str(token.value))

    def index(self) -> n.Index | n.PathIndex:
        self.enter()
        sign = self.accept("+", "-")
        step: n.Index | n.PathIndex
        if sign is None and self.here.kind in ("NAME", "QUOTED"):
            step = n.PathIndex(self.path())
        else:
            number = self.expect("INTEGER", "an integer or a path as the index")
            step = n.Index(number.value, sign is not None and sign.kind == "-")
        self.expect("]", "']'")
        self.depth -= 1
        return step
