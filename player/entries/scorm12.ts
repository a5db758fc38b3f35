import { boot } from "../src/play/boot.ts";
import { Scorm12Tracking } from "../src/play/tracking/scorm12.ts";

boot(() => new Scorm12Tracking());
