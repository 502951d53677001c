// Lists of objects, as the pages use them: read once, kept for all who look, read again after each change.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type Action, type Edited, type Family, idOf, list, type Objects, remove, type Rule, start, enable as switched } from "./objects";

const REFRESH_MS = 10_000;

export function useList<F extends Edited>(family: F) {
  return useQuery({ queryKey: ["list", family], queryFn: ({ signal }) => list(family, signal), refetchInterval: REFRESH_MS });
}

/** Deletes one, for lists that offer no more than that. */
export function useRemoval(family: Edited): (id: string) => Promise<void> {
  const queries = useQueryClient();
  return async (id) => {
    await remove(family, id);
    await queries.invalidateQueries({ queryKey: ["list", family] });
  };
}

/** What a list offers for one of its rows. Each is shown at once and taken back when the server refuses. */
export function useVerbs<F extends Family>(family: F) {
  const queries = useQueryClient();
  const key = ["list", family];
  const again = () => queries.invalidateQueries({ queryKey: ["list"] });
  return {
    enable: useMutation({
      mutationFn: ({ id, on }: { id: string; on: boolean }) => switched(family, id, on),
      onMutate: ({ id, on }) =>
        queries.setQueryData<Objects[F][]>(key, (all) => all?.map((each) => (idOf(family, each) === id ? { ...each, enable: on } : each))),
      onSettled: again,
    }),
    start: useMutation({ mutationFn: ({ id, node }: { id: string; node?: string }) => start(family, id, node), onSettled: again }),
    remove: useMutation({
      mutationFn: async ({ id, withDependants, also }: { id: string; withDependants: boolean; also: readonly string[] }) => {
        await remove(family, id, withDependants);
        for (const action of also) await remove("actions", action);
      },
      onSettled: again,
    }),
  };
}

/** The rules that go on without an action that is deleted. Of the others, the server names who uses them and refuses. */
export function dependantsOf<F extends Family>(family: F, one: Objects[F]): readonly string[] {
  return family === "actions" ? ((one as Action).rules ?? []) : [];
}

/** The actions that only this rule uses. */
export function orphansOf<F extends Family>(family: F, one: Objects[F], all: readonly Objects[F][]): readonly string[] {
  if (family !== "rules") return [];
  const others = new Set((all as readonly Rule[]).filter((each) => each !== one).flatMap((each) => each.actions));
  return (one as Rule).actions.filter((action): action is string => typeof action === "string" && !others.has(action));
}
