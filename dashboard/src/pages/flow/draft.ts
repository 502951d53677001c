// A flow while it is drawn: nodes, edges, and the rule that they mean. Pure; each change gives a new draft, so that undo is a list.
import type { Rule } from "../../api/objects";
import { type Direction, placed } from "./graph";
import { EVERYTHING, type FieldPart, type Parts, partsOf, statementOf } from "./statement";

export type Source = { kind: "source"; topic: string };
export type Fields = { kind: "fields"; fields: FieldPart[] };
export type Filter = { kind: "filter"; condition: string };
export type Sink = { kind: "sink"; action: string };
export type Step = (Source | Fields | Filter | Sink) & { id: string; x: number; y: number };
export type Edge = { from: string; to: string };
export type Draft = { steps: Step[]; edges: Edge[] };

export const EMPTY: Draft = { steps: [], edges: [] };
const ORDER: readonly Step["kind"][] = ["source", "fields", "filter", "sink"];
const AFTER = { source: ["fields", "filter", "sink"], fields: ["filter", "sink"], filter: ["sink"], sink: [] } as const;

/** Whether an edge may be drawn: forward only, and no step twice in the way of a message. */
export function joins(draft: Draft, from: string, to: string): boolean {
  const [one, other] = [stepOf(draft, from), stepOf(draft, to)];
  if (!one || !other || draft.edges.some((edge) => edge.from === from && edge.to === to)) return false;
  return (AFTER[one.kind] as readonly string[]).includes(other.kind);
}

export function withStep(draft: Draft, step: Step): Draft {
  const known = draft.steps.some(({ id }) => id === step.id);
  return { ...draft, steps: known ? draft.steps.map((each) => (each.id === step.id ? step : each)) : [...draft.steps, step] };
}

/** The draft with a new step in its place in the way of messages: joined with the steps of the kinds before and after it. */
export function withNext(draft: Draft, step: Step): Draft {
  const near = (kinds: readonly Step["kind"][]) => kinds.map((kind) => draft.steps.filter((each) => each.kind === kind)).find((found) => found.length) ?? [];
  const at = ORDER.indexOf(step.kind);
  const [before, after] = [near(ORDER.slice(0, at).reverse()), near(ORDER.slice(at + 1))];
  const between = step.kind === "fields" || step.kind === "filter";
  if (between && draft.steps.some(({ kind }) => kind === step.kind)) return withStep(draft, step); // one too many has no place
  const [from, into] = [new Set(before.map(({ id }) => id)), new Set(after.map(({ id }) => id))];
  const kept = between ? draft.edges.filter((edge) => !(from.has(edge.from) && into.has(edge.to))) : draft.edges;
  const joined = [...before.map(({ id }) => ({ from: id, to: step.id })), ...after.map(({ id }) => ({ from: step.id, to: id }))];
  return joined.reduce(withEdge, { ...withStep(draft, step), edges: kept });
}

export function withEdge(draft: Draft, edge: Edge): Draft {
  return joins(draft, edge.from, edge.to) ? { ...draft, edges: [...draft.edges, edge] } : draft;
}

export function without(draft: Draft, steps: readonly string[], edges: readonly Edge[] = []): Draft {
  const gone = (edge: Edge) => edges.some((each) => each.from === edge.from && each.to === edge.to);
  return {
    steps: draft.steps.filter(({ id }) => !steps.includes(id)),
    edges: draft.edges.filter((edge) => !gone(edge) && !steps.includes(edge.from) && !steps.includes(edge.to)),
  };
}

export type Meaning = { sql: string; actions: string[]; lacks: Lack[] };
/** What is missing, and for which step. */
export type Lack = { what: "source" | "topic" | "sink" | "action" | "many" } | { what: "before" | "after"; step: Step };

/** The rule that the draft means, and what is still missing for it to be one. */
export function meaningOf(draft: Draft): Meaning {
  const of = <K extends Step["kind"]>(kind: K) => draft.steps.filter((step): step is Step & { kind: K } => step.kind === kind);
  const [sources, fields, filters, sinks] = [of("source"), of("fields"), of("filter"), of("sink")];
  const lacks: Lack[] = [];
  if (!sources.length) lacks.push({ what: "source" });
  if (sources.some(({ topic }) => !topic.trim())) lacks.push({ what: "topic" });
  if (!sinks.length) lacks.push({ what: "sink" });
  if (sinks.some(({ action }) => !action)) lacks.push({ what: "action" });
  if (fields.length > 1 || filters.length > 1) lacks.push({ what: "many" });
  for (const step of [...sources, ...fields, ...filters, ...sinks]) lacks.push(...ends(draft, step));
  const parts: Parts = {
    topics: sources.map(({ topic }) => topic.trim()).filter(Boolean),
    fields: fields[0]?.fields ?? EVERYTHING,
    condition: filters[0]?.condition ?? "",
  };
  return { sql: statementOf(parts), actions: [...new Set(sinks.map(({ action }) => action).filter(Boolean))], lacks };
}

/** On which sides of a step the way of messages ends, although it should go on. */
function ends(draft: Draft, step: Step): Lack[] {
  const found: Lack[] = [];
  if (step.kind !== "source" && !draft.edges.some(({ to }) => to === step.id)) found.push({ what: "before", step });
  if (step.kind !== "sink" && !draft.edges.some(({ from }) => from === step.id)) found.push({ what: "after", step });
  return found;
}

/** The draft of a rule, or null if its statement has more than a flow can show. */
export function draftOf(rule: Pick<Rule, "sql" | "actions">, direction: Direction = "LR"): Draft | null {
  const parts = partsOf(rule.sql);
  if (!parts || rule.actions.some((action) => typeof action !== "string")) return null;
  const steps: Step[] = parts.topics.map((topic, n) => ({ id: `source-${n}`, kind: "source", topic, x: 0, y: 0 }));
  const way: string[] = [];
  if (!(parts.fields.length === 1 && parts.fields[0]?.expression === "*")) {
    steps.push({ id: "fields", kind: "fields", fields: parts.fields, x: 0, y: 0 });
    way.push("fields");
  }
  if (parts.condition) {
    steps.push({ id: "filter", kind: "filter", condition: parts.condition, x: 0, y: 0 });
    way.push("filter");
  }
  const sinks = rule.actions.map((action, n): Step => ({ id: `sink-${n}`, kind: "sink", action: String(action), x: 0, y: 0 }));
  const sources = steps.filter(({ kind }) => kind === "source").map(({ id }) => id);
  const edges: Edge[] = [];
  let before = sources;
  for (const id of way) {
    for (const from of before) edges.push({ from, to: id });
    before = [id];
  }
  for (const sink of sinks) for (const from of before) edges.push({ from, to: sink.id });
  return arranged({ steps: [...steps, ...sinks], edges }, direction);
}

export function arranged(draft: Draft, direction: Direction = "LR"): Draft {
  const graph = {
    parts: draft.steps.map(({ id }) => ({ id, kind: "rule" as const, name: id, note: "", enabled: true, x: 0, y: 0 })),
    links: draft.edges.map(({ from, to }) => ({ id: `${from}→${to}`, from, to, rule: null, action: null })),
  };
  const { parts } = placed(graph, direction);
  const places = new Map(parts.map((part) => [part.id, part]));
  return { ...draft, steps: draft.steps.map((step) => ({ ...step, x: places.get(step.id)?.x ?? step.x, y: places.get(step.id)?.y ?? step.y })) };
}

function stepOf(draft: Draft, id: string): Step | undefined {
  return draft.steps.find((step) => step.id === id);
}
