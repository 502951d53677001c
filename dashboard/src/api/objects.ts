// Connectors, actions, sources and rules: the same few verbs for each. Shapes are those of EMQX's API.
import { call, type Versioned, versioned } from "./client";
import type { Answer } from "./types";

export type Family = "connectors" | "actions" | "sources" | "rules";

export type Connector = Answer["Connector"] & { description?: string; host?: string; port?: number | string };
export type Action = Answer["Action"] & { description?: string; connector: string; parameters: Record<string, unknown> };
export type Source = Answer["Source"] & { description?: string; server?: string; bind?: string };
export type Rule = Omit<Answer["Rule"], "actions"> & { actions: unknown[] }; // also EMQX's functions

/** What schema_decode and its like know by a name. */
export type Schema = Answer["Schema"];

export type Objects = { connectors: Connector; actions: Action; sources: Source; rules: Rule; schema_registry: Schema };
/** What has a form. */
export type Edited = keyof Objects;

/** How the API names an object: "s3:lake" for those with a type, the id of a rule. */
export function idOf(family: Family, object: { type?: string; name?: string; id?: string }): string {
  return family === "rules" ? (object.id ?? "") : `${object.type}:${object.name}`;
}

/** An action of a rule is a name, or one of EMQX's functions, which has no effect here. */
export function named(action: unknown): string {
  return typeof action === "string" ? action : String((action as { function?: unknown }).function ?? "");
}

const at = (family: Edited, id: string) => `/${family}/${encodeURIComponent(id)}`;

export async function list<F extends Edited>(family: F, signal?: AbortSignal): Promise<Objects[F][]> {
  const options = signal ? { signal } : {};
  if (family === "rules") return (await call<{ data: Objects[F][] }>("GET", "/rules?page=1&limit=10000", options)).data;
  return call<Objects[F][]>("GET", `/${family}`, options);
}

export const read = <F extends Edited>(family: F, id: string): Promise<Versioned<Objects[F]>> => versioned("GET", at(family, id));

export const create = <F extends Edited>(family: F, body: unknown): Promise<Versioned<Objects[F]>> =>
  versioned("POST", `/${family}`, { body });

export const replace = <F extends Edited>(family: F, id: string, body: unknown, etag: string | null): Promise<Versioned<Objects[F]>> =>
  versioned("PUT", at(family, id), { body, etag });

export const remove = (family: Edited, id: string, withDependants = false): Promise<void> =>
  call("DELETE", at(family, id) + (withDependants ? "?also_delete_dep_actions=true" : ""));

export function enable(family: Family, id: string, on: boolean): Promise<void> {
  return family === "rules" ? call("PUT", at(family, id), { body: { enable: on } }) : call("PUT", `${at(family, id)}/enable/${on}`);
}

/** Connects again: in one process, or in all. */
export const start = (family: Family, id: string, node = ""): Promise<void> =>
  call("POST", `${node && `/nodes/${encodeURIComponent(node)}`}${at(family, id)}/start`);

/** Tries an object that is not stored. Answers nothing, or refuses with the reason. */
export const probe = (family: Exclude<Family, "rules">, body: unknown): Promise<void> => call("POST", `/${family}_probe`, { body });
