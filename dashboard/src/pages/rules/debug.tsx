// A rule on the messages that come now, before it is saved: for each, its rows and the object that each action would write. While one is
// open the list stands still, so that it can be read however fast messages come.
import { useState } from "react";
import { useLiveTrials, type LiveTrial } from "../../api/live_trials";
import { stable } from "../../parts/form/value";
import { Notice } from "../../parts/notice";
import { Outcome } from "../../parts/rendered";
import { t } from "../../texts";
import { count, exact } from "../../words";
import { type Showing, showing } from "./payload";

export function Debug({ sql, actions }: { sql: string; actions: readonly string[] }) {
  const { trials, leftOut, wish, trouble, begin, end } = useLiveTrials();
  const [how, setHow] = useState<Showing>("text");
  const [still, setStill] = useState<{ trials: readonly LiveTrial[]; open: ReadonlySet<LiveTrial> } | null>(null);
  const shown = still?.trials ?? trials;
  const running = wish !== null;
  const changed = running && (wish.sql !== sql || stable(wish.actions) !== stable(actions));
  const start = () => {
    setStill(null);
    begin(sql, actions);
  };
  const turn = (trial: LiveTrial, on: boolean) =>
    setStill((before) => {
      const open = new Set(before?.open);
      if (on) open.add(trial);
      else open.delete(trial);
      return open.size ? { trials: before?.trials ?? shown, open } : null;
    });
  return (
    <>
      <p className="dim">{t.rules.debugSay}</p>
      <div className="tools">
        {running ? (
          <button type="button" onClick={end}>
            {t.rules.debugStop}
          </button>
        ) : (
          <button type="button" className="primary" onClick={start}>
            {t.rules.debug}
          </button>
        )}
        <select aria-label={t.traces.payload} value={how} onChange={(event) => setHow(event.target.value as Showing)}>
          {Object.entries(t.traces.payloads).map(([each, said]) => (
            <option key={each} value={each}>
              {`${t.traces.payload}: ${said}`}
            </option>
          ))}
        </select>
        <span className="dim" role="status">
          {running && (still ? t.rules.debugStill : shown.length ? t.rules.debugSeen(count(shown.length)) : t.rules.debugWaits)}
        </span>
      </div>
      {changed && (
        <Notice kind="warn">
          {t.rules.debugChanged}{" "}
          <button type="button" onClick={start}>
            {t.rules.debugAgain}
          </button>
        </Notice>
      )}
      {trouble && <Notice kind="bad">{trouble}</Notice>}
      {leftOut > 0 && <Notice kind="warn">{t.rules.debugLeftOut(count(leftOut))}</Notice>}
      <div className="trials">
        {shown.map((each) => (
          <One key={`${each.topic}-${each.partition}-${each.offset}`} trial={each} how={how} turn={(on) => turn(each, on)} />
        ))}
      </div>
    </>
  );
}

const STATES = { rows: "connected", no_result: "stopped", not_matched: "stopped", error: "disconnected" } as const;

function One({ trial, how, turn }: { trial: LiveTrial; how: Showing; turn: (on: boolean) => void }) {
  const { clientid, topic } = trial.event;
  return (
    <details onToggle={(event) => turn(event.currentTarget.open)}>
      <summary>
        <span className="badge" data-status={STATES[trial.outcome]}>
          {t.rules.outcomes[trial.outcome]}
        </span>{" "}
        <span className="number">{exact(trial.at)}</span> {String(clientid ?? "")} <code>{String(topic ?? "")}</code>
      </summary>
      <Outcome trial={{ ...trial, rows: trial.rows.map((row) => showing(row, how)) }} />
      <h3>{t.rules.input}</h3>
      <pre>{JSON.stringify(showing(trial.event, how), null, 2)}</pre>
      <p className="dim">{t.rules.record(trial.topic, trial.partition, trial.offset)}</p>
    </details>
  );
}
