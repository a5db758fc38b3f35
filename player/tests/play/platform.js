// The page of a learning platform: makes the SCORM run-time of scorm-again, records every call with its answer, keeps the data
// between launches in the page's own storage, and launches a course in a frame or a window. A script of tests, run in Chromium.
globalThis.platform = {
  calls: [],
  api: null,
  frame: null,

  /** `edition`: "1.2" or "2004". `kept`: what an earlier launch left (`data()`), null for a first one. */
  make(edition, kept, mastery, objectives = []) {
    const settings = { autocommit: false, logLevel: 5, lmsCommitUrl: false };
    const api = edition === "1.2" ? new globalThis.Scorm12API(settings) : new globalThis.Scorm2004API(settings);
    const cmi = kept ?? { core: { student_id: "u-1", student_name: "Learner, A." }, learner_id: "u-1", learner_name: "Learner, A." };
    if (edition === "1.2") {
      const core = { ...(cmi.core ?? {}), student_id: "u-1", entry: kept ? "resume" : "ab-initio" };
      delete core.session_time;
      delete core.exit;
      api.loadFromJSON({ core, suspend_data: cmi.suspend_data ?? "", ...(mastery === null ? {} : { student_data: { mastery_score: String(mastery * 100) } }) });
      globalThis.API = this.recording(api);
    } else {
      const { suspend_data = "", location = "", completion_status = "unknown", success_status = "unknown", progress_measure = "" } = kept ?? {};
      api.loadFromJSON({ learner_id: "u-1", entry: kept ? "resume" : "ab-initio", suspend_data, location, completion_status, success_status, progress_measure, objectives: objectives.map((id) => ({ id })), ...(mastery === null ? {} : { scaled_passing_score: String(mastery) }) });
      globalThis.API_1484_11 = this.recording(api);
    }
    this.api = api;
    this.calls = [];
  },

  recording(api) {
    const names = ["LMSInitialize", "LMSFinish", "LMSGetValue", "LMSSetValue", "LMSCommit", "LMSGetLastError", "Initialize", "Terminate", "GetValue", "SetValue", "Commit", "GetLastError"];
    const recorded = {};
    for (const name of names) {
      if (typeof api[name] !== "function") continue;
      recorded[name] = (...given) => {
        const answer = this.failing && /Commit/.test(name) ? "false" : api[name](...given);
        if (!/GetLastError/.test(name)) this.calls.push([name, ...given, String(answer), String(api[name.startsWith("LMS") ? "LMSGetLastError" : "GetLastError"]())]);
        return answer;
      };
    }
    return recorded;
  },

  launch(url) {
    this.frame = document.createElement("iframe");
    this.frame.style = "inline-size: 100%; block-size: 95vh; border: 0";
    this.frame.name = "course";
    this.frame.src = url;
    document.body.append(this.frame);
  },

  /** Leaves the course: the frame goes elsewhere first, so that its page hears that it is being hidden. */
  async leave() {
    const gone = new Promise((resolve) => this.frame.addEventListener("load", resolve, { once: true }));
    this.frame.src = "about:blank";
    await gone;
    this.frame.remove();
  },

  data() {
    return JSON.parse(JSON.stringify(this.api.cmi));
  },
};
