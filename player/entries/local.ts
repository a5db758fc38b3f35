// The HTML export: opened from the disk, from a server, or installed. From a server that may be trusted (https, localhost) its
// service worker keeps the course for when there is no network.
import { boot } from "../src/play/boot.ts";
import type { Course } from "../src/play/course.ts";
import { LocalTracking } from "../src/play/tracking/local.ts";

boot((course) => new LocalTracking(course.package_id));

// A preview ends, so nothing of it is kept.
const { course } = globalThis as { readonly course?: Course };
if (!course?.tracking?.preview && "serviceWorker" in navigator && isSecureContext && location.protocol.startsWith("http")) {
  navigator.serviceWorker.register("sw.js", { updateViaCache: "none" }).catch(() => undefined); // without it the course still plays while there is a network
}
