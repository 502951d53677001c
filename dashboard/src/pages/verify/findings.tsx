// Every finding in words: which object, what was found, and what it means.
import type { Finding, Verification } from "../../api/evidence";
import { t } from "../../texts";

export function Findings({ result }: { result: Verification }) {
  if (!result.findings.length) return null;
  const all = Object.values(result.found).reduce((sum, each) => sum + each, 0);
  const kinds = [...new Set(result.findings.map((each) => each.kind))];
  return (
    <section className="findings">
      {kinds.map((kind) => (
        <Kind key={kind} kind={kind} findings={result.findings.filter((each) => each.kind === kind)} />
      ))}
      {all > result.findings.length && <p className="dim">{t.verify.hidden(all - result.findings.length)}</p>}
    </section>
  );
}

function Kind({ kind, findings }: { kind: string; findings: readonly Finding[] }) {
  return (
    <details open={findings.length <= 20}>
      <summary>
        <b className="error">{kind.replaceAll("_", " ")}</b> <span className="number">({findings.length})</span> {findings[0]?.meaning}
      </summary>
      <ul>
        {findings.map((each, n) => (
          <li key={n}>
            <code>{each.key}</code>
            <br />
            {each.text}
          </li>
        ))}
      </ul>
    </details>
  );
}
