import { boot } from "../src/play/boot.ts";
import { XapiTracking } from "../src/play/tracking/xapi.ts";

boot(() => new XapiTracking(location.search));
