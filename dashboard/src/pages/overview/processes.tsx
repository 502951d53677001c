// Every process of the pipeline, with the revision of the configuration that it follows.
import { type ClusterNode, useNodes } from "../../api/cluster";
import { Scrolled } from "../../parts/scrolled";
import { t } from "../../texts";
import { bytes, lasting } from "../../words";

export function Processes() {
  const { data = [] } = useNodes();
  // The API follows logins too, which the others have nothing to do with.
  const newest = Math.max(0, ...data.filter((each) => each.kind !== "api").map((each) => each.revision));
  return (
    <section className="card" aria-label={t.overview.processes}>
      <h2>{t.overview.processes}</h2>
      <Scrolled label={t.overview.processes}>
        <table className="plain-table">
          <thead>
            <tr>
              <th scope="col">{t.overview.node}</th>
              <th scope="col">{t.overview.kind}</th>
              <th scope="col">{t.overview.version}</th>
              <th scope="col">{t.overview.revision}</th>
              <th scope="col">{t.overview.uptime}</th>
              <th scope="col">{t.overview.memory}</th>
            </tr>
          </thead>
          <tbody>
            {data.map((each) => (
              <Row key={each.node} node={each} newest={newest} />
            ))}
          </tbody>
        </table>
      </Scrolled>
      <p className="help">{t.overview.revisionSay}</p>
    </section>
  );
}

function Row({ node, newest }: { node: ClusterNode; newest: number }) {
  return (
    <tr>
      <th scope="row">
        <code>{node.node}</code>
        {node.problem && <p className="error">{node.problem}</p>}
      </th>
      <td>{node.kind}</td>
      <td>{node.version}</td>
      <td className="number">
        {node.revision} {node.revision < newest && <span className="warned">{t.overview.behind(newest)}</span>}
      </td>
      <td className="number">{lasting(node.uptime)}</td>
      <td className="number">{node.memory_used ? bytes(node.memory_used) : "–"}</td>
    </tr>
  );
}
