// The page of the local stack, whose stub of the platform's sign-in hands out a token for the demo's learner.
import { LearnerPage, type Session } from "../src/learner/app.ts";
import { h } from "../src/play/view/dom.ts";

async function signIn(): Promise<Session> {
  const answer = await fetch("session", { method: "POST" });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return (await answer.json()) as Session;
}

const root = h("div", { id: "app" });
document.getElementById("app")?.replaceWith(root);
new LearnerPage(root, signIn).start().catch((error: unknown) => root.replaceChildren(h("p", { role: "alert" }, String(error))));
navigator.serviceWorker?.register("sw.js", { updateViaCache: "none" }).catch(() => undefined);
