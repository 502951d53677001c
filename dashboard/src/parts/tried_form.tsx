// The form of a connector or a source: its settings, and a test whether they work before they are stored.
import { type ReactNode, useState } from "react";
import type { ApiError } from "../api/client";
import { probe } from "../api/objects";
import { useSchemas } from "../api/schemas";
import { useMayChange } from "../api/session";
import { t } from "../texts";
import { type Edit, named, type Over, useEdit } from "./edit";
import { FormEnd } from "./form_end";
import { NotYet } from "./not_yet";
import { Notice } from "./notice";
import { ObjectForm, useFields } from "./object_form";
import { Remove } from "./remove";
import { SaveCopy } from "./save_copy";

export type FormProps = { id: string | null; copyOf?: string | null; saved: (name: string) => void; cancel: () => void };

type Props = FormProps & {
  family: "connectors" | "sources";
  type: string;
  works?: string; // what to say when the test succeeds; without it there is nothing to test
  before?: (edit: Edit) => ReactNode;
};

export function TriedForm({ family, type, works, id, copyOf = null, before, saved, cancel }: Props) {
  const mayChange = useMayChange();
  const schemas = useSchemas(family);
  const fields = useFields(schemas.data, schemas.data?.types[type] ?? "");
  const edit = useEdit(family, id, { type, name: "" }, fields && ["enable", ...fields.map((field) => field.name)], copyOf);
  const [tried, setTried] = useState<{ good: boolean; text: string } | null>(null);
  if (schemas.error || !fields || !edit.ready) return <NotYet failed={schemas.error ?? edit.failed} />;

  async function test(good: string) {
    setTried({ good: true, text: t.edit.testing });
    const body = id === null ? edit.value : named(family, id, edit.value);
    await probe(family, body).then(
      () => setTried({ good: true, text: good }),
      (error: ApiError) => setTried({ good: false, text: error.message }),
    );
  }

  async function save(over?: Over) {
    const now = await edit.save(over);
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
      <ObjectForm edit={edit} fields={fields} isNew={id === null} disabled={!mayChange} before={id === null && mayChange && before?.(edit)} />
      {tried && <Notice kind={tried.good ? "good" : "bad"}>{tried.text}</Notice>}
      <FormEnd edit={edit} fields={fields} isNew={id === null} mayChange={mayChange} cancel={cancel} save={save}>
        {mayChange && id !== null && <Remove family={family} id={id} />}
        {mayChange && works && (
          <button type="button" onClick={() => void test(works)}>
            {t.edit.test}
          </button>
        )}
        {mayChange && id !== null && <SaveCopy family={family} id={id} value={edit.value} />}
      </FormEnd>
    </form>
  );
}
