// The form of an action, with a preview of what it writes. The editor of a rule opens it in a dialog too.
import { useMutation } from "@tanstack/react-query";
import { useEffect, useId, useState } from "react";
import { useSchemas } from "../../api/schemas";
import { useMayChange } from "../../api/session";
import { check, type Checked, isMessages, sampleOf, selected, tryRule, useEvents } from "../../api/trial";
import { useList } from "../../api/use_objects";
import { Dialog } from "../../parts/dialog";
import { type Edit, type Over, useEdit } from "../../parts/edit";
import { stable, type Value } from "../../parts/form/value";
import { FormEnd } from "../../parts/form_end";
import { NotYet } from "../../parts/not_yet";
import { Notice } from "../../parts/notice";
import { ObjectForm, useFields } from "../../parts/object_form";
import { Outcome } from "../../parts/rendered";
import { Remove } from "../../parts/remove";
import { SaveCopy } from "../../parts/save_copy";
import { t } from "../../texts";
import { placeOf } from "../../texts/settings";
import { ConnectorForm } from "../connectors/form";
import { parsed } from "../rules/trial";

const CHECK_MS = 400;
const SQL_ROWS = 8; // and it scrolls

type FormProps = {
  id: string | null;
  copyOf?: string | null;
  connector?: string;
  sql?: string; // of the rule that will feed it
  saved: (name: string) => void;
  cancel: () => void;
};

/** The form alone: the editor of a rule opens it in a dialog too. */
export function ActionForm({ id, copyOf = null, connector = "", sql = "", saved, cancel }: FormProps) {
  const mayChange = useMayChange();
  const schemas = useSchemas("actions");
  const fields = useFields(schemas.data, "S3Action", ["connector"]);
  const [blank] = useState(() => ({ type: "s3", name: "", connector, parameters: { mode: "aggregated" } }));
  const edit = useEdit("actions", id, blank, fields && ["connector", "enable", ...fields.map((field) => field.name)], copyOf);
  if (schemas.error || !fields || !edit.ready) return <NotYet failed={schemas.error ?? edit.failed} />;

  async function save(over?: Over) {
    const now = await edit.save(over);
    if (now) saved(id === null ? String(edit.value.name) : id);
  }

  return (
    <div className="split">
      <form
        className="card"
        onSubmit={(event) => {
          event.preventDefault();
          event.stopPropagation();
          void save();
        }}
      >
        {!mayChange && <Notice kind="warn">{t.edit.read}</Notice>}
        <ObjectForm edit={edit} fields={fields} isNew={id === null} disabled={!mayChange} before={<ConnectorChoice edit={edit} disabled={!mayChange} />} />
        <FormEnd edit={edit} fields={fields} isNew={id === null} mayChange={mayChange} cancel={cancel} save={save}>
          {mayChange && id !== null && (
            <>
              <Remove family="actions" id={id} />
              <SaveCopy family="actions" id={id} value={edit.value} />
            </>
          )}
        </FormEnd>
      </form>
      <Preview id={id} value={edit.value} sql={sql} />
    </div>
  );
}

function ConnectorChoice({ edit, disabled }: { edit: Edit; disabled: boolean }) {
  const { data = [] } = useList("connectors");
  const [making, setMaking] = useState(false);
  const id = useId();
  const choose = (connector: string) => edit.change({ ...edit.value, connector });
  const wrong = edit.problems.find(({ path }) => path === "connector");
  return (
    <div className="field">
      <label htmlFor={id}>
        {t.columns.connector} <span className="dim">({t.form.required})</span>
      </label>
      <div className="tools">
        <select id={id} value={String(edit.value.connector ?? "")} disabled={disabled} onChange={(event) => choose(event.target.value)} aria-invalid={Boolean(wrong) || undefined}>
          <option value="">{t.form.choose}</option>
          {data.map(({ name }) => (
            <option key={name}>{name}</option>
          ))}
        </select>
        {!disabled && (
          <button type="button" onClick={() => setMaking(true)}>
            {t.actions.newConnector}
          </button>
        )}
      </div>
      {wrong && (
        <p className="error" role="alert">
          {wrong.reason}
        </p>
      )}
      {making && (
        <Dialog title={t.actions.newConnector} close={() => setMaking(false)} wide>
          <ConnectorForm
            id={null}
            cancel={() => setMaking(false)}
            saved={(name) => {
              choose(name);
              setMaking(false);
            }}
          />
        </Dialog>
      )}
    </div>
  );
}

/** The object that the action would make of a sample, and what `check` would warn of, as the user types. */
function Preview({ id, value, sql }: { id: string | null; value: Value; sql: string }) {
  const { data: events = [] } = useEvents();
  const { data: rules = [] } = useList("rules");
  const feeding = id === null ? undefined : rules.find((rule) => rule.actions.includes(id))?.sql;
  const [typed, setText] = useState<string | null>(null);
  const [typedSample, setSample] = useState<string | null>(null);
  const text = typed ?? feeding ?? (sql || 'SELECT * FROM "t/#"');
  const event = selected(text, events)[0] ?? events.find(isMessages);
  const sample = typedSample ?? JSON.stringify(event ? sampleOf(event) : {}, null, 2);
  const sqlId = useId();
  const body = id === null ? { ...value, name: value.name || "preview" } : { ...value, type: "s3", name: id.replace(/^s3:/, "") };
  const wanted = stable(body);
  const preview = useMutation({
    mutationFn: async () => {
      const checked = await check("actions", body, text);
      return { checked, trial: checked.errors.length ? null : await tryRule(text, parsed(sample), [body]) }; // an object with mistakes cannot be tried
    },
  });
  const { data: shown, error } = preview;
  useEffect(() => {
    if (!event) return;
    const timer = setTimeout(() => {
      preview.mutate();
    }, CHECK_MS);
    return () => clearTimeout(timer);
  }, [wanted, text, sample, event]);
  return (
    <div className="card">
      <h2>{t.actions.preview}</h2>
      <p className="dim">{t.actions.previewSay}</p>
      <div className="field">
        <label htmlFor={sqlId}>{t.rules.sql}</label>
        <textarea id={sqlId} className="code" rows={Math.min(text.split("\n").length + 1, SQL_ROWS)} spellCheck={false} value={text} onChange={(event) => setText(event.target.value)} />
      </div>
      <details className="advanced">
        <summary>{t.rules.sample}</summary>
        <div className="field">
          <textarea className="code" aria-label={t.rules.sample} rows={12} spellCheck={false} value={sample} onChange={(event) => setSample(event.target.value)} />
        </div>
      </details>
      <div aria-live="polite">
        {error && <p className="dim">{error.message}</p>}
        {shown && !error && (shown.trial ? <Outcome trial={shown.trial} /> : <p className="dim">{lacking(shown.checked)}</p>)}
        {shown?.checked.warnings.map(({ path, reason }) => (
          <Notice kind="warn" key={path + reason}>
            {path ? `${placeOf(path)}: ${reason}` : reason}
          </Notice>
        ))}
      </div>
    </div>
  );
}

/** Which settings are still wrong or missing, as long as nothing can be shown. */
function lacking({ errors }: Checked): string {
  const paths = errors.map(({ path }) => path.replace(/^root\.?/, "")).filter(Boolean);
  return paths.length ? t.actions.lacking(paths.map(placeOf).join(", ")) : errors.map(({ reason }) => reason).join(" ");
}
