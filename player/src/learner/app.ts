// The learner's page: sets up a device in this browser, fetches bundles, and plays them with or without a network. The platform
// that a school uses has its own; this one is small, real, and what the local stack serves.
import { DEVICE, openDatabase } from "../device/database.ts";
import { deviceKeys, deviceOf } from "../device/keys.ts";
import { openParts } from "../device/parts.ts";
import { openProgress } from "../device/progress.ts";
import { list, open, remove, type Row, type Shelf } from "../device/shelf.ts";
import { type Course, pick } from "../play/course.ts";
import { Player } from "../play/player.ts";
import { BundleTracking } from "../play/tracking/bundle.ts";
import { h } from "../play/view/dom.ts";
import { Speaker } from "../play/words.ts";
import type { Bundle } from "../reader/bundle.ts";
import { exportJwk, jwkMembers } from "../reader/jwk.ts";
import { type DeviceKeys, register } from "../reader/registration.ts";
import { asDevice, asLearner } from "./api.ts";
import { BundleFiles, courseOf, packagesOf } from "./course.ts";
import { contentOrigin } from "./origins.ts";
import { type Manifest, packageFrame, prepare } from "./package.ts";
import { sync } from "./sync.ts";

/** What signing in gives: where the API is, where tenants' sites are (with `{tenant}` in it), and a token for this learner, which only registering needs. */
export interface Session {
  readonly api_url: string;
  readonly site_url: string;
  readonly tenant: string;
  readonly learner: string;
  readonly token: string;
}

type Device = Omit<Session, "token">;
const KEPT = "content-player/1/device";

export class LearnerPage {
  readonly #root: HTMLElement;
  readonly #signIn: () => Promise<Session>;
  readonly #words: Speaker;
  readonly #said = h("p", { role: "status" });

  constructor(root: HTMLElement, signIn: () => Promise<Session>) {
    this.#root = root;
    this.#signIn = signIn;
    this.#words = new Speaker(navigator.language);
    document.documentElement.lang = this.#words.tag;
    document.documentElement.dir = this.#words.direction;
  }

