// The form of a filter: comparisons with operators to pick, or the condition as it is written.
import { useId, useState } from "react";
import { t } from "../../texts";
import { BLANK, type Comparison, type Comparisons, comparisonsOf, conditionOf, type Joint, OPERATORS } from "./condition";

type Props = { condition: string; change: (now: string) => void; disabled: boolean };

export function FilterForm({ condition, change, disabled }: Props) {
  const id = useId();
  const fits = comparisonsOf(condition);
  const [written, setWritten] = useState(fits === null);
  return (
    <>
      <div className="tabs" role="group" aria-label={t.flow.condition}>
        {[false, true].map((each) => (
          <button type="button" key={String(each)} aria-pressed={written === each} disabled={!each && !fits} onClick={() => setWritten(each)}>
            {each ? t.flow.written : t.flow.picked}
          </button>
        ))}
      </div>
      {!written && fits ? (
        <Picked fits={fits} {...{ condition, change, disabled }} />
      ) : (
        <div className="field">
          <label htmlFor={id}>{t.flow.condition}</label>
          <textarea id={id} className="code" rows={4} value={condition} disabled={disabled} onChange={(event) => change(event.target.value)} />
          {!fits && <p className="help">{t.flow.unfitCondition}</p>}
        </div>
      )}
    </>
  );
}

/** A comparison that is not whole yet is kept here and not in the condition. */
function Picked({ fits, condition, change, disabled }: Props & { fits: Comparisons }) {
  const id = useId();
  const [typed, setTyped] = useState(fits);
  const { joint, rows } = conditionOf(typed) === condition ? typed : fits; // another hand, such as Undo, may have changed it
  const update = (now: Comparisons) => {
    setTyped(now);
    change(conditionOf(now));
  };
  const replace = (n: number, now: Partial<Comparison>) => update({ joint, rows: rows.map((each, m) => (m === n ? { ...each, ...now } : each)) });
  return (
    <div className="pairs comparisons">
      {rows.map(({ left, operator, right }, n) => (
        <div key={n}>
          <input className="code" aria-label={t.flow.left} value={left} disabled={disabled} onChange={(event) => replace(n, { left: event.target.value })} />
          <select aria-label={t.flow.operator} value={operator} disabled={disabled} onChange={(event) => replace(n, { operator: event.target.value })}>
            {OPERATORS.map((each) => (
              <option key={each}>{each}</option>
            ))}
          </select>
          <input className="code" aria-label={t.flow.right} value={right} disabled={disabled} onChange={(event) => replace(n, { right: event.target.value })} />
          <button
            type="button"
            aria-label={t.form.remove(`${left} ${operator} ${right}`)}
            disabled={disabled || rows.length === 1}
            onClick={() => update({ joint, rows: rows.filter((_, m) => m !== n) })}
          >
            ×
          </button>
        </div>
      ))}
      <button type="button" disabled={disabled} onClick={() => update({ joint, rows: [...rows, BLANK] })}>
        {t.form.add}
      </button>
      {rows.length > 1 && (
        <span className="tools">
          <label htmlFor={id}>{t.flow.joint}</label>
          <select id={id} value={joint} disabled={disabled} onChange={(event) => update({ joint: event.target.value as Joint, rows })}>
            {Object.entries(t.flow.joints).map(([each, name]) => (
              <option key={each} value={each}>
                {name}
              </option>
            ))}
          </select>
        </span>
      )}
    </div>
  );
}
