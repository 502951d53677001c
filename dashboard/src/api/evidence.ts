// What was written, and the proof of it: objects, dead letters, and the jobs that verify, redrive and replay.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { t } from "../texts";
import { call } from "./client";
import type { Answer } from "./types";

const POLL_MS = 1_000;

// --- Objects

export type ObjectPage = Answer["ObjectPage"];
export type ObjectFacts = Answer["ObjectDetails"];
export type ObjectPreview = Answer["ObjectPreview"];

/** Which objects: those of an action, in a bucket if rows decide it. */
export type Where = { action: string; bucket: string };

export function queryOf(fields: Record<string, string | number | boolean | null | undefined>): string {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null && value !== "" && value !== false);
  return new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
}

export const listObjects = (where: Where, prefix: string | null, token: string, signal: AbortSignal): Promise<ObjectPage> =>
  // An empty prefix is the whole bucket, and none is the folder of the action.
  call("GET", `/objects?${queryOf({ ...where, token })}${prefix === null ? "" : `&prefix=${encodeURIComponent(prefix)}`}`, { signal });

export const useFacts = (where: Where, key: string) =>
  useQuery({
    queryKey: ["object", where, key, "facts"],
    queryFn: ({ signal }) => call<ObjectFacts>("GET", `/objects/facts?${queryOf({ ...where, key })}`, { signal }),
  });

export const usePreview = (where: Where, key: string) =>
  useQuery({
    queryKey: ["object", where, key, "preview"],
    queryFn: ({ signal }) => call<ObjectPreview>("GET", `/objects/preview?${queryOf({ ...where, key })}`, { signal }),
  });

export const contentOf = (where: Where, key: string): string => `api/v5/objects/content?${queryOf({ ...where, key })}`;

// --- Dead letters

export type Letter = Answer["ListedLetter"];
export type WholeLetter = Answer["WholeLetter"];
export type LetterPage = Answer["Letters"];

/** A text, or bytes that are none. */
export type Bytes = Letter["key"];

export type LetterFilter = { action?: string; rule?: string; cause?: string; clientid?: string; since?: number; again?: boolean };
export const useLetters = (filter: LetterFilter, page: number) =>
  useQuery({
    queryKey: ["letters", filter, page],
    queryFn: ({ signal }) => call<LetterPage>("GET", `/dead_letters?${queryOf({ ...filter, page, limit: 50 })}`, { signal }),
    placeholderData: (before) => before,
  });

export const useLetter = (place: string) =>
  useQuery({ queryKey: ["letters", "one", place], queryFn: ({ signal }) => call<WholeLetter>("GET", `/dead_letters/${encodeURIComponent(place)}`, { signal }) });

export function textOfBytes(bytes: Bytes): string {
  if (typeof bytes === "string") return bytes;
  const size = Math.floor((bytes.$b64.length * 3) / 4);
  return t.evidence.base64(size, bytes.$b64);
}

// --- Jobs

type Jobs = { verify: Answer["VerifyJob"]; replay: Answer["ReplayJob"]; redrive: Answer["RedriveJob"] };
export type Kind = keyof Jobs;
export type Job<K extends Kind = Kind> = Jobs[K];

export type Verification = Answer["VerifyResult"];
export type Finding = Answer["VerifyFinding"];
export type Strip = Answer["PartitionStrip"];
export type OffsetRun = Answer["StripRun"];
export type Replaying = Answer["ReplayResult"];
export type LeftOut = Answer["LeftOutAnswer"];

export const useJobs = (kind: Kind) =>
  useQuery({
    queryKey: ["jobs", "list"],
    queryFn: ({ signal }) => call<Job[]>("GET", "/jobs", { signal }),
    select: (all) => all.filter((each) => each.kind === kind),
    refetchInterval: 5_000,
  });

/** A job with what it has found so far; asked again while it goes on. */
export const useJob = <K extends Kind>(id: string, columns = 300) =>
  useQuery({
    queryKey: ["jobs", "one", id, columns],
    queryFn: ({ signal }) => call<Job<K>>("GET", `/jobs/${encodeURIComponent(id)}?columns=${columns}`, { signal }),
    refetchInterval: ({ state }) => (state.data?.ended === null ? POLL_MS : false),
  });

export function useJobVerbs() {
  const queries = useQueryClient();
  const again = () => queries.invalidateQueries({ queryKey: ["jobs"] });
  return {
    start: useMutation({ mutationFn: (body: Record<string, unknown>) => call<Job>("POST", "/jobs", { body }), onSettled: again }),
    run: useMutation({ mutationFn: (id: string) => call<Job>("POST", `/jobs/${encodeURIComponent(id)}/run`, { body: {} }), onSettled: again }),
    end: useMutation({ mutationFn: (id: string) => call<void>("DELETE", `/jobs/${encodeURIComponent(id)}`), onSettled: again }),
  };
}

export const reportOf = (id: string): string => `api/v5/jobs/${encodeURIComponent(id)}/report`;
