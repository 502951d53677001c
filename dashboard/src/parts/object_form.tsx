// The form of a connector or an action: a name while it is new, and then the settings of its schema.
import { type ReactNode, useEffect, useId, useMemo, useRef } from "react";
import { t } from "../texts";
import type { Edit } from "./edit";
import { Enabled } from "./enabled";
import type { Form } from "./form/field";
import { Fields } from "./form/fields";
import { type Field, fieldsOf, type Schema } from "./form/schema";
import { Notice } from "./notice";

type Props = {
  edit: Edit;
  fields: Field[];
  isNew: boolean;
  disabled: boolean;
  before?: ReactNode;
};

/** Settings that have a place of their own on the page. */
const ELSEWHERE = ["type", "name", "enable"];

export function useFields(whole: (Schema & { $defs: Record<string, Schema> }) | undefined, name: string, hidden: readonly string[] = []): Field[] | null {
  return useMemo(() => {
    const schema = whole?.$defs[name];
    return whole && schema ? fieldsOf(whole, schema, [...ELSEWHERE, ...hidden]) : null;
  }, [whole, name, hidden.join(" ")]);
}

export function ObjectForm({ edit, fields, isNew, disabled, before }: Props) {
  const form: Form = {
    value: edit.value,
    change: edit.change,
    errors: new Map(edit.problems.map(({ path, reason }) => [path, reason])),
    disabled: disabled || edit.busy,
  };
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // The first setting that is wrong may be far above the button.
    if (edit.refusal?.problems.length) place.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [edit.refusal]);
  return (
    <div className="form" ref={place}>
      {edit.trouble && <Notice kind="bad">{edit.trouble}</Notice>}
      {before}
      {isNew ? <NameField form={form} /> : <Enabled value={form.value} change={form.change} disabled={form.disabled} />}
      <Fields fields={fields} form={form} path={[]} />
    </div>
  );
}

function NameField({ form }: { form: Form }) {
  const id = useId();
  const error = form.errors.get("name");
  return (
    <div className="field">
      <label htmlFor={id}>
        {t.connectors.name} <span className="dim">({t.form.required})</span>
      </label>
      <input
        id={id}
        value={String(form.value.name ?? "")}
        disabled={form.disabled}
        autoComplete="off"
        aria-invalid={Boolean(error) || undefined}
        aria-describedby={`${id}-help`}
        onChange={(event) => form.change({ ...form.value, name: event.target.value })}
      />
      {error && (
        <p className="error" role="alert">
          {error}
        </p>
      )}
      <p className="help" id={`${id}-help`}>
        {t.connectors.nameHelp}
      </p>
    </div>
  );
}
