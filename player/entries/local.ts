// The HTML export: opened from the disk, from a server, or installed. From a server that may be trusted (https, localhost) its
// service worker keeps the course for when there is no network.
import { boot } from "../src/play/boot.ts";
import { LocalTracking } from "../src/play/tracking/local.ts";

boot((course) => new LocalTracking(course.package_id));

if ("serviceWorker" in navigator && isSecureContext && location.protocol.startsWith("http")) {
  navigator.serviceWorker.register("sw.js").catch(() => undefined); // without it the course still plays while there is a network
}
