// After something is created: what comes next with it.
import { t } from "../texts";
import { Notice } from "./notice";

type Props = { name: string; say: string; next: string; address: string; list: string };

export function Made({ name, say, next, address, list }: Props) {
  return (
    <section className="page">
      <h1>{name}</h1>
      <Notice kind="good">{say}</Notice>
      <div className="tools">
        <a className="button primary" href={address}>
          {next}
        </a>
        <a className="button" href={list}>
          {t.edit.toList}
        </a>
      </div>
    </section>
  );
}
