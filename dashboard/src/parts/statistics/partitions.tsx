// How far an action has come in Kafka.
import { usePartitions } from "../../api/metrics";
import { t } from "../../texts";
import { count } from "../../words";
import { Notice } from "../notice";
import { Scrolled } from "../scrolled";

const { statistics } = t;

/** How far an action has come in each partition that it reads. */
export function Partitions({ id }: { id: string }) {
  const { data = [], error } = usePartitions(id);
  if (error) return <Notice kind="warn">{error.message}</Notice>;
  if (!data.length) return null;
  return (
    <section className="card" aria-label={statistics.partitions}>
      <h2>{statistics.partitions}</h2>
      <Scrolled label={statistics.partitions}>
        <table className="plain-table">
          <thead>
            <tr>
              <th scope="col">{statistics.partition}</th>
              <th scope="col">{statistics.committed}</th>
              <th scope="col">{statistics.end}</th>
              <th scope="col">{t.overview.lag}</th>
            </tr>
          </thead>
          <tbody>
            {data.map((each) => (
              <tr key={`${each.topic}-${each.partition}`}>
                <th scope="row">
                  <code>
                    {each.topic} {each.partition}
                  </code>
                </th>
                <td className="number">{each.committed === null ? "–" : count(each.committed)}</td>
                <td className="number">{count(each.end)}</td>
                <td className="number">{count(each.lag)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scrolled>
    </section>
  );
}
