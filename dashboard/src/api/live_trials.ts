// A rule on the messages that come now. The answer is a stream, read until nobody looks any more.
import { useCallback, useEffect, useRef, useState } from "react";
import type { Value } from "../parts/form/value";
import { refusal } from "./client";
import type { Trial } from "./trial";

export type LiveTrial = Trial & { at: number; topic: string; partition: number; offset: number; event: Value };
type News = { trials?: LiveTrial[]; left_out?: number; error?: string };

const KEPT = 100;

/** The newest trials, and how to begin and end. `trouble` says why it ended by itself. */
export function useLiveTrials() {
  const [trials, setTrials] = useState<LiveTrial[]>([]);
  const [leftOut, setLeftOut] = useState(0);
  const [running, setRunning] = useState(false);
  const [trouble, setTrouble] = useState("");
  const stream = useRef<AbortController | null>(null);

  const end = useCallback(() => {
    stream.current?.abort();
    stream.current = null;
    setRunning(false);
  }, []);
  useEffect(() => end, [end]);

  const begin = useCallback(
    async (sql: string, actions: readonly unknown[]) => {
      end();
      const mine = new AbortController();
      stream.current = mine;
      setTrials([]);
      setLeftOut(0);
      setTrouble("");
      setRunning(true);
      try {
        await follow({ sql, actions }, mine.signal, ({ trials: more = [], left_out = 0, error = "" }) => {
          setTrials((before) => [...more.toReversed(), ...before].slice(0, KEPT));
          setLeftOut((before) => before + left_out);
          if (error) setTrouble(error);
        });
      } catch (error) {
        if (!mine.signal.aborted) setTrouble((error as Error).message);
      }
      if (stream.current === mine) setRunning(false);
    },
    [end],
  );
  return { trials, leftOut, running, trouble, begin, end };
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
