import { boot } from "../src/play/boot.ts";
import { Cmi5Tracking } from "../src/play/tracking/cmi5.ts";

boot(() => new Cmi5Tracking(location.search));
