/** What a player needs of this package. The format's own modules are under reader/, those of a browser under device/. */
export type { Bundle } from "./reader/bundle.ts";
export { applyDelta } from "./reader/delta.ts";
export type { Device, Lists } from "./reader/open.ts";
export { prove } from "./reader/proof.ts";
export { Refused } from "./reader/refused.ts";
export { register } from "./reader/registration.ts";
export { signReport } from "./reader/tamper.ts";
export { DEVICE, openDatabase } from "./device/database.ts";
export { download, DownloadFailed } from "./device/download.ts";
export { deviceKeys, deviceOf } from "./device/keys.ts";
export { pinRoot } from "./device/memory.ts";
export { openParts } from "./device/parts.ts";
export { openProgress, progressOf, saveProgress } from "./device/progress.ts";
export { install, list, NothingHeld, open, remove, takeInLists, type Shelf } from "./device/shelf.ts";
export { exportFile, importFile } from "./device/sticks.ts";
