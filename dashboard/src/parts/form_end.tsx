// The end of the form of an object: its buttons, and the question when somebody else has changed the object meanwhile.
import type { ReactNode } from "react";
import { t } from "../texts";
import { ConflictDialog } from "./conflict";
import type { Edit, Over } from "./edit";
import type { Field } from "./form/schema";

type Props = { edit: Edit; fields: readonly Field[]; isNew: boolean; mayChange: boolean; cancel: () => void; save: (over: Over) => Promise<void>; children?: ReactNode };

export function FormEnd({ edit, fields, isNew, mayChange, cancel, save, children }: Props) {
  return (
    <>
      <div className="answers">
        {children}
        <button type="button" onClick={cancel}>
          {t.edit.cancel}
        </button>
        {mayChange && (
          <button className="primary" disabled={edit.busy || (!isNew && !edit.dirty)}>
            {isNew ? t.edit.create : t.edit.save}
          </button>
        )}
      </div>
      <ConflictDialog edit={edit} save={save} fields={fields} />
    </>
  );
}
