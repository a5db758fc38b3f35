// Bundles the entry points: `node build.mjs [FOLDER]` writes them there (default: dist).
import { build } from "esbuild";

const outdir = process.argv[2] ?? "dist";
const shared = { bundle: true, format: "esm", target: "es2022", logLevel: "warning", outdir };
const browser = { reader: "src/index.ts", "parts-worker": "src/device/parts-worker.ts", page: "tests/page.ts", bench: "bench/page.ts", around: "tests/play/around.ts" };
const node = { node: "tests/node.ts", crosscheck: "tests/crosscheck.ts", fuzz: "tests/fuzz.ts", "play-unit": "tests/play/unit.ts", "imported-unit": "tests/play/imported-unit.ts" };
await build({ ...shared, entryPoints: browser, platform: "browser" });
await build({ ...shared, entryPoints: node, platform: "node" });
