// What differs between two states of an object, setting by setting, side by side.
import type { Value } from "./form/value";
import { stable } from "./form/value";

type Difference = { path: string; left: string; right: string };
type Props = { left: Value; right: Value; names: readonly [string, string]; same?: string };

export function Differences({ left, right, names, same }: Props) {
  const found = differences(left, right);
  if (!found.length && same) return <p className="dim">{same}</p>;
  return (
    <>
      {found.map((each) => (
        <section key={each.path}>
          <h3>
            <code>{each.path}</code>
          </h3>
          <div className="split">
            <div>
              <p className="dim">{names[0]}</p>
              <pre>{each.left}</pre>
            </div>
            <div>
              <p className="dim">{names[1]}</p>
              <pre>{each.right}</pre>
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
    return stable(one) === stable(other) ? [] : [{ path: path.join("."), left: text(one), right: text(other) }];
  });
}

function isObject(value: unknown): value is Value {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function text(value: unknown): string {
  if (value === undefined) return "–";
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}
