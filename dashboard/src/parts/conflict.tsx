// Somebody else has saved the object that the user edits: what differs, side by side, and the choice.
import { t } from "../texts";
import { Dialog } from "./dialog";
import { Differences } from "./differences";
import type { Edit, Over } from "./edit";
import type { Field } from "./form/schema";

type Props = { edit: Edit; save: (over: Over) => Promise<void>; fields?: readonly Field[]; labels?: Readonly<Record<string, string>> };

/** `save` is what the page does to save; `fields` are those of a form that is made from a schema, `labels` those of one that is not. */
export function ConflictDialog({ edit, save, fields = [], labels = {} }: Props) {
  if (!edit.conflict) return null;
  const { stored, etag } = edit.conflict;
  const keepMine = () => {
    edit.decideLater();
    void save(etag);
  };
  return (
    <Dialog title={t.edit.conflict} close={edit.decideLater} wide>
      <p>{t.edit.conflictSay}</p>
      <Differences left={stored} right={edit.value} names={[t.edit.theirs, t.edit.mine]} fields={fields} labels={labels} />
      <div className="answers">
        <button type="button" onClick={edit.takeTheirs}>
          {t.edit.conflictTheirs}
        </button>
        <button type="button" className="primary" disabled={edit.busy} onClick={keepMine}>
          {t.edit.conflictMine}
        </button>
      </div>
    </Dialog>
  );
}
