// Starts the player on the page of an export: `course.js` and `captions.js` have run before and left what they hold in globals,
// because a page that was opened from the disk may not fetch anything.
import type { Course, Rendition } from "./course.ts";
import { Player } from "./player.ts";
import type { Tracking } from "./tracking.ts";
import type { Files } from "./view/context.ts";
import { h } from "./view/dom.ts";
import { Speaker } from "./words.ts";

interface Globals {
  readonly course?: Course;
  readonly captions?: Readonly<Record<string, string>>;
}

/** Files that lie beside the page. From a disk no page has an origin that another could name. */
const beside: Files = {
  embedded: ({ page }) => (page ? { address: `${page}?embedded`, origin: location.protocol === "file:" ? null : location.origin } : null),
  url: (rendition: Rendition) => rendition.path ?? "",
  captions: async (rendition) => (globalThis as Globals).captions?.[rendition.path ?? ""] ?? (await fetch(rendition.path ?? "")).text(),
};

export function boot(tracking: (course: Course) => Tracking): void {
  // What stood there for browsers without scripts is a <main>; the player has one of its own.
  const root = h("div", { id: "app" });
  document.getElementById("app")?.replaceWith(root);
  const { course } = globalThis as Globals;
  const failed = (error: unknown): void => {
    const words = new Speaker(document.documentElement.lang);
    root.replaceChildren(h("main", {}, h("p", { role: "alert" }, words.say("error.course", { detail: String(error) }))));
  };
  if (!course) {
    failed("course.js");
    return;
  }
  try {
    new Player({ course, files: beside, tracking: tracking(course), unit: document.documentElement.dataset["unit"] ?? null, root }).start().catch(failed);
  } catch (error) {
    failed(error);
  }
}
