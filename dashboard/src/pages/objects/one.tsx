// One object: its first rows as a table or as they are, and where they come from.
import { useState } from "react";
import { contentOf, type ObjectFacts, type ObjectPreview, useFacts, usePreview, type Where } from "../../api/evidence";
import { Notice } from "../../parts/notice";
import { Scrolled } from "../../parts/scrolled";
import { When } from "../../parts/when";
import { t } from "../../texts";
import { bytes, count } from "../../words";
import "./one.css";

type Props = { where: Where; objectKey: string; close: () => void };

export function OneObject({ where, objectKey, close }: Props) {
  const facts = useFacts(where, objectKey);
  const preview = usePreview(where, objectKey);
  const name = objectKey.split("/").pop() || objectKey;
  const failed = facts.error ?? preview.error;
  return (
    <article className="card chosen-thing" aria-label={name}>
      <div className="heading">
        <h2>{name}</h2>
        <a className="button" href={contentOf(where, objectKey)} download={name}>
          {t.objects.download}
        </a>
        <button type="button" onClick={close}>
          {t.objects.close}
        </button>
      </div>
      {failed && <Notice kind="bad">{failed.message}</Notice>}
      {preview.data ? <Content preview={preview.data} /> : !failed && <p className="dim">{t.loading}</p>}
      {facts.data && <Facts facts={facts.data} form={preview.data} />}
    </article>
  );
}

function Content({ preview }: { preview: ObjectPreview }) {
  const [raw, setRaw] = useState(false);
  const { columns, rows, text, problem, cut, form } = preview;
  const hasTable = columns.length > 0;
  if (problem) return <Notice kind="warn">{problem}</Notice>;
  if (form === "binary") return <Notice kind="warn">{t.objects.binary}</Notice>;
  if (!hasTable && !text) return <p className="dim">{t.objects.none}</p>;
  return (
    <>
      {hasTable && text !== null && (
        <div className="switching" role="group" aria-label={t.objects.view}>
          <button type="button" aria-pressed={!raw} onClick={() => setRaw(false)}>
            {t.objects.rows}
          </button>
          <button type="button" aria-pressed={raw} onClick={() => setRaw(true)}>
            {t.objects.raw}
          </button>
        </div>
      )}
      {hasTable && !(raw && text !== null) ? (
        <Scrolled label={t.objects.rows}>
          <table className="plain-table rows">
            <thead>
              <tr>
                {columns.map((each, n) => (
                  <th key={n} scope="col">
                    {each}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((row, n) => (
                <tr key={n}>
                  {columns.map((_, m) => (
                    <td key={m}>{row[m] ?? <span className="dim" title={t.objects.nothingHere}>–</span>}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </Scrolled>
      ) : (
        <pre className="raw" tabIndex={0} aria-label={t.objects.raw}>
          {text}
        </pre>
      )}
      {cut && <p className="help">{t.objects.cut}</p>}
    </>
  );
}

function Facts({ facts, form }: { facts: ObjectFacts; form: ObjectPreview | undefined }) {
  const { entry, rules } = facts;
  return (
    <section aria-label={t.objects.facts}>
      <h2>{t.objects.facts}</h2>
      <dl className="known">
        {facts.topic !== null && facts.partition !== null && (
          <>
            <dt>{t.objects.place}</dt>
            <dd>{t.objects.placeOf(facts.topic, facts.partition)}</dd>
          </>
        )}
        {facts.first !== null && facts.last !== null && (
          <>
            <dt>{t.objects.offsets}</dt>
            <dd className="number">{t.objects.range(facts.first, facts.last)}</dd>
          </>
        )}
        {facts.rows !== null && (
          <>
            <dt>{t.objects.rowsIn}</dt>
            <dd className="number">{count(facts.rows)}</dd>
          </>
        )}
        {facts.revision !== null && (
          <>
            <dt>{t.objects.revision}</dt>
            <dd className="number">{facts.revision}</dd>
          </>
        )}
        {facts.version && (
          <>
            <dt>{t.objects.version}</dt>
            <dd>
              <code title={facts.version}>{facts.version.slice(0, 12)}</code>
            </dd>
          </>
        )}
        <dt>{t.objects.written}</dt>
        <dd>
          <When ms={Date.parse(facts.modified)} />
        </dd>
        <dt>{t.objects.size}</dt>
        <dd>{bytes(facts.size)}</dd>
        {form && (
          <>
            <dt>{t.objects.form}</dt>
            <dd>{t.objects.compressed(t.objects.forms[form.form] ?? form.form, form.compression)}</dd>
          </>
        )}
        {entry && (
          <>
            <dt>{t.objects.ledger}</dt>
            <dd>
              {t.objects.entry(entry.first, entry.next)}
              <br />
              <span className="dim">{t.objects.entrySay(entry.records, entry.rows, entry.filtered, entry.dead_lettered)}</span>
            </dd>
          </>
        )}
      </dl>
      <Standing facts={facts} />
      {rules &&
        Object.entries(rules).map(([id, sql]) => (
          <details key={id} className="notes">
            <summary>{t.objects.rule(id)}</summary>
            <pre>{sql}</pre>
          </details>
        ))}
    </section>
  );
}

/** Whether the object is what the ledger says, in one sentence. */
function Standing({ facts }: { facts: ObjectFacts }) {
  if (facts.ledger_problem) return <Notice kind="bad">{facts.ledger_problem}</Notice>;
  if (facts.topic === null) return <Notice kind="warn">{t.objects.foreign}</Notice>;
  if (facts.rows === null) return <p className="dim">{t.objects.direct}</p>;
  if (!facts.named) return <Notice kind="warn">{t.objects.unnamed}</Notice>;
  return facts.unchanged ? <Notice kind="good">{t.objects.named}</Notice> : <Notice kind="warn">{t.objects.changed}</Notice>;
}
