// The editor of a rule: the statement with its errors under the cursor, its actions, and the trial on a sample event.
import { useEffect, useId, useState } from "react";
import { named } from "../../api/objects";
import { useMayChange } from "../../api/session";
import { check, useFunctions, wordsOf } from "../../api/trial";
import { ConflictDialog } from "../../parts/conflict";
import { type Over, useEdit } from "../../parts/edit";
import type { Problem } from "../../parts/editor";
import { Enabled } from "../../parts/enabled";
import { NotYet } from "../../parts/not_yet";
import { Notice } from "../../parts/notice";
import { Remove } from "../../parts/remove";
import { SaveCopy } from "../../parts/save_copy";
import SqlEditor from "../../parts/sql_editor";
import { Tabs } from "../../parts/tabs";
import { go, leaveFor, to } from "../../route";
import { t } from "../../texts";
import { placeOf } from "../../texts/settings";
import { ChosenActions } from "./chosen_actions";
import { Debug } from "./debug";
import { Examples } from "./examples";
import { Trial, useTrial } from "./trial";

const BEGINS = 'SELECT\n  *\nFROM\n  "t/#"';
const SETTINGS = ["sql", "actions", "description", "enable"];

type Props = {
  id: string | null;
  copyOf: string | null; // begin as a copy of this rule
  action: string | null; // begin with this action
  sql?: string | null; // begin with this statement, as if it were typed
  inPlace?: boolean; // beside another page, where the user stays after a save
};

export default function RuleEditor({ id, copyOf, action, sql = null, inPlace = false }: Props) {
  const mayChange = useMayChange();
  const [blank] = useState(() => ({ id: randomId(), sql: BEGINS, actions: action ? [action] : [], description: "" }));
  const edit = useEdit("rules", id, blank, SETTINGS, copyOf);
  const [begun, setBegun] = useState(sql === null);
  useEffect(() => {
    if (begun || !edit.ready) return;
    edit.change({ ...edit.value, sql });
    setBegun(true);
  });
  const { data: functions = [] } = useFunctions();
  const [examples, setExamples] = useState(false);
  const [on, setOn] = useState<"sample" | "live">("sample");
  const noteId = useId();
  const nameId = useId();
  const text = String(edit.value.sql ?? "");
  const actions = (edit.value.actions ?? []) as unknown[];
  const { warnings, problemsOf } = useChecked();
  const trial = useTrial(text, actions.map(named));
  if (!edit.ready) {
    return (
      <section className="page">
        <NotYet failed={edit.failed} />
      </section>
    );
  }

  async function save(over?: Over) {
    const now = await edit.save(over);
    if (now && !inPlace) leaveFor(to("rules"));
  }

  return (
    <section className="page">
      <div className="heading">
        <h1>{id ?? t.rules.create}</h1>
        <button type="button" onClick={() => setExamples(true)}>
          {t.rules.examples}
        </button>
        {!inPlace && (
          <button type="button" onClick={() => go(to("rules"))}>
            {t.edit.cancel}
          </button>
        )}
        {mayChange && id !== null && !inPlace && (
          <>
            <Remove family="rules" id={id} />
            <SaveCopy family="rules" id={id} value={edit.value} />
          </>
        )}
        {mayChange && (
          <button type="button" className="primary" disabled={edit.busy || (id !== null && !edit.dirty)} onClick={() => void save()}>
            {id === null ? t.edit.create : t.edit.save}
          </button>
        )}
      </div>
      {id !== null && !inPlace && <Tabs family="rules" id={id} on="settings" />}
      {!mayChange && <Notice kind="warn">{t.edit.read}</Notice>}
      {edit.trouble && <Notice kind="bad">{edit.trouble}</Notice>}
      {edit.problems.map(({ path, reason }) => path && <Notice kind="bad" key={path + reason}>{`${t.rules.settings[path] ?? placeOf(path)}: ${reason}`}</Notice>)}
      <div className="split">
        <div className="card">
          {id === null && (
            <div className="field">
              <label htmlFor={nameId}>{t.rules.id}</label>
              <input id={nameId} value={String(edit.value.id)} disabled={!mayChange} onChange={(event) => edit.change({ ...edit.value, id: event.target.value })} autoComplete="off" />
            </div>
          )}
          <div className="field">
            <label htmlFor={noteId}>{t.rules.note}</label>
            <input
              id={noteId}
              value={String(edit.value.description ?? "")}
              disabled={!mayChange}
              onChange={(event) => edit.change({ ...edit.value, description: event.target.value })}
            />
          </div>
          {id !== null && <Enabled value={edit.value} change={edit.change} disabled={!mayChange} />}
          <h2>
            {t.rules.sql}{" "}
            <small className="dim">
              <kbd>{t.rules.runKeys[0]}</kbd> <kbd>{t.rules.runKeys[1]}</kbd> {t.rules.runs}
            </small>
          </h2>
          <SqlEditor
            text={text}
            label={t.rules.sql}
            words={wordsOf(functions, trial.kinds)}
            problems={problemsOf}
            change={(sql) => edit.change({ ...edit.value, sql })}
            run={trial.run}
            readOnly={!mayChange}
          />
          {warnings.map((each) => (
            <Notice kind="warn" key={each}>
              {each}
            </Notice>
          ))}
          <ChosenActions chosen={actions} change={(now) => edit.change({ ...edit.value, actions: now })} mayChange={mayChange} sql={text} />
        </div>
        <div className="card">
          <div className="tabs" role="group" aria-label={t.rules.tryOn}>
            {(["sample", "live"] as const).map((each) => (
              <button type="button" key={each} aria-pressed={on === each} onClick={() => setOn(each)}>
                {t.rules.on[each]}
              </button>
            ))}
          </div>
          {on === "live" && <Debug sql={text} actions={actions.map(named)} />}
          {on === "sample" && <Trial of={trial} />}
        </div>
      </div>
      {examples && (
        <Examples
          kinds={trial.events}
          close={() => setExamples(false)}
          use={(sql, event) => {
            edit.change({ ...edit.value, sql });
            trial.setSample(JSON.stringify(event, null, 2));
            setOn("sample");
            setExamples(false);
          }}
        />
      )}
      <ConflictDialog edit={edit} save={save} labels={t.rules.settings} />
    </section>
  );
}

/** What the server finds wrong in a statement, at its line and column; and what `tidegate check` would warn of. */
function useChecked() {
  const [warnings, setWarnings] = useState<readonly string[]>([]);
  async function problemsOf(sql: string): Promise<Problem[]> {
    const found = await check("rules", { sql, actions: [] });
    setWarnings(found.warnings.map(({ reason }) => reason));
    return found.errors.map(({ line = 1, column = 1, reason }) => ({ line, column, message: reason }));
  }
  return { warnings, problemsOf };
}

function randomId(): string {
  return `rule_${crypto.getRandomValues(new Uint32Array(1))[0]?.toString(36)}`;
}
