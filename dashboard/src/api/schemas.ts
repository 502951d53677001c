// The schemas of the settings, from which the forms are made.
import { useQuery } from "@tanstack/react-query";
import type { Schema } from "../parts/form/schema";
import { call } from "./client";

export type Schemas = Schema & { $defs: Record<string, Schema>; types: Record<string, string> };

export function useSchemas(family: "connectors" | "actions" | "sources") {
  return useQuery({
    queryKey: ["schemas", family],
    queryFn: async ({ signal }) => {
      const answer = await call<{ types: Record<string, string>; components: { schemas: Record<string, Schema> } }>("GET", `/schemas/${family}`, { signal });
      return { types: answer.types, $defs: answer.components.schemas };
    },
    staleTime: Infinity,
  });
}
