// What each process says of an object: how it stands there, its counters, and its rate.
import type { Counted, Metrics } from "../../api/metrics";
import { idOf } from "../../api/objects";
import { useList } from "../../api/use_objects";
import { t } from "../../texts";
import { count, rate } from "../../words";
import { Scrolled } from "../scrolled";
import { NodeStanding, type NodeStatus } from "./standing";

const { statistics } = t;

type Props = { family: Counted; id: string; data: Metrics; columns: readonly { name: string; metric: string }[]; rateOf: string };

export function Nodes({ family, id, data, columns, rateOf }: Props) {
  if (!data.node_metrics.length) return <p className="empty">{statistics.nobody}</p>;
  return (
    <section className="card" aria-label={statistics.byNode}>
      <h2>{statistics.byNode}</h2>
      <Scrolled label={statistics.byNode}>
        <table className="plain-table">
          <thead>
            <tr>
              <th scope="col">{t.overview.node}</th>
              {family !== "rules" && <th scope="col">{t.columns.status}</th>}
              {columns.map(({ name }) => (
                <th scope="col" key={name}>
                  {name}
                </th>
              ))}
              <th scope="col">{statistics.now}</th>
            </tr>
          </thead>
          <tbody>
            {data.node_metrics.map(({ node, metrics }) => (
              <tr key={node}>
                <th scope="row">
                  <code>{node}</code>
                </th>
                {family !== "rules" && (
                  <td>
                    <Stands family={family} id={id} node={node} />
                  </td>
                )}
                {columns.map(({ name, metric }) => (
                  <td className="number" key={name}>
                    {count(metrics[metric] ?? 0)}
                  </td>
                ))}
                <td className="number">{rate(metrics[rateOf] ?? 0)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scrolled>
    </section>
  );
}

function Stands({ family, id, node }: { family: "actions" | "sources"; id: string; node: string }) {
  const { data = [] } = useList(family);
  const object = data.find((each) => idOf(family, each) === id);
  const at: NodeStatus | undefined = object?.node_status.find((each) => each.node === node);
  return at ? <NodeStanding family={family} id={id} enabled={object?.enable !== false} at={at} /> : null;
}
