// Somebody else has saved the object that the user edits: what differs, side by side, and the choice.
import { t } from "../texts";
import { Dialog } from "./dialog";
import type { Edit } from "./edit";
import { type Value, stable } from "./form/value";

export function ConflictDialog({ edit }: { edit: Edit }) {
  if (!edit.conflict) return null;
  const differing = differences(edit.conflict.stored, edit.value);
  return (
    <Dialog title={t.edit.conflict} close={edit.takeTheirs} wide>
      <p>{t.edit.conflictSay}</p>
      {differing.map(({ path, theirs, mine }) => (
        <section key={path}>
          <h3>
            <code>{path}</code>
          </h3>
          <div className="split">
            <div>
              <p className="dim">{t.edit.theirs}</p>
              <pre>{theirs}</pre>
            </div>
            <div>
              <p className="dim">{t.edit.mine}</p>
              <pre>{mine}</pre>
            </div>
          </div>
        </section>
      ))}
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

type Difference = { path: string; theirs: string; mine: string };

/** The settings that differ, each by its path; objects are compared setting by setting. */
export function differences(theirs: Value, mine: Value, above: readonly string[] = []): Difference[] {
  const names = [...new Set([...Object.keys(theirs), ...Object.keys(mine)])];
  return names.flatMap((name) => {
    const [one, other] = [theirs[name], mine[name]];
    const path = [...above, name];
    if (isObject(one) && isObject(other)) return differences(one, other, path);
    return stable(one) === stable(other) ? [] : [{ path: path.join("."), theirs: text(one), mine: text(other) }];
  });
}

function isObject(value: unknown): value is Value {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function text(value: unknown): string {
  if (value === undefined) return "–";
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}
