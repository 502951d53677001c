// What does not work now, over all processes.
import { useQuery } from "@tanstack/react-query";
import { call } from "./client";

/** `name` is the object, such as "action/s3:raw", or "configuration" for what a process cannot follow. */
export type Alarm = { node: string; name: string; message: string };

export const useAlarms = () =>
  useQuery({ queryKey: ["alarms"], queryFn: async ({ signal }) => (await call<{ data: Alarm[] }>("GET", "/alarms?limit=1000", { signal })).data, refetchInterval: 3_000 });
