// Editing one object: what is stored, what the user has made of it, what the server found wrong, and somebody else's edit meanwhile.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { ApiError, type Problem, type Versioned } from "../api/client";
import { create, type Edited, read, replace } from "../api/objects";
import { useMayChange } from "../api/session";
import { useUnsaved } from "../route";
import { t } from "../texts";
import { KEPT } from "./form/field";
import { stable, type Value } from "./form/value";

export type Conflict = { stored: Value; etag: string | null };

/** The revision that a save replaces knowingly, instead of the one that the edit began with. */
export type Over = string | null;

export type Edit = {
  ready: boolean; // otherwise a form shows `NotYet`
  failed: Error | null; // why the stored object cannot be shown
  value: Value;
  change: (value: Value) => void;
  dirty: boolean;
  busy: boolean;
  trouble: string; // what the server said that belongs to no setting
  problems: readonly Problem[]; // of the settings that are still as they were then
  refusal: ApiError | null; // the answer that has them: another one after each save
  conflict: Conflict | null;
  save: (over?: Over) => Promise<Value | null>; // what is stored now, or null if it is not
  takeTheirs: () => void;
  decideLater: () => void; // the next save asks again
};

/**
 * `id` is null for a new object, which begins as `blank`, or as a copy of another. `settings` names the properties that a user edits
 * (null while they are not known yet).
 */
export function useEdit(family: Edited, id: string | null, blank: Value, settings: readonly string[] | null, copyOf: string | null = null): Edit {
  const queries = useQueryClient();
  const mayChange = useMayChange();
  const wanted = id ?? copyOf;
  const stored = useQuery({
    queryKey: ["object", family, wanted],
    queryFn: () => read(family, wanted ?? ""),
    enabled: wanted !== null,
    staleTime: 0,
    refetchOnWindowFocus: false,
  });
  const [base, setBase] = useState<Versioned<Value> | null>(wanted === null ? { value: blank, etag: null } : null);
  const [value, setValue] = useState<Value>(blank);
  const [refused, setRefused] = useState<{ said: ApiError; of: Value } | null>(null);
  const [conflict, setConflict] = useState<Conflict | null>(null);
  const [busy, setBusy] = useState(false);
  const [gone, setGone] = useState(false); // somebody else has deleted it

  const begin = (from: Versioned<unknown>) => {
    const own = only(from.value as Value, settings);
    setBase({ value: own, etag: from.etag });
    setValue(own);
    setRefused(null);
  };
  useEffect(() => {
    if (!stored.data || base || !settings) return;
    if (id === null) {
      setBase({ value: blank, etag: null });
      setValue({ ...blank, ...withoutSecrets(only(stored.data.value as Value, settings)) });
    } else {
      begin(stored.data);
    }
  });

  const dirty = base !== null && stable(base.value) !== stable(value);
  useUnsaved(dirty && mayChange); // whoever only tries something has nothing to lose

  async function save(over: Over = null): Promise<Value | null> {
    setBusy(true);
    setRefused(null);
    try {
      const now = id === null ? await create(family, value) : gone ? await create(family, named(family, id, value)) : await replace(family, id, value, over ?? base?.etag ?? null);
      setGone(false);
      begin(now);
      queries.setQueryData(["object", family, id], now);
      void queries.invalidateQueries({ queryKey: ["list"] });
      return now.value as Value;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.code === "PRECONDITION_FAILED" && id !== null) {
        const now = await read(family, id);
        setConflict({ stored: only(now.value as Value, settings), etag: now.etag });
      } else if (error.status === 404 && id !== null) {
        setGone(true);
        setRefused({ said: new ApiError(error.status, error.code, t.edit.gone), of: value });
      } else {
        setRefused({ said: error, of: value });
      }
      return null;
    } finally {
      setBusy(false);
    }
  }

  const said = refused?.said ?? null;
  return {
    ready: base !== null && !stored.error,
    failed: stored.error,
    value,
    change: setValue,
    dirty,
    busy,
    trouble: said && said.problems.every((each) => !each.path) ? said.message : "",
    problems: said?.problems.filter(({ path }) => stable(valueAt(value, path)) === stable(valueAt(refused?.of, path))) ?? [],
    refusal: said,
    conflict,
    save,
    takeTheirs: () => {
      if (conflict) begin({ value: conflict.stored, etag: conflict.etag });
      setConflict(null);
    },
    decideLater: () => setConflict(null),
  };
}

/** The value at a path as the server writes it: `parameters.bucket`, `clientid_from[0].topic`. */
function valueAt(value: unknown, path: string): unknown {
  return path
    .split(/[.[\]]+/)
    .filter(Boolean)
    .reduce<unknown>((found, name) => (typeof found === "object" && found !== null ? (found as Record<string, unknown>)[name] : undefined), value) ?? null;
}

/** A copy has another name, and for that name nothing is stored that "keep the secret" could mean. */
function withoutSecrets(value: Value): Value {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== KEPT));
}

/** A new object says its own name. */
export function named(family: Edited, id: string, value: Value): Value {
  if (family === "schema_registry") return { ...value, name: id };
  const [type, ...name] = id.split(":");
  return family === "rules" ? { ...value, id } : { ...value, type, name: name.join(":") };
}

/** Without the settings that the API has no value for: a form shows them as not given. */
function given(value: Value): Value {
  const isObject = (each: unknown): each is Value => typeof each === "object" && each !== null && !Array.isArray(each);
  const plain = (each: unknown): unknown => (isObject(each) ? given(each) : Array.isArray(each) ? each.map(plain) : each);
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, each]) => each !== null)
      .map(([name, each]) => [name, plain(each)]),
  );
}

function only(value: Value, settings: readonly string[] | null): Value {
  if (!settings) return value;
  return given(Object.fromEntries(Object.entries(value).filter(([name]) => settings.includes(name))));
}
