// Starts emulate's GitHub on loopback, on a port that the system gives, prints the port, and ends
// when standard input does.
//   node emulate.mjs FOLDER BASE_URL
// FOLDER has node_modules/emulate; BASE_URL stands in the URLs of the answers.
import net from "node:net";
import { pathToFileURL } from "node:url";

const [folder, baseUrl] = process.argv.slice(2);

// By itself emulate binds every interface, on a port that it wants to be told.
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function () {
  // The proxy keeps its connections for as long as it likes.
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

// A token is good for 5 000 requests an hour, which many tests in one process exceed.
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
