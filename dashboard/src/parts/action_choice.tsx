// Which action a page is about. If there is none yet, it says what to do first.
import { useId } from "react";
import { idOf } from "../api/objects";
import { useList } from "../api/use_objects";
import { to } from "../route";
import { t } from "../texts";
import { Notice } from "./notice";

type Props = { value: string; change: (id: string) => void; all?: string };

/** `all`: the word for no action in particular. */
export function ActionChoice({ value, change, all }: Props) {
  const id = useId();
  const { data = [], isPending, error } = useList("actions");
  if (error) return <Notice kind="bad">{error.message}</Notice>;
  if (!isPending && !data.length && all === undefined) {
    return (
      <p className="empty">
        {t.evidence.noActions} <a href={to("actions", "new")}>{t.evidence.createAction}</a>
      </p>
    );
  }
  const ids = data.map((each) => idOf("actions", each));
  return (
    <div className="choice">
      <label htmlFor={id}>{t.evidence.action}</label>
      <select id={id} value={value} onChange={(event) => change(event.target.value)}>
        {(all !== undefined || !value) && <option value="">{all ?? t.evidence.chooseAction}</option>}
        {value && !ids.includes(value) && <option value={value}>{value}</option>}
        {ids.map((each) => (
          <option key={each} value={each}>
            {each.replace(/^s3:/, "")}
          </option>
        ))}
      </select>
    </div>
  );
}
