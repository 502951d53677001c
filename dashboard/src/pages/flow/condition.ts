// A condition as comparisons that all hold, or of which one holds, and back. Pure. What has more than them (NOT, brackets around AND and
// OR, a function alone) is left to its text: `comparisonsOf` then gives null.
import { tokens } from "./statement";

export const OPERATORS = [">", "<", "<=", ">=", "=", "<>", "!=", "=~"] as const;
export type Comparison = { left: string; operator: string; right: string };
export type Joint = "AND" | "OR";
export type Comparisons = { joint: Joint; rows: Comparison[] };

export const BLANK: Comparison = { left: "", operator: "=", right: "" };

export function conditionOf({ joint, rows }: Comparisons): string {
  const whole = rows.filter(({ left, right }) => left.trim() && right.trim());
  return whole.map(({ left, operator, right }) => `${left.trim()} ${operator} ${right.trim()}`).join(` ${joint} `);
}

export function comparisonsOf(condition: string): Comparisons | null {
  if (!condition.trim()) return { joint: "AND", rows: [BLANK] };
  const words = tokens(condition);
  if (!words) return null;
  const joints = words.filter(({ depth, lower }) => depth === 0 && (lower === "and" || lower === "or"));
  if (new Set(joints.map(({ lower }) => lower)).size > 1) return null;
  const ends = [...joints.map(({ from }) => from), condition.length];
  const starts = [0, ...joints.map(({ to }) => to)];
  const rows = starts.map((start, n) => comparisonOf(condition.slice(start, ends[n])));
  return rows.includes(null) ? null : { joint: joints[0]?.lower === "or" ? "OR" : "AND", rows: rows as Comparison[] };
}

function comparisonOf(text: string): Comparison | null {
  const words = (tokens(text) ?? []).filter(({ depth }) => depth === 0);
  const signs = words.filter((word) => /^[<>=!~]$/.test(word.text));
  const [first, last] = [signs[0], signs.at(-1)];
  if (!first || !last || words.some(({ lower }) => lower === "not")) return null;
  const operator = text.slice(first.from, last.to);
  const [left, right] = [text.slice(0, first.from).trim(), text.slice(last.to).trim()];
  return left && right && OPERATORS.some((each) => each === operator) ? { left, operator, right } : null;
}
