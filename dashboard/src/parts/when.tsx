// A moment as people say it, with the exact one for whoever points at it.
import { ago, exact } from "../words";

export function When({ ms }: { ms: number }) {
  return (
    <time dateTime={new Date(ms).toISOString()} title={exact(ms)}>
      {ago(ms, Date.now())}
    </time>
  );
}
