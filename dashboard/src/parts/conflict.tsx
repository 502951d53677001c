// Somebody else has saved the object that the user edits: what differs, side by side, and the choice.
import { t } from "../texts";
import { Dialog } from "./dialog";
import { Differences } from "./differences";
import type { Edit } from "./edit";
import type { Field } from "./form/schema";

type Props = { edit: Edit; fields?: readonly Field[]; labels?: Readonly<Record<string, string>> };

/** `fields` are those of a form that is made from a schema, `labels` those of one that is not. */
export function ConflictDialog({ edit, fields = [], labels = {} }: Props) {
  if (!edit.conflict) return null;
  return (
    <Dialog title={t.edit.conflict} close={edit.decideLater} wide>
      <p>{t.edit.conflictSay}</p>
      <Differences left={edit.conflict.stored} right={edit.value} names={[t.edit.theirs, t.edit.mine]} fields={fields} labels={labels} />
      <div className="answers">
        <button type="button" onClick={edit.takeTheirs}>
          {t.edit.conflictTheirs}
        </button>
        <button type="button" className="primary" onClick={edit.keepMine}>
          {t.edit.conflictMine}
        </button>
      </div>
    </Dialog>
  );
}
