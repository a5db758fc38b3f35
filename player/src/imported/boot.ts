// Starts the player of a package: alone, with the course that `course.js` has left in a global; or in a frame, where the page around
// hands over the learner, what was kept, and as the shell the course too. Whether a page around is to be waited for stands in the address (`?embedded`, `?s=`),
// since a learning platform that shows a site in a frame says nothing.
import { h } from "../play/view/dom.ts";
import { Speaker } from "../play/words.ts";
import type { Package } from "./course.ts";
import { Keeping } from "./keeping.ts";
import { type FromPlayer, GREETING, type Hello, type Welcome } from "./messages.ts";
import { ImportedPlayer } from "./player.ts";
import { serveFiles } from "./shell.ts";
import { View } from "./view.ts";

/** Of a learner whom nobody names. */
const NOBODY = { id: "learner", name: "" };

export async function play(): Promise<void> {
  const root = h("div", { id: "app" });
  document.getElementById("app")?.replaceWith(root);
  const around = window.parent;
  // Content looks for its run-time in one parent after the other. It ends here: what is further out is another one's, or of an origin
  // that may not even be looked at.
  if (around !== window) Object.defineProperty(window, "parent", { value: window, configurable: true });
  const asked = new URLSearchParams(location.search);
  const session = asked.get("s");
  try {
    let port: MessagePort | null = null;
    if (session !== null) await serveFiles(() => port);
    const greeted = await greet(around !== window && (session !== null || asked.has("embedded")) ? around : null);
    port = greeted.port;
    const course = greeted.welcome?.course ?? (globalThis as { course?: Package }).course;
    if (course?.kind !== "scorm") throw new Error("course.js");
    start(root, course, greeted, session === null ? "content/" : `content/${encodeURIComponent(session)}/`);
  } catch (error) {
    const words = new Speaker(document.documentElement.lang || navigator.language);
    root.replaceChildren(h("main", {}, h("p", { role: "alert" }, words.say("error.course", { detail: String(error) }))));
  }
}

interface Greeted {
  readonly welcome: Welcome | null;
  readonly port: MessagePort | null;
}

/** Says hello to the page around, and waits for its answer. */
function greet(around: Window | null): Promise<Greeted> {
  if (!around) return Promise.resolve({ welcome: null, port: null });
  return new Promise((resolve) => {
    const heard = (event: MessageEvent<Welcome | undefined>): void => {
      const [port] = event.ports;
      if (event.source !== around || event.data?.type !== GREETING || !port) return;
      removeEventListener("message", heard);
      resolve({ welcome: event.data, port });
    };
    addEventListener("message", heard);
    const hello: Hello = { type: GREETING };
    around.postMessage(hello, "*");
  });
}

function start(root: HTMLElement, course: Package, { welcome, port }: Greeted, folder: string): void {
  const known = [welcome?.language, course.scorm.language, navigator.language].find((each) => each && new Speaker(each).tag === each.split("-")[0]);
  const view = new View(root, course, known ?? "en");
  const learner = welcome?.learner ?? NOBODY;
  const whose = welcome?.place ? `${learner.id}/${welcome.place}` : learner.id;
  const keeping = new Keeping(course.package_id, whose, welcome?.keeps ? port : null, (sign) => view.sign(sign));
  const record = keeping.begin(welcome?.record ?? null, course.version);
  const told = (standing: Extract<FromPlayer, { type: "standing" }>["standing"]): void => port?.postMessage({ type: "standing", standing } satisfies FromPlayer);
  new ImportedPlayer({ package: course, folder, learner, record, keeping, view, told }).start();
}
