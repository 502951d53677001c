// The form of a connector, with its test. The form of an action opens it in a dialog too.
import { useState } from "react";
import { ApiError } from "../../api/client";
import { probe } from "../../api/objects";
import { useSchemas } from "../../api/schemas";
import { useMayChange } from "../../api/session";
import { ConflictDialog } from "../../parts/conflict";
import { useEdit } from "../../parts/edit";
import type { Value } from "../../parts/form/value";
import { Notice } from "../../parts/notice";
import { ObjectForm, useFields } from "../../parts/object_form";
import { t } from "../../texts";
import { PRESETS } from "./presets";

type FormProps = { id: string | null; copyOf?: string | null; saved: (name: string) => void; cancel: () => void };

/** The form alone: the form of an action opens it in a dialog too. */
export function ConnectorForm({ id, copyOf = null, saved, cancel }: FormProps) {
  const mayChange = useMayChange();
  const schemas = useSchemas("connectors");
  const fields = useFields(schemas.data, "S3Connector");
  const edit = useEdit("connectors", id, { type: "s3", name: "" }, fields && ["enable", ...fields.map((field) => field.name)], copyOf);
  const [tried, setTried] = useState<{ good: boolean; text: string } | null>(null);
  if (schemas.error ?? edit.failed) return <Notice kind="bad">{(schemas.error ?? edit.failed)?.message}</Notice>;
  if (!fields || !edit.ready) return <p className="dim">{t.loading}</p>;

  async function test() {
    setTried({ good: true, text: t.connectors.testing });
    const body = id === null ? edit.value : { ...edit.value, ...named(id) };
    await probe("connectors", body).then(
      () => setTried({ good: true, text: t.connectors.works }),
      (error: ApiError) => setTried({ good: false, text: error.message }),
    );
  }

  async function save() {
    const now = await edit.save();
    if (now) saved(id === null ? String(edit.value.name) : id);
  }

  return (
    <form
      className="card"
      onSubmit={(event) => {
        event.preventDefault();
        event.stopPropagation(); // the form may be in a dialog of another form
        void save();
      }}
    >
      <ObjectForm edit={edit} fields={fields} isNew={id === null} disabled={!mayChange} before={id === null && <Presets change={edit.change} value={edit.value} />} />
      {tried && <Notice kind={tried.good ? "good" : "bad"}>{tried.text}</Notice>}
      <div className="answers">
        {mayChange && (
          <button type="button" onClick={() => void test()}>
            {t.connectors.test}
          </button>
        )}
        <button type="button" onClick={cancel}>
          {t.edit.cancel}
        </button>
        {mayChange && (
          <button className="primary" disabled={edit.busy || (id !== null && !edit.dirty)}>
            {id === null ? t.edit.create : t.edit.save}
          </button>
        )}
      </div>
      <ConflictDialog edit={edit} />
    </form>
  );
}

function named(id: string): Value {
  const [type, ...name] = id.split(":");
  return { type, name: name.join(":") };
}

function Presets({ value, change }: { value: Value; change: (value: Value) => void }) {
  return (
    <div className="field">
      <span className="dim">{t.connectors.presetSay}</span>
      <div className="tools" role="group" aria-label={t.connectors.preset}>
        {PRESETS.map(({ name, settings }) => (
          <button type="button" key={name} onClick={() => change({ ...value, ...settings })}>
            {name}
          </button>
        ))}
      </div>
    </div>
  );
}
