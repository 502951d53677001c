// What differs between two states of an object, setting by setting, side by side.
import { t } from "../texts";
import { choiceOf, differs, labelOf, placeOf } from "../texts/settings";
import { type Field, kindAt } from "./form/schema";
import type { Value } from "./form/value";
import { stable } from "./form/value";

type Difference = { path: readonly string[]; left: unknown; right: unknown };
type Props = { left: Value; right: Value; names: readonly [string, string]; same?: string; fields?: readonly Field[]; labels?: Readonly<Record<string, string>> };

export function Differences({ left, right, names, same, fields = [], labels = {} }: Props) {
  const found = differences(left, right);
  if (!found.length && same) return <p className="dim">{same}</p>;
  return (
    <>
      {found.map((each) => (
        <section key={each.path.join(".")}>
          <Title path={each.path.join(".")} labels={labels} />
          <div className="split">
            <div>
              <p className="dim">{names[0]}</p>
              <pre>{text(each.left, fields, each.path)}</pre>
            </div>
            <div>
              <p className="dim">{names[1]}</p>
              <pre>{text(each.right, fields, each.path)}</pre>
            </div>
          </div>
        </section>
      ))}
    </>
  );
}

/** The settings that differ, each by its path; objects are compared setting by setting. */
export function differences(left: Value, right: Value, above: readonly string[] = []): Difference[] {
  const names = [...new Set([...Object.keys(left), ...Object.keys(right)])];
  return names.flatMap((name) => {
    const [one, other] = [left[name], right[name]];
    const path = [...above, name];
    if (isObject(one) && isObject(other)) return differences(one, other, path);
    return stable(one) === stable(other) ? [] : [{ path, left: one, right: other }];
  });
}

function isObject(value: unknown): value is Value {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The setting as the forms call it; a rule's own form has words of its own. */
function Title({ path, labels }: { path: string; labels: Readonly<Record<string, string>> }) {
  return (
    <h3>
      {labels[path] ?? placeOf(path)} {(labels[path] || differs(path)) && <code className="setting-name">{path}</code>}
    </h3>
  );
}

/** The value as the form shows it. */
function text(value: unknown, fields: readonly Field[], path: readonly string[]): string {
  if (value === undefined) return "–";
  if (typeof value === "boolean") return value ? t.form.on : t.form.off;
  if (kindAt(fields, path)?.is === "objects" && Array.isArray(value)) return value.map(line).join("\n");
  if (typeof value !== "string") return JSON.stringify(value, null, 2);
  return kindAt(fields, path)?.is === "choice" ? choiceOf(value) : value;
}

/** One object of a list, in a line. */
function line(each: Value, n: number): string {
  return `${n + 1}. ${Object.entries(each).map(([name, value]) => `${labelOf(name)}: ${String(value)}`).join(", ")}`;
}
