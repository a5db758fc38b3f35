// Bundles the entry points: `node build.mjs [FOLDER]` writes them there (default: dist).
import { build } from "esbuild";

const outdir = process.argv[2] ?? "dist";
const shared = { bundle: true, format: "esm", target: "es2022", logLevel: "warning", outdir, entryNames: "[name]" };
await build({
  ...shared,
  entryPoints: ["src/index.ts", "src/device/parts-worker.ts", "tests/page.ts"],
  platform: "browser",
});
await build({ ...shared, entryPoints: ["tests/node.ts", "tests/crosscheck.ts", "tests/fuzz.ts"], platform: "node" });
