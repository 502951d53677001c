// One number, with its name above it.

export function Tile({ name, value, note, bad }: { name: string; value: string; note?: string; bad?: boolean }) {
  return (
    <div className="card tile" data-bad={bad || undefined}>
      <dt>{name}</dt>
      <dd className="number">
        {value} {note && <small>{note}</small>}
      </dd>
    </div>
  );
}
