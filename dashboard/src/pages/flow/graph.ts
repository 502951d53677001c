// The pipeline as a graph: what rules select, Kafka's topics between, the rules, their actions, and the buckets; and where each node
// stands. Pure.
import dagre from "@dagrejs/dagre";
import type { Action, Rule } from "../../api/objects";

export type Kind = "topic" | "event" | "log" | "rule" | "action" | "bucket";
/** `note` says more to people; of a log it is an action that reads it, by which its partitions are known. */
export type Part = { id: string; kind: Kind; name: string; note: string; enabled: boolean; x: number; y: number };
export type Link = { id: string; from: string; to: string; rule: string | null; action: string | null };
export type Graph = { parts: Part[]; links: Link[] };

export const SIZE = { width: 176, height: 52 };
const GAP = { ranksep: 64, nodesep: 18 }; // a rate has room on the link
const GAP_DOWN = { ranksep: 56, nodesep: 12 };

export type Direction = "LR" | "TB"; // from left to right, or down where there is no width

export function graphOf(rules: readonly Rule[], actions: readonly Action[], direction: Direction = "LR"): Graph {
  const parts = new Map<string, Part>();
  const links = new Map<string, Link>();
  const part = (kind: Kind, name: string, note: string, enabled: boolean) => {
    const id = `${kind}/${name}`;
    if (!parts.has(id)) parts.set(id, { id, kind, name, note, enabled, x: 0, y: 0 });
    return id;
  };
  const link = (from: string, to: string, rule: string | null, action: string | null) => {
    const id = `${from}→${to}`;
    if (!links.has(id)) links.set(id, { id, from, to, rule, action });
  };
  for (const action of actions) {
    const own = part("action", `${action.type}:${action.name}`, action.connector, action.enable !== false);
    const bucket = String(action.parameters.bucket ?? "");
    if (bucket) link(own, part("bucket", bucket, action.connector, true), null, `${action.type}:${action.name}`);
  }
  for (const rule of rules) {
    const own = part("rule", rule.id, rule.description ?? "", rule.enable !== false);
    const reader = rule.actions.find((action): action is string => typeof action === "string" && parts.has(`action/${action}`)) ?? "";
    for (const topic of rule.from ?? []) {
      const isEvent = topic.startsWith("$events/");
      const log = part("log", isEvent ? "events" : "messages", reader, true);
      link(part(isEvent ? "event" : "topic", topic, "", true), log, rule.id, null);
      link(log, own, rule.id, null);
    }
    for (const action of rule.actions) {
      if (typeof action === "string" && parts.has(`action/${action}`)) link(own, `action/${action}`, rule.id, action);
    }
  }
  return placed({ parts: [...parts.values()], links: [...links.values()] }, direction);
}

/** Columns (or, downwards, lines) with as few crossings as dagre finds. */
export function placed({ parts, links }: Graph, direction: Direction = "LR"): Graph {
  const graph = new dagre.graphlib.Graph().setGraph({ rankdir: direction, ...(direction === "LR" ? GAP : GAP_DOWN) }).setDefaultEdgeLabel(() => ({}));
  for (const part of parts) graph.setNode(part.id, { ...SIZE });
  for (const { from, to } of links) graph.setEdge(from, to);
  dagre.layout(graph);
  return {
    parts: parts.map((part) => {
      const { x, y } = graph.node(part.id);
      return { ...part, x: x - SIZE.width / 2, y: y - SIZE.height / 2 };
    }),
    links,
  };
}
