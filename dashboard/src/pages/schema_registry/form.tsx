// The form of one schema: its language and its text. A language begins with an example, which stays until somebody types.
import { useId } from "react";
import { useMayChange } from "../../api/session";
import { type Over, useEdit } from "../../parts/edit";
import { ConflictDialog } from "../../parts/conflict";
import { NotYet } from "../../parts/not_yet";
import { Notice } from "../../parts/notice";
import { SaveCopy } from "../../parts/save_copy";
import { go, leaveFor, to } from "../../route";
import { t } from "../../texts";

const SETTINGS = ["type", "source"];
const EXAMPLES: Readonly<Record<string, string>> = {
  json: `{
  "type": "object",
  "properties": {
    "temp": {"type": "number"}
  },
  "required": ["temp"]
}`,
  avro: `{
  "type": "record",
  "name": "Reading",
  "fields": [
    {"name": "clientid", "type": "string"},
    {"name": "temp", "type": "double"}
  ]
}`,
  protobuf: `syntax = "proto3";

message Reading {
  string clientid = 1;
  double temp = 2;
}`,
};
const BLANK = { name: "", type: "json", source: EXAMPLES.json };
const back = to("schema_registry");

export function SchemaForm({ id, copyOf }: { id: string | null; copyOf: string | null }) {
  const mayChange = useMayChange();
  const edit = useEdit("schema_registry", id, BLANK, SETTINGS, copyOf);
  const [nameId, typeId, sourceId] = [useId(), useId(), useId()];
  if (!edit.ready) {
    return (
      <section className="page">
        <NotYet failed={edit.failed} />
      </section>
    );
  }
  const { value } = edit;
  const [type, source] = [String(value.type), String(value.source ?? "")];
  const wrong = (path: string) => edit.problems.find((each) => each.path === path)?.reason;

  function choose(next: string) {
    const untouched = !source.trim() || source === EXAMPLES[type];
    edit.change({ ...value, type: next, source: untouched ? EXAMPLES[next] : source });
  }

  async function save(over?: Over) {
    if (await edit.save(over)) leaveFor(back);
  }

  return (
    <section className="page">
      <div className="heading">
        <h1>{id ?? t.schemas.create}</h1>
        <button type="button" onClick={() => go(back)}>
          {t.edit.cancel}
        </button>
        {mayChange && id !== null && <SaveCopy family="schema_registry" id={id} value={value} />}
        {mayChange && (
          <button type="button" className="primary" disabled={edit.busy || (id !== null && !edit.dirty)} onClick={() => void save()}>
            {id === null ? t.edit.create : t.edit.save}
          </button>
        )}
      </div>
      {!mayChange && <Notice kind="warn">{t.edit.read}</Notice>}
      {edit.trouble && <Notice kind="bad">{edit.trouble}</Notice>}
      <div className="card form">
        {id === null && (
          <div className="field">
            <label htmlFor={nameId}>{t.columns.name}</label>
            <input id={nameId} value={String(value.name ?? "")} disabled={!mayChange} autoComplete="off" aria-invalid={Boolean(wrong("name")) || undefined} onChange={(event) => edit.change({ ...value, name: event.target.value })} />
            <Wrong>{wrong("name")}</Wrong>
            <p className="help">{t.connectors.nameHelp}</p>
          </div>
        )}
        <div className="field">
          <label htmlFor={typeId}>{t.schemas.type}</label>
          <select id={typeId} value={type} disabled={!mayChange} onChange={(event) => choose(event.target.value)}>
            {Object.entries(t.schemas.types).map(([each, name]) => (
              <option key={each} value={each}>
                {name}
              </option>
            ))}
          </select>
          <Wrong>{wrong("type")}</Wrong>
          <p className="help">{t.schemas.use[type]}</p>
        </div>
        <div className="field">
          <label htmlFor={sourceId}>{t.schemas.source}</label>
          <textarea
            id={sourceId}
            className="code"
            rows={18}
            spellCheck={false}
            readOnly={!mayChange}
            value={source}
            aria-invalid={Boolean(wrong("source")) || undefined}
            onChange={(event) => edit.change({ ...value, source: event.target.value })}
          />
          <Wrong>{wrong("source")}</Wrong>
        </div>
      </div>
      <ConflictDialog edit={edit} save={save} labels={t.schemas.settings} />
    </section>
  );
}

function Wrong({ children }: { children: string | undefined }) {
  return children ? (
    <p className="error" role="alert">
      {children}
    </p>
  ) : null;
}
