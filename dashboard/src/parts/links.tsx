// What an object uses or is used by, in one cell of a list: each leads to its page.
import { Fragment } from "react";

type Props = { to: readonly string[]; none: string; at: (name: string) => string };

/** `at` gives the address of one, or "" for what has none. */
export function Links({ to, none, at }: Props) {
  if (!to.length) return <span className="dim">{none}</span>;
  return (
    <span title={to.join(", ")}>
      {to.map((name, n) => (
        <Fragment key={name}>
          {n > 0 && ", "}
          {at(name) ? <a href={at(name)}>{name}</a> : name}
        </Fragment>
      ))}
    </span>
  );
}
