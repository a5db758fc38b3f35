// Plays steps over an activity tree in scorm-again, which is not of this project. Reads {"tree", "steps"}, writes what each step
// delivered (null: nothing) and how every activity stands in the end. A step is {"report", "request", "to"}: what the SCO says before
// it ends, then what the learner asks the platform for.
import { readFileSync } from "node:fs";
import { Scorm2004API } from "../../../player/node_modules/scorm-again/dist/esm/scorm2004.js";

for (const name of ["log", "info", "warn", "error", "debug"]) console[name] = (...said) => process.stderr.write(`${said.join(" ")}\n`);

const { tree, steps } = JSON.parse(readFileSync(0, "utf8"));
let delivered = null;
const eventListeners = { onActivityDelivery: (activity) => { delivered = activity.id; } };
const api = new Scorm2004API({ logLevel: 5, lmsCommitUrl: false, autocommit: false, sequencing: { activityTree: tree, eventListeners } });

/** Sets elements; `cmi.objectives[id]` is found by its id among those that the platform lists, as the player does. */
function say(report) {
  const ids = Array.from({ length: Number(api.GetValue("cmi.objectives._count")) }, (_, at) => api.GetValue(`cmi.objectives.${at}.id`));
  for (const [name, value] of Object.entries(report)) {
    const element = name.replace(/\[(.+)\]/, (_, id) => `.${ids.indexOf(id)}`);
    if (api.SetValue(element, value) !== "true") throw new Error(`${element} (of ${ids}): ${api.GetLastError()}`);
  }
}

let running = false;
const out = steps.map(({ report = {}, request = "choice", to }) => {
  if (running) {
    say(report);
    api.Terminate("");
    running = false;
  }
  delivered = null;
  api.processNavigationRequest(request, to);
  if (delivered) {
    api.reset();
    running = api.Initialize("") === "true";
  }
  return delivered;
});

const flat = (activity) => [activity, ...activity.children.flatMap(flat)];
const ends = flat(api.getSequencingState().rootActivity).map((each) => [
  each.id,
  { completed: each.isCompleted, satisfied: each.objectiveSatisfiedStatusKnown ? each.objectiveSatisfiedStatus : null, measure: each.objectiveMeasureStatus ? each.objectiveNormalizedMeasure : null },
]);
process.stdout.write(JSON.stringify({ delivered: out, ends: Object.fromEntries(ends) }));
