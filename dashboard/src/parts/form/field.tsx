// One setting of a form: its label, its input by its kind, its help, and the error that the server found at it.
import { type ReactNode, useId, useState } from "react";
import { t } from "../../texts";
import { choiceOf, differs, labelOf } from "../../texts/settings";
import { Switch } from "../switch";
import { Fields } from "./fields";
import type { Field, Kind } from "./schema";
import { type Value, at, numberOf, withAt } from "./value";

export const KEPT = "******";

/** What each input of a form gets: the whole value, how to change it, and the errors by the path of their setting. */
export type Form = {
  value: Value;
  change: (value: Value) => void;
  errors: ReadonlyMap<string, string>;
  disabled: boolean;
};

type Place = { form: Form; path: readonly string[] };

export function FieldRow({ field, form, path }: Place & { field: Field }) {
  const id = useId();
  const error = form.errors.get(path.join("."));
  const help = <Help field={field} id={`${id}-help`} />;
  if (field.kind.is === "object" || field.kind.is === "objects" || field.kind.is === "one of") {
    return (
      <fieldset className="fieldset">
        <legend>
          {labelOf(field.name)} <Name of={field.name} />
        </legend>
        {help}
        {error && <FieldError id={`${id}-error`}>{error}</FieldError>}
        {field.kind.is === "object" && <Fields fields={field.kind.fields} form={form} path={path} />}
        {field.kind.is === "objects" && <Several fields={field.kind.fields} form={form} path={path} />}
        {field.kind.is === "one of" && <OneOf kind={field.kind} form={form} path={path} />}
      </fieldset>
    );
  }
  return (
    <div className="field" data-error={error ? true : undefined}>
      <div>
        <label htmlFor={id}>
          {labelOf(field.name)} {field.required && <span className="dim">({t.form.required})</span>}
        </label>{" "}
        <Name of={field.name} />
      </div>
      <Input
        id={id}
        field={field}
        form={form}
        path={path}
        described={error ? `${id}-error ${id}-help` : `${id}-help`}
        invalid={Boolean(error)}
      />
      {error && <FieldError id={`${id}-error`}>{error}</FieldError>}
      {help}
    </div>
  );
}

/** What a file and the manual call the setting. */
function Name({ of }: { of: string }) {
  return differs(of) && <code className="setting-name">{of}</code>;
}

function Help({ field, id }: { field: Field; id: string }) {
  const words = field.help.split(/(`[^`]+`|\$\{[^}]+\})/);
  return (
    <p className="help" id={id}>
      {words.map((word, n) => (n % 2 ? <code key={n}>{word.replaceAll("`", "")}</code> : word))}
    </p>
  );
}

function FieldError({ id, children }: { id: string; children: ReactNode }) {
  return (
    <p className="error" id={id} role="alert">
      {children}
    </p>
  );
}

type InputProps = Place & { id: string; field: Field; described: string; invalid: boolean };

function Input({ id, field, form, path, described, invalid }: InputProps) {
  const value = at(form.value, path);
  const change = (now: unknown) => form.change(withAt(form.value, path, now));
  const shared = { id, disabled: form.disabled, "aria-describedby": described, "aria-invalid": invalid || undefined, "aria-required": field.required };
  const { kind } = field;
  switch (kind.is) {
    case "switch":
      return <Switch id={id} on={value === undefined ? kind.on : Boolean(value)} change={change} disabled={form.disabled} described={described} />;
    case "choice":
      return (
        <select {...shared} value={value === undefined ? "" : String(value)} onChange={(event) => change(event.target.value || undefined)}>
          <option value="">{field.placeholder ? t.form.default(choiceOf(field.placeholder)) : t.form.choose}</option>
          {kind.choices.map((each) => (
            <option key={each} value={each}>
              {choiceOf(each)}
            </option>
          ))}
        </select>
      );
    case "number":
      return (
        <input
          {...shared}
          inputMode="numeric"
          placeholder={field.placeholder}
          value={value === undefined ? "" : String(value)}
          onChange={(event) => change(numberOf(event.target.value))}
        />
      );
    case "list":
      return (
        <textarea
          {...shared}
          rows={2}
          value={Array.isArray(value) ? value.join("\n") : ""}
          onChange={(event) => change(event.target.value ? event.target.value.split("\n") : undefined)}
        />
      );
    case "map":
      return <MapInput {...{ id, described }} value={(value ?? {}) as Record<string, string>} change={change} disabled={form.disabled} />;
    case "text":
      if (kind.secret) return <SecretInput {...shared} value={value} change={change} />;
      return (
        <input
          {...shared}
          className={kind.syntax === "template" ? "code" : undefined}
          spellCheck={kind.syntax === "prose"}
          autoComplete="off"
          placeholder={field.placeholder}
          value={value === undefined ? "" : String(value)}
          onChange={(event) => change(event.target.value || undefined)}
        />
      );
    default:
      return <JsonInput {...shared} value={value} change={change} />;
  }
}

type Plain = { id: string; disabled: boolean; "aria-describedby": string; value: unknown; change: (value: unknown) => void };

