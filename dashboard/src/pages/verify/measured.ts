// What a drawing asks of the page: how wide it may be, and which colours the theme has now.
import { type RefObject, useEffect, useRef, useState } from "react";
import { LAYERS, type Layer } from "./layers";

export function useWidth(): [RefObject<HTMLDivElement | null>, number] {
  const frame = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    if (!frame.current) return;
    const watch = new ResizeObserver(([entry]) => setWidth(Math.floor(entry?.contentRect.width ?? 0)));
    watch.observe(frame.current);
    return () => watch.disconnect();
  }, []);
  return [frame, width];
}

/** The colours of the layers, as the legend has them: read again when the theme changes. */
export function useColours(): [Record<Layer, string> | null, RefObject<HTMLUListElement | null>] {
  const legend = useRef<HTMLUListElement>(null);
  const [colours, setColours] = useState<Record<Layer, string> | null>(null);
  useEffect(() => {
    const read = () => {
      const found = LAYERS.map((each) => {
        const swatch = legend.current?.querySelector(`[data-layer="${each}"]`);
        return [each, swatch ? getComputedStyle(swatch).backgroundColor : ""] as const;
      });
      setColours(Object.fromEntries(found) as Record<Layer, string>);
    };
    read();
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", read);
    const themed = new MutationObserver(read);
    themed.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    return () => {
      dark.removeEventListener("change", read);
      themed.disconnect();
    };
  }, []);
  return [colours, legend];
}
