// Who changed what and when, and how a state of the past comes back: as a new change.
import { useQuery } from "@tanstack/react-query";
import type { Value } from "../parts/form/value";
import { ApiError, call } from "./client";
import type { Answer } from "./types";

export type Past = Answer["ConfigChange"];
type Page = Answer["Changes"];

const OF_ONE = 10_000;

/** The newest changes of all objects. */
export const useHistory = (limit: number) =>
  useQuery({ queryKey: ["history", limit], queryFn: ({ signal }) => call<Page>("GET", `/history?limit=${limit}`, { signal }), placeholderData: (before) => before });

/** All changes of one object, the newest first. */
export const useHistoryOf = (key: string) =>
  useQuery({ queryKey: ["history", key], queryFn: ({ signal }) => call<Page>("GET", `/history?limit=${OF_ONE}&key=${encodeURIComponent(key)}`, { signal }) });

type Place = { list: string; one: string; named: Value };

/** Where the API has the object of a key, or null if no user edits it there. */
export function placeOf(key: string): Place | null {
  const [kind = "", ...rest] = key.split("/");
  if (kind === "rule") return { list: "/rules", one: `/rules/${encodeURIComponent(rest.join("/"))}`, named: { id: rest.join("/") } };
  if (!["connector", "action", "source"].includes(kind)) return null;
  const [type = "", ...name] = rest;
  const named = { type, name: name.join("/") };
  return { list: `/${kind}s`, one: `/${kind}s/${encodeURIComponent(`${type}:${named.name}`)}`, named };
}

/** Stores a state of the past again: over what is there now, or anew if the object is gone. */
export async function bringBack(place: Place, value: Value): Promise<void> {
  try {
    await call("PUT", place.one, { body: value });
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 404) throw error;
    await call("POST", place.list, { body: { ...value, ...place.named } });
  }
}
