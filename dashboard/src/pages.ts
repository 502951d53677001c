// The pages: each is a folder here, and its page.tsx is loaded when it is visited. The name of the folder is its place in the address.
import { type ComponentType, lazy, type LazyExoticComponent } from "react";
import type { Route } from "./route";
import { t } from "./texts";

export type Name = keyof typeof t.pages;
type Page = { default: ComponentType<Route> };

const FOLDERS = import.meta.glob<Page>("./pages/*/page.tsx");

export const PAGES: ReadonlyMap<string, LazyExoticComponent<ComponentType<Route>>> = new Map(
  Object.entries(FOLDERS).map(([path, load]) => [path.split("/")[2] ?? "", lazy(load)]),
);

const ORDER: [string, Name[]][] = [
  [t.groups.now, ["overview", "alarms"]],
  [t.groups.integration, ["sources", "rules", "actions", "connectors", "schema_registry", "flow"]],
  [t.groups.data, ["objects", "letters", "verify", "replay", "traces"]],
  [t.groups.system, ["users", "keys", "history", "backup", "prometheus"]],
];

/** The navigation: groups of pages, in their order. */
export const GROUPS: readonly [string, Name[]][] = ORDER.map(([group, names]): [string, Name[]] => [
  group,
  names.filter((name) => PAGES.has(name)),
]).filter(([, names]) => names.length > 0);

export const FIRST: Name = "overview";
