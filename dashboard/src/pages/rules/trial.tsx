// Trying a statement and its actions on a sample event: the sample, and what it gives. The editor of a rule has it, and a flow.
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { sampleOf, selected, tryRule, useEvents } from "../../api/trial";
import { Notice } from "../../parts/notice";
import { Outcome } from "../../parts/rendered";
import { t } from "../../texts";
import { Sample } from "./sample";

/** `events` are all kinds of events, `kinds` those that FROM selects; `sample` is a JSON text. */
export function useTrial(sql: string, actions: readonly string[]) {
  const { data: events = [] } = useEvents();
  const kinds = selected(sql, events);
  const [typed, setSample] = useState<string | null>(null);
  const sample = typed ?? JSON.stringify(kinds[0] ? sampleOf(kinds[0]) : {}, null, 2);
  const trial = useMutation({ mutationFn: () => tryRule(sql, parsed(sample), actions) });
  return { events, kinds, sample, setSample, run: () => trial.mutate(), result: trial.data, error: trial.error };
}

export function Trial({ of }: { of: ReturnType<typeof useTrial> }) {
  return (
    <>
      <Sample kinds={of.events} kind={of.kinds[0]} text={of.sample} change={of.setSample} run={of.run} />
      <h2>{t.rules.result}</h2>
      <div aria-live="polite">
        {of.error && <Notice kind="bad">{of.error.message}</Notice>}
        {of.result && !of.error && <Outcome trial={of.result} />}
        {!of.result && !of.error && <p className="dim">{t.rules.resultEmpty}</p>}
      </div>
    </>
  );
}

export function parsed(sample: string): unknown {
  try {
    return JSON.parse(sample);
  } catch (error) {
    throw new Error(t.rules.notJson((error as Error).message));
  }
}
