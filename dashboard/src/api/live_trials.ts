// A rule on the messages that come now. The answer is a stream, read until nobody looks any more; it pauses in a hidden tab.
import { useCallback, useEffect, useRef, useState } from "react";
import type { Value } from "../parts/form/value";
import { refusal } from "./client";
import type { Trial } from "./trial";

export type LiveTrial = Trial & { at: number; topic: string; partition: number; offset: number; event: Value };
type News = { trials?: LiveTrial[]; left_out?: number; error?: string };

type Wish = { sql: string; actions: readonly unknown[] };

const KEPT = 100;

/** The newest trials, and how to begin and end. `wish` is what is tried, until it ends; `trouble` says why it ended by itself. */
export function useLiveTrials() {
  const [trials, setTrials] = useState<LiveTrial[]>([]);
  const [leftOut, setLeftOut] = useState(0);
  const [wish, setWish] = useState<Wish | null>(null); // what is read, until it ends
  const [trouble, setTrouble] = useState("");
  const stream = useRef<AbortController | null>(null);

  const read = useCallback(async ({ sql, actions }: Wish) => {
    const mine = new AbortController();
    stream.current = mine;
    try {
      await follow({ sql, actions }, mine.signal, ({ trials: more = [], left_out = 0, error = "" }) => {
        setTrials((before) => [...more.toReversed(), ...before].slice(0, KEPT));
        setLeftOut((before) => before + left_out);
        if (error) setTrouble(error);
      });
    } catch (error) {
      if (mine.signal.aborted) return;
      setTrouble((error as Error).message);
    }
    if (stream.current === mine) setWish(null);
  }, []);

  const begin = (sql: string, actions: readonly unknown[]) => {
    setTrials([]);
    setLeftOut(0);
    setTrouble("");
    setWish({ sql, actions });
  };
  const end = () => setWish(null);

  useEffect(() => {
    if (!wish) return;
    const adjust = () => {
      stream.current?.abort();
      if (!document.hidden) void read(wish);
    };
    adjust();
    document.addEventListener("visibilitychange", adjust);
    return () => {
      document.removeEventListener("visibilitychange", adjust);
      stream.current?.abort();
    };
  }, [wish, read]);
  return { trials, leftOut, wish, trouble, begin, end };
}

async function follow(body: unknown, signal: AbortSignal, take: (news: News) => void) {
  const headers = { "Content-Type": "application/json", "X-Requested-With": "tidegate" };
  const answer = await fetch("api/v5/rule_live", { method: "POST", headers, credentials: "same-origin", signal, body: JSON.stringify(body) });
  if (!answer.ok || !answer.body) throw await refusal(answer, "/rule_live");
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const lines = (rest + part.value).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line.startsWith("data: ")) take(JSON.parse(line.slice("data: ".length)) as News);
  }
}
