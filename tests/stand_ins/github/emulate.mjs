// Starts the GitHub emulator on loopback, on a port that the system chooses, prints the port, and
// ends when standard input is closed.
//   node emulate.mjs FOLDER BASE_URL
// FOLDER contains node_modules/emulate. BASE_URL is the base of the URLs in responses.
import net from "node:net";
import { pathToFileURL } from "node:url";

const [folder, baseUrl] = process.argv.slice(2);

// By default the emulator listens on all interfaces and needs a fixed port.
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function () {
  // The proxy keeps its connections open.
  Object.assign(this, { keepAliveTimeout: 0, headersTimeout: 0, requestTimeout: 0 });
  this.once("listening", () => console.log(this.address().port));
  return listen.call(this, 0, "127.0.0.1");
};

const users = [
  "octocat",
  "github-actions[bot]",
  "dependabot[bot]",
  "acme-audit[bot]",
  "secteam",
  "stale[bot]",
  "mallory",
];
const members = [
  { login: "octocat", role: "admin" },
  { login: "github-actions[bot]", role: "member" },
  { login: "dependabot[bot]", role: "member" },
  { login: "acme-audit[bot]", role: "member" },
  { login: "secteam", role: "member" },
  { login: "stale[bot]", role: "member" },
];

// A token allows 5,000 requests per hour, which many tests in one process exceed.
const tokens = {};
for (const login of users) {
  for (let number = 0; number < 50; number++) tokens[`${login}-${number}`] = { login };
}

const emulate = pathToFileURL(`${folder}/node_modules/emulate/dist/api.js`);
const { createEmulator } = await import(emulate);
await createEmulator({
  service: "github",
  baseUrl,
  seed: {
    tokens,
    github: { users: users.map((login) => ({ login })), orgs: [{ login: "acme", members }] },
  },
});

process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
