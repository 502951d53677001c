// One dead letter: what went wrong, the record as it came, and a rule to try on it.
import { useMutation } from "@tanstack/react-query";
import { lazy, type MouseEvent, Suspense, useEffect, useState } from "react";
import { textOfBytes, useLetter, type WholeLetter } from "../../api/evidence";
import { useMayChange } from "../../api/session";
import { tryRuleOnLetter, useEvents, useFunctions, wordsOf } from "../../api/trial";
import { useList } from "../../api/use_objects";
import { Notice } from "../../parts/notice";
import { Outcome } from "../../parts/rendered";
import { When } from "../../parts/when";
import { leaveFor, to, useUnsaved } from "../../route";
import { t } from "../../texts";
import { bytes } from "../../words";
import { Redrive } from "./redrive";

const SqlEditor = lazy(() => import("../../parts/sql_editor"));

export function OneLetter({ place, close }: { place: string; close: () => void }) {
  const { data: letter, error } = useLetter(place);
  const mayChange = useMayChange();
  const [sending, setSending] = useState(false);
  return (
    <article className="card chosen-thing" aria-label={t.letters.letter(place)}>
      <div className="heading">
        <h2>{t.letters.letter(place)}</h2>
        {mayChange && letter?.whole && !letter.settled && (
          <button type="button" className="primary" onClick={() => setSending(true)}>
            {t.letters.send}
          </button>
        )}
        <button type="button" onClick={close}>
          {t.letters.close}
        </button>
      </div>
      {error && <Notice kind="bad">{error.message}</Notice>}
      {!letter && !error && <p className="dim">{t.loading}</p>}
      {letter && (
        <>
          <Facts letter={letter} />
          {letter.whole ? <Try letter={letter} /> : <Notice kind="warn">{t.letters.notWhole}</Notice>}
        </>
      )}
      {sending && <Redrive wish={{ places: [place] }} close={() => setSending(false)} />}
    </article>
  );
}

function Facts({ letter }: { letter: WholeLetter }) {
  const { origin } = letter;
  const headers = Object.entries(letter.headers);
  return (
    <>
      <Notice kind="warn">
        <b>{letter.cause}</b> {letter.error}
      </Notice>
      <dl className="known">
        <dt>{t.letters.from}</dt>
        <dd>
          {letter.action ? t.letters.of(letter.action, letter.rule) : t.letters.ingress(letter.source)}
          {letter.settled && <span className="tag">{t.letters.settled}</span>}
        </dd>
        <dt>{t.letters.arrived}</dt>
        <dd>
          <When ms={letter.arrived} />
        </dd>
        <dt>{t.letters.key}</dt>
        <dd>
          <code>{textOfBytes(letter.key)}</code>
        </dd>
        {origin && (
          <>
            <dt>{t.letters.origin}</dt>
            <dd className="number">
              {origin.topic}/{origin.partition}/{origin.offset}
            </dd>
          </>
        )}
        {letter.row !== null && (
          <>
            <dt>{t.letters.row}</dt>
            <dd className="number">{letter.row}</dd>
          </>
        )}
        <dt>{t.letters.size}</dt>
        <dd>{bytes(letter.value_bytes)}</dd>
      </dl>
      <h3>{t.letters.value}</h3>
      <pre className="raw" tabIndex={0} aria-label={t.letters.value}>
        {textOfBytes(letter.value)}
      </pre>
      {letter.value_cut && <p className="help">{t.letters.valueCut}</p>}
      <details className="notes">
        <summary>{t.letters.headers}</summary>
        <dl className="known">
          {headers.map(([name, value]) => (
            <div key={name} className="pair">
              <dt>{name}</dt>
              <dd>
                <code>{textOfBytes(value)}</code>
              </dd>
            </div>
          ))}
        </dl>
      </details>
      {letter.fields && (
        <details className="notes">
          <summary>{t.letters.fields}</summary>
          <pre>{JSON.stringify(letter.fields, null, 2)}</pre>
        </details>
      )}
    </>
  );
}

/** The statement that failed, to mend here, and what it makes of this very record. */
function Try({ letter }: { letter: WholeLetter }) {
  const { data: rules = [] } = useList("rules");
  const { data: functions = [] } = useFunctions();
  const { data: kinds = [] } = useEvents();
  const [chosen, setChosen] = useState(letter.rule);
  const [text, setText] = useState<string | null>(null);
  const stored = rules.find(({ id }) => id === chosen)?.sql ?? "";
  useEffect(() => setText(null), [chosen]);
  const sql = text ?? stored;
  const mended = sql !== stored;
  useUnsaved(mended);
  const actions = letter.action ? [`s3:${letter.action}`] : [];
  const trial = useMutation({ mutationFn: () => tryRuleOnLetter(sql, letter.place, actions) });
  return (
    <section className="try" aria-label={t.letters.try}>
      <h2>{t.letters.try}</h2>
      <p className="dim">{t.letters.trySay}</p>
      <div className="tools">
        <label className="choice">
          {t.letters.rule}
          <select value={chosen} onChange={({ target }) => setChosen(target.value)}>
            {!rules.some(({ id }) => id === chosen) && <option value={chosen}>{chosen || t.letters.choseRule}</option>}
            {rules.map(({ id }) => (
              <option key={id}>{id}</option>
            ))}
          </select>
        </label>
        {stored && (
          <a href={mended ? `${to("rules", chosen)}?sql=${encodeURIComponent(sql)}` : to("rules", chosen)} onClick={mended ? carry : undefined}>
            {t.letters.mend}
          </a>
        )}
        {letter.action && <a href={to("actions", `s3:${letter.action}`)}>{t.letters.mendAction}</a>}
      </div>
      <Suspense fallback={<p className="dim">{t.loading}</p>}>
        <SqlEditor
          text={sql}
          label={t.letters.statement}
          words={wordsOf(functions, kinds)}
          problems={async () => []}
          change={setText}
          run={() => trial.mutate()}
          readOnly={false}
        />
      </Suspense>
      <div>
        <button type="button" disabled={!sql || trial.isPending} onClick={() => trial.mutate()}>
          {t.letters.tryIt}
        </button>
      </div>
      <div aria-live="polite">
        {trial.error && <Notice kind="bad">{trial.error.message}</Notice>}
        {trial.data && <Outcome trial={trial.data} />}
      </div>
    </section>
  );
}

/** The mended statement goes along in the address, so nothing is lost. */
function carry(event: MouseEvent<HTMLAnchorElement>) {
  event.preventDefault();
  leaveFor(event.currentTarget.getAttribute("href") ?? "");
}
