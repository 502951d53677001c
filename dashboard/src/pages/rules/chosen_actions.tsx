// The actions of a rule: those that are chosen, more of them, and a new one without leaving.
import { named } from "../../api/objects";
import { useList } from "../../api/use_objects";
import { to } from "../../route";
import { t } from "../../texts";
import { NewAction } from "../actions/new_action";

type Props = { chosen: unknown[]; change: (now: unknown[]) => void; mayChange: boolean; sql: string };

export function ChosenActions({ chosen, change, mayChange, sql }: Props) {
  const { data = [] } = useList("actions");
  const names = data.map((each) => `${each.type}:${each.name}`);
  const others = names.filter((each) => !chosen.includes(each));
  return (
    <>
      <h2>{t.rules.output}</h2>
      <ul className="chosen">
        {chosen.map((each, n) => {
          const name = named(each);
          return (
            <li key={name + n}>
              <a href={to("actions", name)}>{name}</a> {!names.includes(name) && <span className="error">{t.rules.notFound}</span>}
              {mayChange && (
                <button type="button" aria-label={t.rules.takeAway(name)} onClick={() => change(chosen.filter((_, m) => m !== n))}>
                  ×
                </button>
              )}
            </li>
          );
        })}
      </ul>
      {mayChange && (
        <div className="tools">
          <select aria-label={t.rules.addAction} value="" onChange={(event) => event.target.value && change([...chosen, event.target.value])}>
            <option value="">{t.rules.addAction}…</option>
            {others.map((each) => (
              <option key={each}>{each}</option>
            ))}
          </select>
          <NewAction sql={sql} made={(action) => change([...chosen, action])} />
        </div>
      )}
    </>
  );
}
