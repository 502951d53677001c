// Traces of live traffic. The API process that made one keeps its log in memory.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { call } from "./client";
import type { Answer } from "./types";

export type Trace = Answer["Trace"];
/** `wanted` is a rule's ID, a clientid, a topic filter or an address, as `type` says. */
export type NewTrace = { name: string; type: string; wanted: string; payload_encode: string };

const TRACES = ["traces"];
const REFRESH_MS = 3_000;
const LOG_REFRESH_MS = 1_500;
const SHOWN_BYTES = 262_144;
const at = (name: string) => `/trace/${encodeURIComponent(name)}`;

export const useTraces = () =>
  useQuery({ queryKey: TRACES, queryFn: ({ signal }) => call<Trace[]>("GET", "/trace", { signal }), refetchInterval: REFRESH_MS });

export const useTraceLog = (name: string) =>
  useQuery({
    queryKey: [...TRACES, name],
    queryFn: async ({ signal }) => (await call<Answer["TraceLog"]>("GET", `${at(name)}/log?bytes=${SHOWN_BYTES}`, { signal })).items,
    refetchInterval: LOG_REFRESH_MS,
  });

export const archiveOf = (name: string): string => `api/v5${at(name)}/download`;

export function useTraceVerbs() {
  const queries = useQueryClient();
  const onSettled = () => queries.invalidateQueries({ queryKey: TRACES });
  return {
    create: useMutation({
      mutationFn: ({ wanted, type, ...others }: NewTrace) => call<Trace>("POST", "/trace", { body: { ...others, type, [type]: wanted, formatter: "json" } }),
      onSettled,
    }),
    stop: useMutation({ mutationFn: (name: string) => call<unknown>("PUT", `${at(name)}/stop`), onSettled }),
    remove: useMutation({ mutationFn: (name: string) => call<void>("DELETE", at(name)), onSettled }),
  };
}
