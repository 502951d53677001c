// Topic filters of MQTT 5, section 4.7. Pure.

/** Whether the filter takes the topic, or each topic of another filter. */
export function takes(filter: string, topic: string): boolean {
  if (topic.startsWith("$") && /^[+#]/.test(filter)) return false;
  const levels = filter.split("/");
  const wanted = topic.split("/");
  for (const [n, level] of levels.entries()) {
    if (level === "#") return true;
    if (wanted[n] === undefined || wanted[n] === "#" || (level !== "+" && level !== wanted[n])) return false;
  }
  return levels.length === wanted.length;
}