/** A secret is never shown. What is stored stays as long as nobody types. */
function SecretInput({ value, change, ...shared }: Plain) {
  return (
    <>
      <input
        {...shared}
        type={typeof value === "string" && /^(\$\{|file:)/.test(value) ? "text" : "password"}
        autoComplete="new-password"
        value={value === undefined || value === null ? "" : String(value)}
        onFocus={(event) => value === KEPT && event.target.select()}
        onChange={(event) => change(event.target.value || undefined)}
      />
      <p className="help">{value === KEPT ? t.form.secretKept : t.form.secretHint}</p>
    </>
  );
}

function JsonInput({ value, change, ...shared }: Plain) {
  const [text, setText] = useState(value === undefined ? "" : JSON.stringify(value, null, 2));
  const [wrong, setWrong] = useState(false);
  return (
    <>
      <textarea
        {...shared}
        className="code"
        rows={4}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          try {
            change(event.target.value.trim() ? JSON.parse(event.target.value) : undefined);
            setWrong(false);
          } catch {
            setWrong(true);
          }
        }}
      />
      {wrong && <p className="error">{t.form.notJson}</p>}
    </>
  );
}

type MapProps = { id: string; described: string; value: Record<string, string>; change: (value: unknown) => void; disabled: boolean };

/** Names and values, one pair a line. The line of a name that is still empty is kept here and not in the value. */
function MapInput({ id, described, value, change, disabled }: MapProps) {
  const [pairs, setPairs] = useState(() => Object.entries(value));
  const update = (now: [string, string][]) => {
    setPairs(now);
    const named = now.filter(([name]) => name);
    change(named.length ? Object.fromEntries(named) : undefined);
  };
  const replace = (n: number, pair: [string, string]) => update(pairs.map((each, m) => (m === n ? pair : each)));
  return (
    <div className="pairs" id={id} aria-describedby={described} role="group">
      {pairs.map(([name, text], n) => (
        <div key={n}>
          <input aria-label={t.form.key} value={name} disabled={disabled} onChange={(event) => replace(n, [event.target.value, text])} />
          <input aria-label={t.form.value} value={text} disabled={disabled} onChange={(event) => replace(n, [name, event.target.value])} />
          <button type="button" disabled={disabled} aria-label={t.form.remove(name)} onClick={() => update(pairs.filter((_, m) => m !== n))}>
            ×
          </button>
        </div>
      ))}
      <button type="button" disabled={disabled} onClick={() => setPairs([...pairs, ["", ""]])}>
        {t.form.add}
      </button>
    </div>
  );
}

/** Objects in their order. Each is a form of its own, whose value and errors are a part of the whole. */
function Several({ fields, form, path }: Place & { fields: Field[] }) {
  const found = at(form.value, path);
  const items = Array.isArray(found) ? (found as Value[]) : [];
  const put = (now: Value[]) => form.change(withAt(form.value, path, now.length ? now : undefined));
  return (
    <>
      {items.map((item, n) => {
        const place = `${path.join(".")}[${n}]`; // as the server says it
        const below = [...form.errors].filter(([each]) => each.startsWith(`${place}.`)).map(([each, said]) => [each.slice(place.length + 1), said] as const);
        const error = form.errors.get(place);
        return (
          <fieldset className="fieldset" key={n}>
            <legend>{n + 1}</legend>
            {error && <FieldError id={`error-${place}`}>{error}</FieldError>}
            <Fields fields={fields} form={{ ...form, value: item, change: (now) => put(items.map((each, m) => (m === n ? now : each))), errors: new Map(below) }} path={[]} />
            <p>
              <button type="button" disabled={form.disabled} onClick={() => put(items.filter((_, m) => m !== n))}>
                {t.form.remove(String(n + 1))}
              </button>
            </p>
          </fieldset>
        );
      })}
      <button type="button" disabled={form.disabled} onClick={() => put([...items, {}])}>
        {t.form.add}
      </button>
    </>
  );
}

/** One of several objects: another choice keeps the settings that both have. */
function OneOf({ kind, form, path }: Place & { kind: Extract<Kind, { is: "one of" }> }) {
  const id = useId();
  const value = (at(form.value, path) ?? {}) as Value;
  const chosen = kind.variants.find((each) => each.value === value[kind.tag]) ?? kind.variants[0];
  if (!chosen) return null;
  const choose = (to: string) => {
    const names = new Set(kind.variants.find((each) => each.value === to)?.fields.map((field) => field.name));
    const kept = Object.fromEntries(Object.entries(value).filter(([name]) => names.has(name)));
    form.change(withAt(form.value, path, { ...kept, [kind.tag]: to }));
  };
  return (
    <>
      <div className="field">
        <div>
          <label htmlFor={id}>{labelOf(kind.tag)}</label> <Name of={kind.tag} />
        </div>
        <select id={id} value={chosen.value} disabled={form.disabled} onChange={(event) => choose(event.target.value)} aria-describedby={`${id}-help`}>
          {kind.variants.map((each) => (
            <option key={each.value} value={each.value}>
              {choiceOf(each.value)}
            </option>
          ))}
        </select>
        <p className="help" id={`${id}-help`}>
          {chosen.help}
        </p>
      </div>
      <Fields fields={chosen.fields} form={form} path={path} key={chosen.value} />
    </>
  );
}