  async start(): Promise<void> {
    const device = this.#device();
    const wanted = new URLSearchParams(location.search).get("course");
    if (device && wanted) await this.#play(device, wanted);
    else await this.#home(device);
    addEventListener("online", () => this.#network());
    addEventListener("offline", () => this.#network());
  }

  #device(): Device | null {
    return JSON.parse(localStorage.getItem(KEPT) ?? "null") as Device | null;
  }

  async #home(device: Device | null): Promise<void> {
    const words = this.#words;
    document.title = words.say("learner.title");
    const button = (key: "learner.setup" | "learner.sync", work: () => Promise<void>): HTMLElement => h("p", {}, h("button", { type: "button", class: "main", onclick: () => void this.#try(work) }, words.say(key)));
    const body = device ? [await this.#courses(device), button("learner.sync", () => this.#sync(device))] : [h("p", {}, words.say("learner.setup.why")), button("learner.setup", () => this.#setUp())];
    this.#root.replaceChildren(h("main", {}, h("h1", { tabindex: -1 }, words.say("learner.title")), this.#said, ...body));
    this.#network();
  }

  async #courses(device: Device): Promise<HTMLElement> {
    const words = this.#words;
    const shelf = await shelfOf(device.tenant);
    try {
      const rows = await list(shelf);
      if (!rows.length) return h("p", { class: "note" }, words.say("learner.none"));
      return h("ul", { class: "shelf" }, ...(await Promise.all(rows.map((row) => this.#course(shelf, device, row)))));
    } finally {
      shelf.parts.close();
    }
  }

  async #course(shelf: Shelf, device: Device, row: Row): Promise<HTMLElement> {
    const words = this.#words;
    try {
      const bundle = await open(shelf, row.packageId, now());
      const title = titleOf((await bundle.manifest()) as unknown as Course, words.tag);
      const days = Math.max(0, Math.floor((bundle.licence.notAfter - now()) / 86_400));
      const away = h("button", { type: "button", onclick: () => void this.#try(() => this.#remove(device, row.packageId)) }, words.say("learner.remove", { title: title.text }));
      return h("li", {}, h("a", { class: "file", href: `?course=${encodeURIComponent(row.packageId)}`, lang: title.tag }, words.say("learner.open", { title: title.text })), " ", h("small", {}, `${words.say("learner.version", { version: row.version })} · ${words.say("learner.days", { days })}`), " ", away);
    } catch (error) {
      return h("li", { class: "failed" }, words.say("learner.refused", { why: message(error) })); // expired, revoked: in its own sentence
    }
  }

  async #setUp(): Promise<void> {
    const session = await this.#signIn();
    const keys = await deviceKeys(await openDatabase(DEVICE), session.tenant);
    const api = asLearner(session.api_url, session.token);
    const encryption = jwkMembers(await exportJwk(keys.encryption.publicKey));
    const { nonce, challenge } = await api.post<{ nonce: string; challenge: string }>("/v1/devices/challenges", { encryption });
    await api.post("/v1/devices", { nonce, registration: await register(keys, session.tenant, nonce, challenge), profile: profile() });
    await navigator.storage.persist?.().catch(() => false); // so that a full disk does not take the courses first
    const { token: _, ...device } = session;
    localStorage.setItem(KEPT, JSON.stringify(device));
    await this.#home(device);
  }

  async #sync(device: Device): Promise<void> {
    const { shelf, keys } = await opened(device.tenant);
    try {
      const done = await sync(shelf, asDevice(device.api_url, device.tenant, keys.signing), ({ fetched, of }) => this.#say(this.#words.say("learner.syncing", { percent: this.#words.percent(of ? Math.min(1, fetched / of) : 0) })));
      const unready = await this.#prepare(shelf, device);
      await this.#home(device);
      if (unready) return this.#say(this.#words.say("learner.failed", { why: unready }));
      this.#say(done.refused.length ? done.refused.map((each) => this.#words.say("learner.refused", { why: each.why })).join(" ") : this.#words.say("learner.done"));
    } finally {
      shelf.parts.close();
    }
  }

  /** Imported packages are played on origins of their own, which have to be visited once while there is a network. */
  async #prepare(shelf: Shelf, device: Device): Promise<string> {
    try {
      for (const { packageId } of await list(shelf)) {
        const manifest = (await open(shelf, packageId, now()).then((bundle) => bundle.manifest(), () => null)) as (Manifest & Course) | null; // refused: it says so itself
        const played = manifest?.kind === "scorm" ? [packageId] : manifest ? packagesOf(manifest) : [];
        for (const each of played) await prepare(await contentOrigin(device.site_url, device.tenant, each));
      }
      return "";
    } catch (error) {
      return message(error);
    }
  }

  async #remove(device: Device, packageId: string): Promise<void> {
    const shelf = await shelfOf(device.tenant);
    await remove(shelf, packageId).finally(() => shelf.parts.close());
    await this.#home(device);
  }

  async #play(device: Device, packageId: string): Promise<void> {
    const shelf = await shelfOf(device.tenant);
    let bundle: Bundle;
    try {
      bundle = await open(shelf, packageId, now());
    } catch (error) {
      await this.#home(device);
      this.#say(message(error));
      return;
    }
    const manifest = (await bundle.manifest()) as unknown as Manifest & Course;
    if (manifest.kind === "scorm") return this.#playPackage(device, bundle, manifest);
    const progress = await openProgress();
    const key = { tenant: device.tenant, learner: device.learner, packageId };
    const tracking = new BundleTracking(progress, key);
    const root = h("div");
    this.#root.replaceChildren(h("p", { class: "all", lang: this.#words.tag, dir: this.#words.direction }, h("a", { href: location.pathname }, this.#words.say("learner.back"))), root);
    const course = await courseOf(bundle);
    Object.assign(globalThis, { course }); // as on the page of an export: for whoever looks what is played
    const files = await BundleFiles.of(bundle, course, { progress, key, originOf: (id) => contentOrigin(device.site_url, device.tenant, id) });
    await new Player({ course, files, tracking, root }).start();
  }

  async #playPackage(device: Device, bundle: Bundle, manifest: Manifest & Course): Promise<void> {
    const { tenant, learner } = device;
    const packageId = manifest.package_id;
    const title = titleOf(manifest, this.#words.tag).text;
    document.title = title;
    const origin = await contentOrigin(device.site_url, tenant, packageId);
    const frame = packageFrame({ bundle, manifest, origin, progress: await openProgress(), key: { tenant, learner, packageId }, language: this.#words.tag, title });
    this.#root.replaceChildren(h("p", { class: "all" }, h("a", { href: location.pathname }, this.#words.say("learner.back"))), frame);
  }

  async #try(work: () => Promise<void>): Promise<void> {
    this.#say("");
    for (const button of this.#root.querySelectorAll("button")) button.disabled = true;
    try {
      await work();
    } catch (error) {
      this.#say(navigator.onLine ? this.#words.say("learner.failed", { why: message(error) }) : this.#words.say("learner.offline"));
    } finally {
      for (const button of this.#root.querySelectorAll("button")) button.disabled = false;
      if (document.activeElement === document.body) this.#root.querySelector("h1")?.focus(); // what was pressed is gone
    }
  }

  #network(): void {
    if (!navigator.onLine) this.#say(this.#words.say("learner.offline"));
  }

  #say(text: string): void {
    this.#said.textContent = text;
  }
}

async function opened(tenant: string): Promise<{ shelf: Shelf; keys: DeviceKeys }> {
  const database = await openDatabase(DEVICE);
  const keys = await deviceKeys(database, tenant);
  return { shelf: { database, device: await deviceOf(keys, tenant), parts: await openParts(tenant, "parts-worker.js") }, keys };
}

const shelfOf = async (tenant: string): Promise<Shelf> => (await opened(tenant)).shelf;
const now = (): number => Math.floor(Date.now() / 1000);
const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));
const titleOf = (course: Course, language: string): { text: string; tag: string } => pick(course.metadata.title, language, course.metadata.language);

/** The device's sort, as bundles know it: by the shorter side of its screen. */
function profile(): "phone" | "tablet" | "desktop" {
  const side = Math.min(screen.width, screen.height);
  return side < 600 ? "phone" : side < 900 ? "tablet" : "desktop";
}
