// A statement as the parts of a flow, and back: `SELECT fields FROM topics WHERE condition`. Pure.
//
// The designer draws these parts as nodes. A statement that has more than them (FOREACH, a subquery's braces, comments) is left to the
// editor of rules: `partsOf` then gives null, and nobody's text is rewritten by opening it.

export type FieldPart = { expression: string; name: string };
export type Parts = { topics: string[]; fields: FieldPart[]; condition: string };

export const EVERYTHING: FieldPart[] = [{ expression: "*", name: "" }];

export function statementOf({ topics, fields, condition }: Parts): string {
  const list = fields.length ? fields : EVERYTHING;
  const columns = list.map(({ expression, name }) => (name ? `${expression} AS ${name}` : expression));
  const from = topics.map((topic) => `"${topic}"`).join(", ");
  const where = condition.trim();
  return `SELECT\n  ${columns.join(",\n  ")}\nFROM\n  ${from}${where ? `\nWHERE\n  ${where}` : ""}`;
}

export function partsOf(statement: string): Parts | null {
  const words = tokens(statement);
  if (!words || words[0]?.lower !== "select") return null;
  const from = words.findIndex((word) => word.depth === 0 && word.lower === "from");
  const where = words.findIndex((word) => word.depth === 0 && word.lower === "where");
  if (from < 1 || (where >= 0 && where < from)) return null;
  const end = where < 0 ? words.length : where;
  const topics = topicsOf(words.slice(from + 1, end));
  const fields = fieldsOf(statement, words.slice(1, from));
  if (!topics || !fields) return null;
  const first = words[where + 1];
  const condition = where < 0 || !first ? "" : statement.slice(first.from).trim();
  return { topics, fields, condition };
}

type Token = { text: string; lower: string; from: number; to: number; depth: number };

const TOKEN = /\s+|--[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[\w.$]+|[()[\]{}]|./gy;
const DEPTH: Record<string, number> = { "(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1, case: 1, end: -1 };

/** Words of the statement with the depth of brackets they are in, or null if it has comments or does not close what it opens. */
export function tokens(statement: string): Token[] | null {
  const found: Token[] = [];
  let depth = 0;
  for (const match of statement.matchAll(TOKEN)) {
    const [text] = match;
    if (!text.trim()) continue;
    if (text.startsWith("--") || text.startsWith("/*")) return null;
    const lower = text.toLowerCase();
    const step = DEPTH[lower] ?? 0;
    if (step < 0) depth -= 1;
    found.push({ text, lower, from: match.index, to: match.index + text.length, depth });
    if (step > 0) depth += 1;
    if (depth < 0) return null;
  }
  return depth === 0 ? found : null;
}

function topicsOf(words: Token[]): string[] | null {
  const topics: string[] = [];
  for (const [n, word] of words.entries()) {
    const quoted = /^(["'])(.*)\1$/s.exec(word.text);
    if (n % 2 ? word.text !== "," : !quoted) return null;
    if (quoted) topics.push(quoted[2] ?? "");
  }
  return words.length % 2 ? topics : null;
}

function fieldsOf(statement: string, words: Token[]): FieldPart[] | null {
  const fields: FieldPart[] = [];
  let begin = 0;
  for (let n = 0; n <= words.length; n++) {
    const word = words[n];
    if (word && !(word.depth === 0 && word.text === ",")) continue;
    const own = words.slice(begin, n);
    begin = n + 1;
    const [first, last] = [own[0], own.at(-1)];
    if (!first || !last) return null;
    const as = own.findIndex((each) => each.depth === 0 && each.lower === "as");
    const until = as < 0 ? last : own[as - 1];
    if (!until || (as >= 0 && as === own.length - 1)) return null;
    const name = as < 0 ? "" : statement.slice(own[as + 1]?.from, last.to);
    fields.push({ expression: statement.slice(first.from, until.to), name });
  }
  return fields;
}
