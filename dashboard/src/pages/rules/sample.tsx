// The sample event on which a statement is run: its kind, its fields as JSON, Run and Reset.
import { useId } from "react";
import { type EventKind, sampleOf } from "../../api/trial";
import { t } from "../../texts";

type SampleProps = { kinds: EventKind[]; kind: EventKind | undefined; text: string; change: (text: string | null) => void; run: () => void };

export function Sample({ kinds, kind, text, change, run }: SampleProps) {
  const id = useId();
  return (
    <>
      <div className="field">
        <label htmlFor={`${id}-kind`}>{t.rules.event}</label>
        <select
          id={`${id}-kind`}
          value={kind?.event ?? ""}
          onChange={(event) => {
            const chosen = kinds.find((each) => each.event === event.target.value);
            if (chosen) change(JSON.stringify(sampleOf(chosen), null, 2));
          }}
        >
          {kinds.map((each) => (
            <option key={each.event} value={each.event}>
              {each.title.en}
            </option>
          ))}
        </select>
      </div>
      <div className="field">
        <label htmlFor={`${id}-text`}>{t.rules.sample}</label>
        <textarea id={`${id}-text`} className="code" rows={12} spellCheck={false} value={text} onChange={(event) => change(event.target.value)} />
      </div>
      <div className="tools">
        <button type="button" className="primary" onClick={run} disabled={!kinds.length}>
          {t.rules.run}
        </button>
        <button type="button" onClick={() => change(null)}>
          {t.rules.reset}
        </button>
      </div>
    </>
  );
}
