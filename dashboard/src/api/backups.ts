// Archives of the configuration. The API process keeps them in memory.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { call } from "./client";
import type { Answer } from "./types";

export type Backup = Answer["Backup"];

/** What became of one object of an archive of EMQX; an archive of our own is taken whole, and has no lines. */
export type Taken = { what: string; key: string; outcome: string; notes: string[] };

const BACKUPS = ["backups"];
const at = (name: string) => `/data/files/${encodeURIComponent(name)}`;

export const useBackups = () =>
  useQuery({ queryKey: BACKUPS, queryFn: async ({ signal }) => (await call<{ data: Backup[] }>("GET", "/data/files", { signal })).data });

export const contentOf = (name: string): string => `api/v5${at(name)}`;

export function useBackupVerbs() {
  const queries = useQueryClient();
  const onSettled = () => queries.invalidateQueries({ queryKey: BACKUPS });
  return {
    make: useMutation({ mutationFn: () => call<Backup>("POST", "/data/export", { body: {} }), onSettled }),
    upload: useMutation({
      mutationFn: (file: File) => {
        const body = new FormData();
        body.append("filename", file);
        return call<void>("POST", "/data/files", { body });
      },
      onSettled,
    }),
    remove: useMutation({ mutationFn: (name: string) => call<void>("DELETE", at(name)), onSettled }),
    takeOver: useMutation({
      mutationFn: async (filename: string) => (await call<{ objects: Taken[] }>("POST", "/data/import", { body: { filename } })).objects,
      onSettled: () => queries.invalidateQueries(),
    }),
  };
}
