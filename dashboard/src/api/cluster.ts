// What the processes of the pipeline did together, and which there are.
import { useQuery } from "@tanstack/react-query";
import { call } from "./client";
import type { Answer } from "./types";

/** What happened in the 10 s before `time_stamp`; `connections` and `lag` are those of that moment. */
export type Step = Answer["Step"];
export type ClusterNode = Answer["Node"];

export const STEP_SECONDS = 10;

export const useMonitor = () =>
  useQuery({
    queryKey: ["monitor"],
    queryFn: ({ signal }) => call<Step[]>("GET", "/monitor?latest=3600", { signal }),
    refetchInterval: STEP_SECONDS * 1000,
  });

export const useNodes = () =>
  useQuery({ queryKey: ["nodes"], queryFn: ({ signal }) => call<ClusterNode[]>("GET", "/nodes", { signal }), refetchInterval: 5_000 });
