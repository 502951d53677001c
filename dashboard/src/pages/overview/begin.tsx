// What to do first, until there is one of each: a connector, an action, a rule.
import { useMayChange } from "../../api/session";
import { useList } from "../../api/use_objects";
import { to } from "../../route";
import { t } from "../../texts";

const STEPS = [
  ["connectors", t.overview.steps.connector],
  ["actions", t.overview.steps.action],
  ["rules", t.overview.steps.rule],
] as const;

export function Begin() {
  const lists = { connectors: useList("connectors").data, actions: useList("actions").data, rules: useList("rules").data };
  const mayChange = useMayChange();
  const next = STEPS.find(([family]) => lists[family]?.length === 0);
  if (!next) return null;
  return (
    <section className="card" aria-label={t.overview.begin}>
      <h2>{t.overview.begin}</h2>
      <p className="dim">{t.overview.beginSay}</p>
      <ol className="steps">
        {STEPS.map(([family, say]) => (
          <li key={family}>
            <p>
              {say} {Boolean(lists[family]?.length) && <b>✓ {t.overview.done}</b>}
            </p>
            {mayChange && family === next[0] && (
              <a className="button primary" href={to(family, "new")}>
                {t[family].create}
              </a>
            )}
          </li>
        ))}
      </ol>
    </section>
  );
}
