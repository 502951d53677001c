// What was written, and the proof of it: objects, dead letters, and the jobs that verify, redrive and replay.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { t } from "../texts";
import { call } from "./client";

const POLL_MS = 1_000;

// --- Objects

export type ObjectPage = {
  bucket: string;
  prefix: string;
  folders: string[];
  objects: { key: string; size: number; modified: string }[];
  next: string | null;
};

export type Entry = {
  first: number;
  next: number;
  revision: number;
  records: number;
  filtered: number;
  dead_lettered: number;
  absent: number;
  gone: number;
  rows: number;
  objects: number;
  replayed: boolean;
};

export type ObjectFacts = {
  bucket: string;
  key: string;
  size: number;
  modified: string;
  content_type: string;
  version: string | null;
  revision: number | null;
  rows: number | null;
  topic: string | null;
  partition: number | null;
  first: number | null;
  last: number | null;
  rules: Record<string, string> | null;
  entry: Entry | null;
  named: boolean;
  unchanged: boolean | null;
  ledger_problem: string;
};

export type ObjectPreview = {
  form: "json_lines" | "json" | "csv" | "parquet" | "text" | "binary";
  compression: "none" | "gzip" | "zstd";
  columns: string[];
  rows: (string | null)[][];
  text: string | null;
  cut: boolean;
  problem: string | null;
};

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

/** A text, or bytes that are none. */
export type Bytes = string | { $b64: string };

export type Letter = {
  place: string;
  arrived: number;
  key: Bytes;
  action: string;
  rule: string;
  source: string;
  cause: string;
  error: string;
  row: number | null;
  origin: { topic: string; partition: number; offset: number } | null;
  value_bytes: number;
  copies: number;
  settled: boolean;
};

export type WholeLetter = Letter & {
  whole: boolean;
  headers: Record<string, Bytes>;
  value: Bytes;
  value_cut: boolean;
  fields: Record<string, unknown> | null;
};

export type LetterFilter = { action?: string; rule?: string; cause?: string; clientid?: string; since?: number; again?: boolean };
export type LetterPage = {
  data: Letter[];
  meta: { page: number; count: number; hasnext: boolean };
  groups: { action: string; rule: string; cause: string; count: number }[];
};

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

export type OffsetRun = {
  first: number;
  next: number;
  written?: number;
  filtered?: number;
  dead_lettered?: number;
  absent?: number;
  gone?: number;
  missing?: number;
  objects?: number;
  rows?: number;
  entries?: number;
  wrong?: number;
};

export type Strip = { topic: string; topic_id: string; partition: number; first: number; next: number; total: OffsetRun; runs: OffsetRun[] };
export type Finding = { kind: string; key: string; text: string; meaning: string };
export type Verification = {
  totals: Record<string, number>;
  direct: { objects: number; bytes: number; unmarked: number } | null;
  found: Record<string, number>;
  findings: Finding[];
  strips: Strip[];
};
export type LeftOut = { rule: string; cause: string; records: number; first: string; error: string };
export type Span = { topic: string; partition: number; first: number; end: number };
export type Replaying = {
  plan: { records: number; bytes: number; rows: number; objects: number; puts: number; where: string; spans: Span[] } | null;
  end: string;
  left_out: LeftOut[];
};
export type Sent = { sent: number; over: number; kept: number };
export type Redriving = { plan: Sent | null; sent: Sent | null };

type Results = { verify: Verification; replay: Replaying; redrive: Redriving };
export type Kind = keyof Results;

export type Job<K extends Kind = Kind> = {
  id: string;
  kind: K;
  wish: Record<string, unknown>;
  by: string;
  state: "running" | "planned" | "done" | "failed" | "cancelled";
  problem: string;
  doing: string;
  done: number;
  total: number;
  began: number;
  ended: number | null;
  notes: string[];
  result?: Results[K];
};

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
