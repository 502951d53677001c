// Writes the licence texts of all packages that the built page holds, beside it.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";

const lock = JSON.parse(readFileSync("package-lock.json", "utf8"));
const shipped = Object.entries(lock.packages).filter(([path, each]) => path && !each.dev && !path.includes("/@types/"));
const texts = shipped.map(([path, { version, license }]) => {
  const name = path.split("node_modules/").at(-1);
  const file = readdirSync(path).find((each) => /^licen[cs]e/i.test(each));
  if (!file && license !== "MIT") throw new Error(`${name}: expected a file with its licence`);
  const text = file ? readFileSync(`${path}/${file}`, "utf8").replaceAll("\r", "").trim() : `${license}; the package has no text of it.`;
  return `${name} ${version} (${license})\n\n${text}\n`;
});
writeFileSync("../pipeline/web/dashboard/licences.txt", texts.join(`\n${"-".repeat(80)}\n\n`));
