// The forms of the steps of a flow: a source, fields, a filter, a sink; and which steps one goes to.
import { useId } from "react";
import { useEvents } from "../../api/trial";
import { useList } from "../../api/use_objects";
import { t } from "../../texts";
import { NewAction } from "../actions/new_action";
import { type Draft, joins, type Step, withEdge, without } from "./draft";
import { FilterForm } from "./filter";
import type { FieldPart } from "./statement";

/** A step in one line. */
export function summary(step: Step): string {
  switch (step.kind) {
    case "source":
      return step.topic || "–";
    case "fields":
      return step.fields.map(({ expression, name }) => name || expression).join(", ");
    case "filter":
      return step.condition || "–";
    case "sink":
      return step.action || "–";
  }
}

type StepProps = { step: Step; sql: string; change: (now: Step) => void; disabled: boolean };

export function StepForm({ step, sql, change, disabled }: StepProps) {
  const id = useId();
  const { data: events = [] } = useEvents();
  switch (step.kind) {
    case "source":
      return (
        <div className="field">
          <label htmlFor={id}>{t.flow.topic}</label>
          <input id={id} className="code" list={`${id}-events`} value={step.topic} disabled={disabled} onChange={(event) => change({ ...step, topic: event.target.value })} />
          <datalist id={`${id}-events`}>
            {events
              .filter((each) => each.event.startsWith("$events/"))
              .map((each) => (
                <option key={each.event}>{each.event}</option>
              ))}
          </datalist>
        </div>
      );
    case "fields":
      return <FieldList fields={step.fields} change={(fields) => change({ ...step, fields })} disabled={disabled} />;
    case "filter":
      return <FilterForm condition={step.condition} change={(condition) => change({ ...step, condition })} disabled={disabled} />;
    case "sink":
      return <SinkChoice action={step.action} sql={sql} change={(action) => change({ ...step, action })} disabled={disabled} />;
  }
}

/** Joins by keyboard and for those who do not drag: one box a step that may follow. */
export function Joins({ draft, step, draw }: { draft: Draft; step: Step; draw: (now: Draft) => void }) {
  const others = draft.steps.filter((each) => joins(draft, step.id, each.id) || draft.edges.some(({ from, to: into }) => from === step.id && into === each.id));
  if (!others.length) return null;
  return (
    <fieldset className="fieldset">
      <legend>{t.flow.goesTo}</legend>
      {others.map((each) => {
        const edge = { from: step.id, to: each.id };
        const on = draft.edges.some(({ from, to: into }) => from === edge.from && into === edge.to);
        return (
          <label key={each.id}>
            <input type="checkbox" checked={on} onChange={() => draw(on ? without(draft, [], [edge]) : withEdge(draft, edge))} /> {t.flow.steps[each.kind]} {summary(each)}
          </label>
        );
      })}
    </fieldset>
  );
}

function FieldList({ fields, change, disabled }: { fields: FieldPart[]; change: (now: FieldPart[]) => void; disabled: boolean }) {
  const replace = (n: number, now: FieldPart) => change(fields.map((each, m) => (m === n ? now : each)));
  return (
    <div className="pairs">
      {fields.map((field, n) => (
        <div key={n}>
          <input className="code" aria-label={t.flow.expression} value={field.expression} disabled={disabled} onChange={(event) => replace(n, { ...field, expression: event.target.value })} />
          <input className="code" aria-label={t.flow.alias} placeholder={t.flow.alias} value={field.name} disabled={disabled} onChange={(event) => replace(n, { ...field, name: event.target.value })} />
          <button type="button" aria-label={t.form.remove(field.name || field.expression)} disabled={disabled || fields.length === 1} onClick={() => change(fields.filter((_, m) => m !== n))}>
            ×
          </button>
        </div>
      ))}
      <button type="button" disabled={disabled} onClick={() => change([...fields, { expression: "", name: "" }])}>
        {t.form.add}
      </button>
    </div>
  );
}

function SinkChoice({ action, sql, change, disabled }: { action: string; sql: string; change: (now: string) => void; disabled: boolean }) {
  const { data = [] } = useList("actions");
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{t.columns.actions}</label>
      <select id={id} value={action} disabled={disabled} onChange={(event) => change(event.target.value)}>
        <option value="">{t.form.choose}</option>
        {data.map((each) => (
          <option key={each.name}>{`${each.type}:${each.name}`}</option>
        ))}
      </select>
      {!disabled && <NewAction sql={sql} made={change} />}
    </div>
  );
}
