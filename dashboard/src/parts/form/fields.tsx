// The settings of one object: first those that everybody sets, then, folded, the advanced ones. Folded settings open by themselves
// when one of them has an error or another value than its default.
import { t } from "../../texts";
import { FieldRow, type Form } from "./field";
import { type Field, isOwn } from "./schema";
import { at } from "./value";

type Props = { fields: Field[]; form: Form; path: readonly string[] };

export function Fields({ fields, form, path }: Props) {
  const advanced = fields.filter((field) => field.advanced);
  const rows = (some: Field[]) =>
    some.map((field) => <FieldRow key={field.name} field={field} form={form} path={[...path, field.name]} />);
  const plain = fields.filter((field) => !field.advanced);
  if (!plain.length) return <>{rows(advanced)}</>; // whoever has opened what they are in wants to see them
  return (
    <>
      {rows(plain)}
      {advanced.length > 0 && (
        <details className="advanced" open={advanced.some((field) => concerns(form, path, field)) || undefined}>
          <summary>{t.form.advanced}</summary>
          {rows(advanced)}
        </details>
      )}
    </>
  );
}

function concerns(form: Form, above: readonly string[], field: Field): boolean {
  const path = [...above, field.name];
  const place = path.join(".");
  const wrong = [...form.errors.keys()].some((each) => each === place || each.startsWith(`${place}.`) || each.startsWith(`${place}[`));
  return wrong || isOwn(field, at(form.value, path));
}
