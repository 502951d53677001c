// The settings of one object: first those that everybody sets, then, folded, the advanced ones. Folded settings open by themselves
// when one of them has an error or was set before.
import { t } from "../../texts";
import { FieldRow, type Form } from "./field";
import type { Field } from "./schema";
import { at } from "./value";

type Props = { fields: Field[]; form: Form; path: readonly string[] };

export function Fields({ fields, form, path }: Props) {
  const advanced = fields.filter((field) => field.advanced);
  const rows = (some: Field[]) =>
    some.map((field) => <FieldRow key={field.name} field={field} form={form} path={[...path, field.name]} />);
  return (
    <>
      {rows(fields.filter((field) => !field.advanced))}
      {advanced.length > 0 && (
        <details className="advanced" open={advanced.some((field) => concerns(form, [...path, field.name])) || undefined}>
          <summary>{t.form.advanced}</summary>
          {rows(advanced)}
        </details>
      )}
    </>
  );
}

function concerns(form: Form, path: readonly string[]): boolean {
  const place = path.join(".");
  const wrong = [...form.errors.keys()].some((each) => each === place || each.startsWith(`${place}.`));
  return wrong || at(form.value, path) !== undefined;
}
