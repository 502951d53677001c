// What is to be handled again: the action, the range, and where its objects go.
import { type ReactNode, useId, useState } from "react";
import { useJobVerbs } from "../../api/evidence";
import { ActionChoice } from "../../parts/action_choice";
import { Notice } from "../../parts/notice";
import { go, to } from "../../route";
import { t } from "../../texts";

type End = { by: "open" | "time" | "offset"; time: string; offset: string };

const OPEN: End = { by: "open", time: "", offset: "" };

/** An end as the API wants it; undefined while it is not filled in. */
function boundOf(end: End): { time: number } | { offset: number } | null | undefined {
  if (end.by === "open") return null;
  if (end.by === "time") return end.time ? { time: new Date(end.time).getTime() } : undefined;
  return /^\d+$/.test(end.offset) ? { offset: Number(end.offset) } : undefined;
}

export function Wish() {
  const verbs = useJobVerbs();
  const [action, setAction] = useState("");
  const [from, setFrom] = useState(OPEN);
  const [until, setUntil] = useState(OPEN);
  const [below, setBelow] = useState(true);
  const [prefix, setPrefix] = useState("");
  const [partitions, setPartitions] = useState("");
  const ids = useId();
  const since = boundOf(from) === null ? { offset: 0 } : boundOf(from);
  const end = boundOf(until);
  const numbers = partitions.split(/[\s,]+/).filter(Boolean);
  const ready = action && since !== undefined && end !== undefined && (!below || prefix.trim()) && numbers.every((each) => /^\d+$/.test(each));
  return (
    <form
      className="card wish"
      onSubmit={(event) => {
        event.preventDefault();
        const body = { kind: "replay", action, from: since, to: end, partitions: numbers.map(Number), into: below ? prefix.trim() : null };
        verbs.start.mutate(body, { onSuccess: ({ id }) => go(to("replay", id)) });
      }}
    >
      <ActionChoice value={action} change={setAction} />
      <div className="ends">
        <EndField title={t.replay.from} open={t.replay.begin} end={from} change={setFrom} />
        <EndField title={t.replay.to} open={t.replay.now} end={until} change={setUntil} />
      </div>
      <Choices title={t.replay.where}>
        <label>
          <input type="radio" name={`${ids}-where`} checked={below} onChange={() => setBelow(true)} /> {t.replay.below}
        </label>
        {below && (
          <div className="field">
            <label htmlFor={`${ids}-prefix`}>{t.replay.prefix}</label>
            <input id={`${ids}-prefix`} value={prefix} onChange={({ target }) => setPrefix(target.value)} aria-describedby={`${ids}-help`} />
            <p className="help" id={`${ids}-help`}>
              {t.replay.prefixSay}
            </p>
          </div>
        )}
        <label>
          <input type="radio" name={`${ids}-where`} checked={!below} onChange={() => setBelow(false)} /> {t.replay.same}
        </label>
      </Choices>
      <div className="field">
        <label htmlFor={`${ids}-partitions`}>{t.replay.partitions}</label>
        <input id={`${ids}-partitions`} value={partitions} onChange={({ target }) => setPartitions(target.value)} aria-describedby={`${ids}-some`} />
        <p className="help" id={`${ids}-some`}>
          {t.replay.partitionsSay}
        </p>
      </div>
      {verbs.start.error && <Notice kind="bad">{verbs.start.error.message}</Notice>}
      <button className="primary" disabled={!ready || verbs.start.isPending}>
        {t.replay.plan}
      </button>
    </form>
  );
}

function Choices({ title, children }: { title: string; children: ReactNode }) {
  return (
    <fieldset className="fieldset">
      <legend>{title}</legend>
      {children}
    </fieldset>
  );
}

function EndField({ title, open, end, change }: { title: string; open: string; end: End; change: (end: End) => void }) {
  const name = useId();
  const kinds = { open, time: t.replay.byTime, offset: t.replay.byOffset };
  return (
    <Choices title={title}>
      {(Object.keys(kinds) as End["by"][]).map((by) => (
        <label key={by}>
          <input type="radio" name={name} checked={end.by === by} onChange={() => change({ ...end, by })} /> {kinds[by]}
        </label>
      ))}
      {end.by === "time" && (
        <input type="datetime-local" step="1" aria-label={`${title}: ${t.replay.time}`} value={end.time} onChange={({ target }) => change({ ...end, time: target.value })} />
      )}
      {end.by === "offset" && (
        <input
          inputMode="numeric"
          aria-label={`${title}: ${t.replay.offset}`}
          placeholder="0"
          value={end.offset}
          onChange={({ target }) => change({ ...end, offset: target.value })}
        />
      )}
    </Choices>
  );
}
