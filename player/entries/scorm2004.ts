import { boot } from "../src/play/boot.ts";
import { Scorm2004Tracking } from "../src/play/tracking/scorm2004.ts";

boot(() => new Scorm2004Tracking());
