// Users and API keys.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { call } from "./client";
import type { Answer } from "./types";

export type User = Omit<Answer["User"], "backend">;
export type ApiKey = Answer["ApiKey"];
export type NewKey = Pick<ApiKey, "name" | "role" | "desc" | "expired_at">;
const USERS = ["users"];
const KEYS = ["api_keys"];
const at = (path: string, name: string) => `${path}/${encodeURIComponent(name)}`;

export const useUsers = () => useQuery({ queryKey: USERS, queryFn: ({ signal }) => call<User[]>("GET", "/users", { signal }) });
export const useKeys = () => useQuery({ queryKey: KEYS, queryFn: ({ signal }) => call<ApiKey[]>("GET", "/api_key", { signal }) });

export function useUserVerbs() {
  const queries = useQueryClient();
  const onSettled = () => queries.invalidateQueries({ queryKey: USERS });
  return {
    create: useMutation({ mutationFn: (body: User & { password: string }) => call<User>("POST", "/users", { body }), onSettled }),
    change: useMutation({ mutationFn: ({ username, ...body }: User) => call<User>("PUT", at("/users", username), { body }), onSettled }),
    remove: useMutation({ mutationFn: (username: string) => call<void>("DELETE", at("/users", username)), onSettled }),
  };
}

export const changePassword = (username: string, old_pwd: string, new_pwd: string): Promise<void> =>
  call("POST", `${at("/users", username)}/change_pwd`, { body: { old_pwd, new_pwd } });

export function useKeyVerbs() {
  const queries = useQueryClient();
  const onSettled = () => queries.invalidateQueries({ queryKey: KEYS });
  return {
    create: useMutation({ mutationFn: (body: NewKey) => call<ApiKey & { api_secret: string }>("POST", "/api_key", { body }), onSettled }),
    enable: useMutation({ mutationFn: ({ name, on }: { name: string; on: boolean }) => call<ApiKey>("PUT", at("/api_key", name), { body: { enable: on } }), onSettled }),
    remove: useMutation({ mutationFn: (name: string) => call<void>("DELETE", at("/api_key", name)), onSettled }),
  };
}
