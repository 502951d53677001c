// Traces: what rules make of the live messages of one rule, client, topic or address, step by step, to read here or to download.
import { useId, useState } from "react";
import { useMayChange } from "../../api/session";
import { archiveOf, type NewTrace, type Trace, useTraceLog, useTraces, useTraceVerbs } from "../../api/traces";
import { DeleteDialog } from "../../parts/delete_dialog";
import { Dialog } from "../../parts/dialog";
import { FormDialog } from "../../parts/form_dialog";
import { Listing } from "../../parts/listing";
import { Notice } from "../../parts/notice";
import type { Column } from "../../parts/table";
import { TextField } from "../../parts/text_field";
import { When } from "../../parts/when";
import { t } from "../../texts";
import { bytes } from "../../words";

export default function Traces() {
  const list = useTraces();
  const verbs = useTraceVerbs();
  const mayChange = useMayChange();
  const [making, setMaking] = useState(false);
  const [read, setRead] = useState<string | null>(null);
  const [doomed, setDoomed] = useState<string | null>(null);
  return (
    <Listing
      page="traces"
      create={
        mayChange && (
          <button type="button" className="primary" onClick={() => setMaking(true)}>
            {t.traces.create}
          </button>
        )
      }
      say={t.traces.say}
      list={list}
      failed={list.error ?? verbs.stop.error}
      columns={columnsOf(setRead)}
      name={(row) => row.name}
      words={(row) => `${row.name} ${wantedOf(row)}`}
      menu={(row) => (
        <>
          <a href={archiveOf(row.name)} download>
            {t.objects.download}
          </a>
          {mayChange && row.status !== "stopped" && (
            <button type="button" onClick={() => verbs.stop.mutate(row.name)}>
              {t.traces.stop}
            </button>
          )}
          {mayChange && (
            <button type="button" className="danger" onClick={() => setDoomed(row.name)}>
              {t.edit.delete}
            </button>
          )}
        </>
      )}
      empty={<p>{t.traces.none}</p>}
    >
      {making && (
        <FormDialog title={t.traces.create} verb={t.edit.create} close={() => setMaking(false)} send={(form) => verbs.create.mutateAsync(fieldsOf(form))}>
          <TextField label={t.columns.name} name="name" help={t.traces.nameHelp} />
          <Choice label={t.traces.of} name="type" choices={t.traces.kinds} />
          <TextField label={t.traces.wanted} name="wanted" help={t.traces.wantedHelp} />
          <Choice label={t.traces.payload} name="payload_encode" choices={t.traces.payloads} />
        </FormDialog>
      )}
      {read !== null && <Log name={read} close={() => setRead(null)} />}
      {doomed !== null && <DeleteDialog name={doomed} close={() => setDoomed(null)} remove={() => verbs.remove.mutateAsync(doomed)} />}
    </Listing>
  );
}

function columnsOf(read: (name: string) => void): Column<Trace>[] {
  return [
    {
      name: t.columns.name,
      width: "minmax(0, 1fr)",
      order: (row) => row.name,
      cell: (row) => (
        <button type="button" className="link" onClick={() => read(row.name)}>
          {row.name}
        </button>
      ),
    },
    {
      name: t.traces.of,
      width: "minmax(0, 2fr)",
      cell: (row) => (
        <span title={wantedOf(row)}>
          <span className="dim">{t.traces.kinds[row.type]}</span> {wantedOf(row)}
        </span>
      ),
    },
    { name: t.columns.status, width: "90px", phone: false, cell: (row) => t.traces.status[row.status] ?? row.status },
    { name: t.traces.size, width: "80px", phone: false, cell: (row) => bytes(Object.values(row.log_size).reduce((all, each) => all + each, 0)) },
    { name: t.traces.began, width: "130px", phone: false, order: (row) => row.start_at, cell: (row) => <When ms={row.start_at * 1_000} /> },
  ];
}

/** The rule, client, topic or address: the property is named by the type. */
const wantedOf = (row: Trace): string => String((row as Record<string, unknown>)[row.type] ?? "");

/** The newest lines grow while the trace runs. */
function Log({ name, close }: { name: string; close: () => void }) {
  const { data, error } = useTraceLog(name);
  return (
    <Dialog title={name} close={close} wide>
      {error && <Notice kind="bad">{error.message}</Notice>}
      {data === "" && <p className="dim">{t.traces.waits}</p>}
      {data && (
        <pre tabIndex={0} aria-label={name}>
          {data}
        </pre>
      )}
      <div className="answers">
        <a className="button" href={archiveOf(name)} download>
          {t.objects.download}
        </a>
        <button type="button" className="primary" onClick={close}>
          {t.edit.close}
        </button>
      </div>
    </Dialog>
  );
}

function Choice({ label, name, choices }: { label: string; name: string; choices: Readonly<Record<string, string>> }) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <select id={id} name={name}>
        {Object.entries(choices).map(([each, words]) => (
          <option key={each} value={each}>
            {words}
          </option>
        ))}
      </select>
    </div>
  );
}

function fieldsOf(form: FormData): NewTrace {
  const text = (name: string) => String(form.get(name) ?? "");
  return { name: text("name"), type: text("type"), wanted: text("wanted"), payload_encode: text("payload_encode") };
}
