// Which part lies next in a direction: for arrow keys. Pure.

export type Way = "left" | "right" | "up" | "down";
type Placed = { id: string; x: number; y: number };

/** The nearest part that lies that way; what lies aside counts double. Null where there is none. */
export function neighbour(parts: readonly Placed[], from: string, way: Way): string | null {
  const here = parts.find(({ id }) => id === from);
  if (!here) return null;
  const ahead = ({ x, y }: Placed) => ({ left: here.x - x, right: x - here.x, up: here.y - y, down: y - here.y })[way];
  const aside = ({ x, y }: Placed) => Math.abs(way === "left" || way === "right" ? y - here.y : x - here.x);
  const far = (part: Placed) => ahead(part) + 2 * aside(part);
  const found = parts.filter((part) => part !== here && ahead(part) > 0).sort((a, b) => far(a) - far(b));
  return found[0]?.id ?? null;
}
