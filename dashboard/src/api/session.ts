// Who the user is. The API keeps the session in a cookie; the page knows the name, the role, and nothing else.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { createContext, useContext } from "react";
import { call } from "./client";
import type { Answer } from "./types";

export type Standing = Answer["Session"]; // `first`: there is no user yet
export type Session = NonNullable<Standing["session"]>;

export const KEY = ["session"];

export function useStanding() {
  return useQuery({ queryKey: KEY, queryFn: ({ signal }) => call<Standing>("GET", "/session", { signal }), staleTime: Infinity });
}

/** Asks again who the user is: after signing in or out. */
export function useAskAgain(): () => Promise<void> {
  const queries = useQueryClient();
  return () => queries.invalidateQueries({ queryKey: KEY });
}

export const signIn = (username: string, password: string) => call<unknown>("POST", "/login", { body: { username, password } });
export const signOut = (username: string) => call<void>("POST", "/logout", { body: { username } });
export const Who = createContext<Session | null>(null);

export function useWho(): Session {
  const who = useContext(Who);
  if (!who) throw new Error("this part of the page needs a user");
  return who;
}

/** Whether the user may change things. A viewer sees no button that would fail. */
export function useMayChange(): boolean {
  return useWho().role === "administrator";
}
