// Statements to begin with: for usual tasks, and one for each event. Each is run on its event when it is opened.
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { type EventKind, isMessages, sampleOf, tryRule } from "../../api/trial";
import { Dialog } from "../../parts/dialog";
import type { Value } from "../../parts/form/value";
import { Outcome } from "../../parts/rendered";
import { t } from "../../texts";

const { scenarios } = t.rules;
const LIST = { devices: [{ id: "a", temp: 21.5 }, { id: "b", temp: 34 }] };

/** Usual tasks on a message: what its payload is, and the statement. */
const USUAL: { title: string; payload: unknown; sql: string }[] = [
  { title: scenarios.fields, payload: { temp: 31.5, unit: "C" }, sql: 'SELECT\n  payload.temp AS temp,\n  clientid,\n  timestamp\nFROM\n  "t/#"' },
  { title: scenarios.filter, payload: { temp: 31.5 }, sql: 'SELECT\n  clientid,\n  payload.temp AS temp\nFROM\n  "t/#"\nWHERE\n  payload.temp > 30' },
  { title: scenarios.foreach, payload: LIST, sql: 'FOREACH\n  payload.devices\nDO\n  item.id AS device,\n  item.temp AS temp\nFROM\n  "t/#"' },
  { title: scenarios.incase, payload: LIST, sql: 'FOREACH\n  payload.devices\nDO\n  item.id AS device\nINCASE\n  item.temp > 30\nFROM\n  "t/#"' },
  {
    title: scenarios.cases,
    payload: { temp: 31.5 },
    sql: "SELECT\n  CASE\n    WHEN payload.temp > 30 THEN 'hot'\n    ELSE 'fine'\n  END AS state\nFROM\n  \"t/#\"",
  },
  { title: scenarios.nested, payload: LIST, sql: 'SELECT\n  payload.devices[1].id AS first,\n  payload.devices[-1].temp AS last_temp\nFROM\n  "t/#"' },
  { title: scenarios.topic, payload: {}, sql: "SELECT\n  nth(1, tokens(topic, '/')) AS place\nFROM\n  \"t/#\"" },
];

type Example = { title: string; note: string; sql: string; context: Value };

function examplesOf(kinds: readonly EventKind[]): Example[] {
  const messages = kinds.find(isMessages);
  const usual = messages ? USUAL.map(({ title, payload, sql }) => ({ title, note: "", sql, context: { ...sampleOf(messages), payload: JSON.stringify(payload) } })) : [];
  const ofEvents = kinds.map((kind) => ({ title: kind.title.en, note: kind.description.en, sql: kind.sql_example, context: sampleOf(kind) }));
  return [...usual, ...ofEvents];
}

type Props = { kinds: readonly EventKind[]; close: () => void; use: (sql: string, context: Value) => void };

export function Examples({ kinds, close, use }: Props) {
  return (
    <Dialog title={t.rules.examples} close={close} wide>
      {examplesOf(kinds).map((example) => (
        <One key={example.title} example={example} use={() => use(example.sql, example.context)} />
      ))}
      <div className="answers">
        <button type="button" autoFocus onClick={close}>
          {t.edit.close}
        </button>
      </div>
    </Dialog>
  );
}

function One({ example, use }: { example: Example; use: () => void }) {
  const [open, setOpen] = useState(false);
  const { data } = useQuery({ queryKey: ["example", example.title], queryFn: () => tryRule(example.sql, example.context, []), enabled: open, staleTime: Infinity });
  return (
    <details className="advanced" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{example.title}</summary>
      {example.note && <p className="dim">{example.note}</p>}
      <div className="split">
        <div>
          <h3>{t.rules.sql}</h3>
          <pre>{example.sql}</pre>
          <button type="button" className="primary" onClick={use}>
            {t.rules.use}
          </button>
        </div>
        <div>
          <h3>{t.rules.input}</h3>
          <pre>{JSON.stringify(shownOf(example.context), null, 2)}</pre>
          <h3>{t.rules.result}</h3>
          {data && <Outcome trial={data} />}
        </div>
      </div>
    </details>
  );
}

/** The payload as what it says, so that an example can be read. */
function shownOf(context: Value): Value {
  const { topic, clientid, payload, ...others } = context;
  return typeof payload === "string" && topic !== undefined ? { topic, clientid, payload: JSON.parse(payload) as unknown } : { ...others, ...(topic === undefined ? {} : { topic }), clientid };
}
