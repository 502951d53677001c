// The counters of a rule, an action or a source, as all processes report them, and how far an action has come in Kafka.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { call } from "./client";
import type { Family } from "./objects";
import type { Answer } from "./types";

export type Counted = "rules" | "actions" | "sources";
export type Metrics = Answer["Metrics"];
/** From the arrival of a message to its place in the store; null as long as nothing is known. */
export type Latency = Record<"mean_seconds" | "p50_seconds" | "p95_seconds" | "p99_seconds", number | null>;
export type Numbers = Metrics["metrics"];

const REFRESH_MS = 3_000;
const STEP_MS = 30_000; // the server has nothing new before
const at = (family: Counted, id: string) => `/${family}/${encodeURIComponent(id)}`;

export const useMetrics = (family: Counted, id: string) =>
  useQuery({ queryKey: ["metrics", family, id], queryFn: ({ signal }) => call<Metrics>("GET", `${at(family, id)}/metrics`, { signal }), refetchInterval: REFRESH_MS });

/** What an object, also a connector, did in each step of the last hour. */
export const useLastHour = (family: Family, id: string) =>
  useQuery({
    queryKey: ["lastHour", family, id],
    queryFn: ({ signal }) => call<Answer["ObjectStep"][]>("GET", `/${family}/${encodeURIComponent(id)}/monitor`, { signal }),
    refetchInterval: STEP_MS,
  });

export const usePartitions = (id: string) =>
  useQuery({ queryKey: ["partitions", id], queryFn: ({ signal }) => call<Answer["Partitions"]>("GET", `${at("actions", id)}/partitions`, { signal }), refetchInterval: REFRESH_MS });

/** Lets the counters begin again at 0. */
export function useReset(family: Counted, id: string): () => Promise<void> {
  const queries = useQueryClient();
  return async () => {
    await call("PUT", `${at(family, id)}/metrics/reset`);
    await queries.invalidateQueries({ queryKey: ["metrics", family, id] });
  };
}
