// Trying statements and actions: nothing is stored and nothing is written.
import { useQuery } from "@tanstack/react-query";
import type { Word } from "../parts/editor";
import type { Value } from "../parts/form/value";
import { t } from "../texts";
import { call } from "./client";
import type { Answer } from "./types";

/** An event that rules can select, with example values for each of its columns. */
export type EventKind = Answer["RuleEvent"];
/** What a statement makes of an event: rows, and for each the object that each action makes of it. */
export type Trial = Answer["Trial"];
export type Function = Answer["Function"];

export const useEvents = () =>
  useQuery({ queryKey: ["rule_events"], queryFn: ({ signal }) => call<EventKind[]>("GET", "/rule_events", { signal }), staleTime: Infinity });

export const useFunctions = () =>
  useQuery({ queryKey: ["rule_functions"], queryFn: ({ signal }) => call<Function[]>("GET", "/rule_functions", { signal }), staleTime: Infinity });

/** `actions` are names of stored actions ("s3:hot") or whole bodies that are not stored yet. */
export const tryRule = (sql: string, context: unknown, actions: readonly (string | Value)[], signal?: AbortSignal): Promise<Trial> =>
  call("POST", "/rule_trial", { body: { sql, context, actions }, ...(signal ? { signal } : {}) });

export type Checked = Answer["Checked"];

/** What would refuse this object if it were stored, and what `tidegate check` would warn of. `sql` feeds an action that no rule feeds yet. */
export const check = (family: "actions" | "rules", body: Value, sql = ""): Promise<Checked> =>
  call("POST", `/${family}_check${sql ? `?sql=${encodeURIComponent(sql)}` : ""}`, { body });

/** The example values of an event's columns: `test_columns` has a pair of value and help, or the value. */
export function sampleOf(kind: EventKind): Value {
  const columns = Object.entries(kind.test_columns).map(([name, given]) => [name, Array.isArray(given) ? given[0] : given]);
  return { event_type: kind.event_type, ...Object.fromEntries(columns) };
}

/** The kinds of events that a statement selects, by its FROM. */
export function selected(sql: string, kinds: readonly EventKind[]): EventKind[] {
  const from = /\bfrom\b([\s\S]*?)(\bwhere\b|$)/i.exec(sql)?.[1] ?? "";
  const topics = [...from.matchAll(/"([^"]+)"|'([^']+)'/g)].map((match) => match[1] ?? match[2] ?? "");
  const named = kinds.filter((kind) => kind.topics.some((each) => topics.includes(each)));
  const messages = kinds.find(isMessages);
  return messages && topics.some((topic) => !topic.startsWith("$events/")) ? [messages, ...named.filter((each) => each !== messages)] : named;
}

function helpOf(kind: EventKind, column: string): string {
  const given = kind.test_columns[column];
  return Array.isArray(given) ? `${String(given[1])}. ${t.rules.forExample(JSON.stringify(given[0]))}` : "";
}

export const isMessages = (kind: EventKind) => kind.event_type === "message_publish";

export function wordsOf(functions: readonly Function[], kinds: readonly EventKind[]): Word[] {
  const helps = new Map(kinds.flatMap((kind) => kind.columns.map((name) => [name, helpOf(kind, name)] as const)));
  return [
    ...[...helps].map(([name, help]): Word => ({ name, kind: "column", detail: "column", help })),
    ...functions.map(({ name, signatures, description }): Word => ({ name, kind: "function", detail: signatures[0] ?? "", help: description })),
  ];
}

/** The same on the record of a dead letter, as it came. */
export const tryRuleOnLetter = (sql: string, letter: string, actions: readonly string[]): Promise<Trial> =>
  call("POST", "/rule_trial", { body: { sql, letter, actions } });
